//! The body of a message as a person can read it.

use std::{
    borrow::Cow,
    io::{self, Read},
};

use flate2::read::MultiGzDecoder;
use lapin::{message::Delivery, types::ShortString};

use crate::encode::{JsonMode, extended_json};

/// Longest body that is decompressed, in bytes: no message was larger that RabbitMQ took by default.
const BYTES_MAX: u64 = 128 << 20;

/// The body of `delivery`: decompressed, unless it would be too large, and BSON as canonical Extended JSON. Where
/// something is wrong with it, it stays as it is.
pub(super) fn readable(delivery: &Delivery) -> Cow<'_, [u8]> {
    let body = decompressed(delivery, BYTES_MAX);
    let content_type = delivery.properties.content_type().as_ref();
    match content_type.map(ShortString::as_str) {
        Some("application/bson") => json(&body).map_or(body, Cow::Owned),
        _ => body,
    }
}

fn decompressed(delivery: &Delivery, bytes_max: u64) -> Cow<'_, [u8]> {
    let body = delivery.data.as_slice();
    let encoding = delivery.properties.content_encoding().as_ref();
    let decompressed = match encoding.map(ShortString::as_str) {
        Some("gzip") => bounded(MultiGzDecoder::new(body), bytes_max),
        Some("zstd") => {
            zstd::stream::read::Decoder::new(body).and_then(|decoder| bounded(decoder, bytes_max))
        }
        _ => return Cow::Borrowed(body),
    };
    decompressed.map_or(Cow::Borrowed(body), Cow::Owned)
}

/// Everything that `decoder` gives, if it is not too much.
fn bounded(decoder: impl Read, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    decoder.take(bytes_max + 1).read_to_end(&mut body)?;
    if bytes_max < body.len() as u64 {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(body)
}

fn json(bson: &[u8]) -> Option<Vec<u8>> {
    let mut json = Vec::new();
    extended_json::write_bytes(bson, JsonMode::Canonical, &mut json).ok()?;
    Some(json)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use bson::rawdoc;
    use flate2::write::GzEncoder;
    use lapin::BasicProperties;

    use super::*;

    fn delivery(body: &[u8], content_type: &str, content_encoding: &str) -> Delivery {
        let mut delivery = Delivery::mock(1, "".into(), "q".into(), false, body.to_vec());
        delivery.properties = BasicProperties::default()
            .with_content_type(content_type.into())
            .with_content_encoding(content_encoding.into());
        delivery
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn bson_is_read_as_extended_json() {
        let bson = rawdoc! { "_id": 7, "word": "quiz" };
        let json = br#"{"_id":{"$numberInt":"7"},"word":"quiz"}"#;
        let plain = delivery(bson.as_bytes(), "application/bson", "");
        assert_eq!(*readable(&plain), *json);
        let compressed = gzip(bson.as_bytes());
        let compressed = delivery(&compressed, "application/bson", "gzip");
        assert_eq!(*readable(&compressed), *json);
    }

    #[test]
    fn what_is_not_quite_bson_and_all_else_stays_as_it_is() {
        let mut broken = rawdoc! { "word": "quiz" }.into_bytes();
        let place = broken.iter().position(|byte| *byte == b'q').unwrap();
        broken[place] = 0xff;
        let broken = delivery(&broken, "application/bson", "");
        assert_eq!(*readable(&broken), *broken.data);
        let text = b"\x05\0\0\0\0";
        assert_eq!(*readable(&delivery(text, "application/json", "")), *text);
        let bare = Delivery::mock(1, "".into(), "q".into(), false, text.to_vec());
        assert_eq!(*readable(&bare), *text);
    }

    #[test]
    fn a_compressed_body_is_read_up_to_a_bound() {
        let text = b"{}".repeat(5_000);
        let zstd = zstd::bulk::compress(&text, 1).unwrap();
        for (encoding, body) in [("gzip", gzip(&text)), ("zstd", zstd)] {
            let whole = delivery(&body, "application/json", encoding);
            assert_eq!(*readable(&whole), *text, "{encoding}");
            assert_eq!(*decompressed(&whole, 10_000), *text);
            assert_eq!(*decompressed(&whole, 9_999), *body);
            let half = delivery(&body[..body.len() / 2], "application/json", encoding);
            assert_eq!(*readable(&half), *half.data);
            let other = delivery(&body, "application/json", "br");
            assert_eq!(*readable(&other), *body);
        }
    }
}
