//! Bodies that a program makes itself, instead of one of the formats.

use std::{error::Error, fmt};

use bson::{RawDocument, RawDocumentBuf};

use super::{Error as EncodeError, Headers, JsonMode, Shape, Written, shape::is_whole_document};
use crate::{
    event::ChangeEvent as Change,
    message::{Header, Value as HeaderValue},
};

/// Longest name of a header and of a media type in bytes, a limit of AMQP 0-9-1.
const SHORT_BYTES_MAX: usize = 255;

/// Makes the bodies of messages, in the place of a format.
///
/// It has to give the same body for the same change, whenever and however often it is asked: a change that is read again
/// after a crash is the same message. It is called on the thread that runs the engine, so it must neither wait nor be slow.
///
/// An error stops the engine before the change, or does what `CDC_ON_POISON` says. It goes to the log, and to a header of
/// a message that is parked, so it should not show a document's content.
pub trait Encoder: Send + Sync + 'static {
    /// Media type of every body, of 1 to 255 bytes, such as `text/csv`.
    fn content_type(&self) -> &'static str;

    /// The body for `change`.
    ///
    /// Where `CDC_ON_OVERSIZE` says that what is too large is trimmed, it is asked again for the change without its
    /// documents before and after.
    ///
    /// # Errors
    /// There is no body for the change.
    fn encode(&self, change: &Change) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;

    /// Names and values of the message's headers beside those that every message has; none by default. At most 16, with
    /// names of 1 to 255 bytes that do not begin with `cdc-`, and texts of up to 1,024 bytes.
    ///
    /// # Errors
    /// There are no headers for the change.
    fn headers(
        &self,
        _change: &Change,
    ) -> Result<Vec<(&'static str, HeaderValue<'static>)>, Box<dyn Error + Send + Sync>> {
        Ok(Vec::new())
    }
}

/// The shape that an encoder of a program's own gives.
pub struct Own(Box<dyn Encoder>);

impl Own {
    /// Takes an encoder.
    ///
    /// # Errors
    /// Its media type does not fit into a message; in words.
    pub fn new(encoder: impl Encoder) -> Result<Self, String> {
        let kind = encoder.content_type();
        if kind.is_empty() || SHORT_BYTES_MAX < kind.len() {
            let bytes = kind.len();
            return Err(format!(
                "its content type has {bytes} bytes, and has to have 1 to {SHORT_BYTES_MAX}"
            ));
        }
        Ok(Self(Box::new(encoder)))
    }
}

impl Shape for Own {
    fn content_type(&self) -> &'static str {
        self.0.content_type()
    }

    fn room(&self, _: &Change) -> usize {
        0
    }

    fn write(
        &self,
        change: &Change,
        _: JsonMode,
        body: &mut Vec<u8>,
    ) -> Result<Written, EncodeError> {
        let mut own = self.0.encode(change).map_err(EncodeError::Own)?;
        if body.is_empty() {
            *body = own;
        } else {
            body.append(&mut own);
        }
        Ok(Written::Whole)
    }

    fn write_trimmed(
        &self,
        change: &Change,
        mode: JsonMode,
        body: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let bare = without_documents(change).map_err(EncodeError::Own)?;
        self.write(&bare, mode, body).map(drop)
    }

    fn headers(&self, change: &Change) -> Result<Vec<Header>, EncodeError> {
        let headers = self.0.headers(change).map_err(EncodeError::Own)?;
        match fault(&headers) {
            Some(fault) => Err(EncodeError::Own(fault.into())),
            None => Ok(headers),
        }
    }
}

/// The change as it would be if the server had sent none of its documents.
fn without_documents(change: &Change) -> Result<Change, Box<dyn Error + Send + Sync>> {
    let mut bare = RawDocumentBuf::new();
    for field in RawDocument::from_bytes(change.raw())? {
        let (name, value) = field?;
        if !is_whole_document(name.as_str().as_bytes()) {
            bare.append(name, value);
        }
    }
    Ok(Change::parse(bare.into_bytes().into())?.known_as(change.token()))
}

