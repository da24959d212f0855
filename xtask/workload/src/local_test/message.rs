//! What a message holds beside its body's format.

use std::{borrow::Cow, io::Read as _};

use flate2::read::GzDecoder;
use lapin::{
    message::Delivery,
    types::{AMQPValue, ShortString},
};

/// The body as it was before it was compressed; `None` if it cannot be read.
pub(super) fn data(message: &Delivery) -> Option<Cow<'_, [u8]>> {
    let body = message.data.as_slice();
    let encoding = message.properties.content_encoding().as_ref();
    match encoding.map(ShortString::as_str) {
        Some("gzip") => {
            let mut data = Vec::new();
            GzDecoder::new(body).read_to_end(&mut data).ok()?;
            Some(Cow::Owned(data))
        }
        Some("zstd") => zstd::stream::decode_all(body).ok().map(Cow::Owned),
        _ => Some(Cow::Borrowed(body)),
    }
}

/// Where the change happened, as the header says.
pub(super) fn namespace(message: &Delivery) -> Option<&str> {
    let headers = message.properties.headers().as_ref()?.inner();
    match headers.get("cdc-namespace")? {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
        _ => None,
    }
}
