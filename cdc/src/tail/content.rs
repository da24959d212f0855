//! The body of a message as a person can read it.

use std::borrow::Cow;

use lapin::{message::Delivery, types::ShortString};

use crate::encode::{JsonMode, extended_json};

/// The body of `delivery`; BSON becomes canonical Extended JSON, unless something is wrong with it.
pub(super) fn readable(delivery: &Delivery) -> Cow<'_, [u8]> {
    let body = Cow::Borrowed(delivery.data.as_slice());
    match content_type(delivery) {
        Some("application/bson") => json(&body).map_or(body, Cow::Owned),
        _ => body,
    }
}

fn content_type(delivery: &Delivery) -> Option<&str> {
    let content_type = delivery.properties.content_type().as_ref();
    content_type.map(ShortString::as_str)
}

fn json(bson: &[u8]) -> Option<Vec<u8>> {
    let mut json = Vec::new();
    extended_json::write_bytes(bson, JsonMode::Canonical, &mut json).ok()?;
    Some(json)
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;
    use lapin::BasicProperties;

    use super::*;

    fn delivery(body: &[u8], content_type: &str) -> Delivery {
        let mut delivery = Delivery::mock(1, "".into(), "q".into(), false, body.to_vec());
        delivery.properties = BasicProperties::default().with_content_type(content_type.into());
        delivery
    }

    #[test]
    fn bson_is_read_as_extended_json() {
        let bson = rawdoc! { "_id": 7, "word": "quiz" };
        let delivery = delivery(bson.as_bytes(), "application/bson");
        let json = br#"{"_id":{"$numberInt":"7"},"word":"quiz"}"#;
        assert_eq!(*readable(&delivery), *json);
    }

    #[test]
    fn what_is_not_quite_bson_and_all_else_stays_as_it_is() {
        let mut broken = rawdoc! { "word": "quiz" }.into_bytes();
        let place = broken.iter().position(|byte| *byte == b'q').unwrap();
        broken[place] = 0xff;
        assert_eq!(*readable(&delivery(&broken, "application/bson")), *broken);
        let text = b"\x05\0\0\0\0";
        assert_eq!(*readable(&delivery(text, "application/json")), *text);
        let bare = Delivery::mock(1, "".into(), "q".into(), false, text.to_vec());
        assert_eq!(*readable(&bare), *text);
    }
}