/// What is wrong with headers of an encoder's, which have to fit into one frame beside the others.
fn fault(headers: &[Header]) -> Option<String> {
    if Headers::COUNT_MAX < headers.len() {
        let count = headers.len();
        return Some(format!(
            "{count} headers, where {} is the most",
            Headers::COUNT_MAX
        ));
    }
    headers.iter().find_map(|(name, value)| match value {
        HeaderValue::Text(text) if Headers::VALUE_BYTES_MAX < text.len() => Some(format!(
            "the header `{name}` has {} bytes, where {} is the most",
            text.len(),
            Headers::VALUE_BYTES_MAX
        )),
        _ => Headers::fault_of_name(name),
    })
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Own").field(&self.0.content_type()).finish()
    }
}

#[cfg(test)]
mod tests {
    use bson::{Timestamp, rawdoc};

    use super::*;
    use crate::encode::{Config, encode, poison, trimmed};

    /// The document's `word`, else `none`; what the headers are to be.
    struct Words(Vec<(&'static str, HeaderValue<'static>)>);

    impl Encoder for Words {
        fn content_type(&self) -> &'static str {
            "text/plain"
        }

        fn encode(&self, change: &Change) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
            let Some(document) = change.full_document() else {
                return Ok(b"none".to_vec());
            };
            Ok(document.get_str(bson::cstr!("word"))?.into())
        }

        fn headers(
            &self,
            _: &Change,
        ) -> Result<Vec<(&'static str, HeaderValue<'static>)>, Box<dyn Error + Send + Sync>>
        {
            Ok(self.0.clone())
        }
    }

    fn config(headers: Vec<(&'static str, HeaderValue<'static>)>) -> Config {
        Config {
            shape: std::sync::Arc::new(Own::new(Words(headers)).unwrap()),
            ..Config::default()
        }
    }

    fn change(document: &RawDocumentBuf) -> Change {
        let raw = rawdoc! {
            "_id": { "_data": "82" }, "operationType": "insert", "clusterTime": Timestamp { time: 1, increment: 2 },
            "ns": { "db": "d", "coll": "c" }, "documentKey": { "_id": 1 }, "fullDocument": document.clone(),
        };
        Change::parse(raw.into_bytes().into()).unwrap()
    }

    #[test]
    fn the_encoders_body_and_headers_are_the_messages() {
        let level = ("level", HeaderValue::Number(3));
        let config = config(vec![level.clone()]);
        let message = encode(&change(&rawdoc! { "word": "quiz" }), &config).unwrap();
        assert_eq!(
            (&*message.body, message.content_type),
            (&b"quiz"[..], "text/plain")
        );
        assert!(message.headers().any(|header| header == level));
    }

    #[test]
    fn a_trimmed_message_is_that_of_the_change_without_its_documents() {
        let change = change(&rawdoc! { "word": "quiz" });
        let message = trimmed(&change, &config(Vec::new()), 4).unwrap();
        assert_eq!(&*message.body, b"none");
        let whole = encode(&change, &config(Vec::new())).unwrap();
        assert_eq!(message.message_id, whole.message_id);
    }

    #[test]
    fn an_encoders_error_is_the_cause_and_is_short_where_it_is_parked() {
        let (config, change) = (config(Vec::new()), change(&rawdoc! { "word": 1 }));
        let error = encode(&change, &config).unwrap_err();
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains("word"), "{cause}");
        let long = EncodeError::Own("x".repeat(100_000).into());
        let parked = poison(&change, &config, &long);
        let mut texts = parked.headers().filter_map(|(_, value)| match value {
            HeaderValue::Text(text) => Some(text.len()),
            HeaderValue::Number(_) => None,
        });
        assert!(texts.all(|bytes| bytes <= 1024));
    }

    #[test]
    fn headers_that_do_not_fit_are_an_error() {
        let text = |text: String| HeaderValue::Text(text.into());
        let many: Vec<_> = (0..17)
            .map(|number| ("n", HeaderValue::Number(number)))
            .collect();
        for (headers, fault) in [
            (vec![("", HeaderValue::Number(1))], "1 to 255 bytes"),
            (vec![("CC", HeaderValue::Number(1))], "in RabbitMQ"),
            (vec![("cdc-x", HeaderValue::Number(1))], "are the engine's"),
            (vec![("x", text("x".repeat(1_025)))], "1025 bytes"),
            (many, "17 headers"),
        ] {
            let error = encode(&change(&rawdoc! { "word": "x" }), &config(headers)).unwrap_err();
            let cause = error.source().unwrap().to_string();
            assert!(cause.contains(fault), "{cause}");
        }
    }
}
