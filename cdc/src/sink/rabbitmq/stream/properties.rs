//! A message's envelope as the sections of an AMQP 1.0 message: those that the broker makes of the properties and headers
//! of AMQP 0-9-1 (<https://www.rabbitmq.com/docs/conversions>), so that a consumer sees the same either way.
//!
//! The encoding: <http://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html>.

use super::ID_HEADER;
use crate::message::{Message, Value};

/// Codes of the sections.
const ANNOTATIONS: u8 = 0x72;
const PROPERTIES: u8 = 0x73;
const APPLICATION_PROPERTIES: u8 = 0x74;
const DATA: u8 = 0x75;
/// Codes of types.
const DESCRIBED: u8 = 0x00;
const SMALL_ULONG: u8 = 0x53;
const NULL: u8 = 0x40;
const LONG: u8 = 0x81;
const TIMESTAMP: u8 = 0x83;
const STRING_8: u8 = 0xa1;
const STRING_32: u8 = 0xb1;
const SYMBOL_8: u8 = 0xa3;
const BINARY_32: u8 = 0xb0;
const LIST_32: u8 = 0xd0;
const MAP_32: u8 = 0xd1;

/// The annotation that stands for the property `type`, which AMQP 1.0 does not have.
const TYPE: &str = "x-basic-type";
/// What stands for `app_id`, the group's id.
const APP: &str = "cdc";

/// Appends `message` as it is stored, with the publishing id `id`.
pub(super) fn write(message: &Message, id: u64, buffer: &mut Vec<u8>) {
    section(buffer, ANNOTATIONS);
    let kind = message.operation.as_str();
    compound(buffer, MAP_32, |buffer| {
        symbol(buffer, TYPE);
        string(buffer, kind);
        2
    });
    section(buffer, PROPERTIES);
    compound(buffer, LIST_32, |buffer| properties(buffer, message));
    section(buffer, APPLICATION_PROPERTIES);
    compound(buffer, MAP_32, |buffer| headers(buffer, message, id));
    section(buffer, DATA);
    buffer.push(BINARY_32);
    buffer.extend(length(message.body.len()));
    buffer.extend_from_slice(&message.body);
}

/// The properties up to the group's id, in the order that the standard gives them.
fn properties(buffer: &mut Vec<u8>, message: &Message) -> u32 {
    string(buffer, &message.message_id.to_string());
    // User, to, subject, reply to, correlation id.
    buffer.extend([NULL; 5]);
    symbol(buffer, message.content_type);
    match message.content_encoding {
        Some(encoding) => symbol(buffer, encoding),
        None => buffer.push(NULL),
    }
    // When it expires.
    buffer.push(NULL);
    buffer.push(TIMESTAMP);
    let milliseconds = message.seconds().saturating_mul(1000);
    buffer.extend(milliseconds.to_be_bytes());
    string(buffer, APP);
    11
}

fn headers(buffer: &mut Vec<u8>, message: &Message, id: u64) -> u32 {
    string(buffer, ID_HEADER);
    buffer.push(LONG);
    buffer.extend(id.to_be_bytes());
    let mut count = 2;
    for (name, value) in message.headers() {
        string(buffer, name);
        match value {
            Value::Text(text) => string(buffer, &text),
            Value::Number(number) => {
                buffer.push(LONG);
                buffer.extend(number.to_be_bytes());
            }
        }
        count += 2;
    }
    count
}

fn section(buffer: &mut Vec<u8>, code: u8) {
    buffer.extend([DESCRIBED, SMALL_ULONG, code]);
}

/// A list or a map, of as many elements as `elements` says.
fn compound(buffer: &mut Vec<u8>, code: u8, elements: impl FnOnce(&mut Vec<u8>) -> u32) {
    buffer.push(code);
    let size = buffer.len();
    buffer.extend([0; 8]);
    let count = elements(buffer);
    // The size counts what comes after itself.
    let bytes = length(buffer.len() - size - 4);
    buffer[size..size + 4].copy_from_slice(&bytes);
    buffer[size + 4..size + 8].copy_from_slice(&count.to_be_bytes());
}

/// A text of ASCII of at most 255 bytes.
fn symbol(buffer: &mut Vec<u8>, text: &str) {
    buffer.push(SYMBOL_8);
    buffer.push(u8::try_from(text.len()).expect("symbols are constants of ours"));
    buffer.extend_from_slice(text.as_bytes());
}

fn string(buffer: &mut Vec<u8>, text: &str) {
    if let Ok(length) = u8::try_from(text.len()) {
        buffer.extend([STRING_8, length]);
    } else {
        buffer.push(STRING_32);
        buffer.extend(length(text.len()));
    }
    buffer.extend_from_slice(text.as_bytes());
}

fn length(bytes: usize) -> [u8; 4] {
    let bytes = u32::try_from(bytes).expect("a document is shorter than 4 GiB");
    bytes.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use rabbitmq_stream_protocol::{codec::Decoder as _, message::SimpleValue};

    use super::*;
    use crate::{
        event::Operation,
        message::{MessageId, Target},
        rabbitmq::stream,
    };

    /// A message whose headers have numbers and texts of all lengths that are written in different ways.
    fn message() -> Message {
        let mut message = Message {
            message_id: MessageId::from_token(&bson::rawdoc! { "_data": "82" }),
            target: Target::Main("queue".into()),
            operation: Operation::Insert,
            namespace: "shop.games".to_owned(),
            cluster_time: bson::Timestamp {
                time: 7,
                increment: 1,
            },
            wall_time_ms: None,
            document_key: None,
            content_type: "application/json",
            content_encoding: Some("gzip"),
            more_headers: Vec::new(),
            own_headers: Vec::new(),
            partition: None,
            further: Vec::new(),
            replaces_fields: false,
            body: b"{}".to_vec(),
        };
        let texts = [0, 255, 256].map(|length| ("text", "ü".repeat(length / 2)));
        for (number, (name, text)) in texts.into_iter().enumerate() {
            let name = format!("{name}{number}").into();
            message.own_headers.push((name, Value::Text(text.into())));
        }
        for number in [0, -1, 5, 127, 128, i64::MAX, i64::MIN] {
            let name = format!("number{number}").into();
            message.own_headers.push((name, Value::Number(number)));
        }
        message
    }

    #[test]
    fn what_is_written_is_read_by_the_client_library() {
        let message = message();
        let mut bytes = Vec::new();
        write(&message, 9, &mut bytes);
        let (rest, read) = stream::Message::decode(&bytes).unwrap();
        assert!(rest.is_empty());
        let mut expected: Vec<(String, SimpleValue)> = message
            .headers()
            .map(|(name, value)| match value {
                Value::Text(text) => (name.to_owned(), SimpleValue::String(text.into_owned())),
                Value::Number(number) => (name.to_owned(), SimpleValue::Long(number)),
            })
            .collect();
        expected.push((ID_HEADER.to_owned(), SimpleValue::Long(9)));
        let headers = read.application_properties().unwrap();
        assert_eq!(headers.len(), expected.len());
        for (name, value) in expected {
            assert_eq!(headers.get(&name), Some(&value), "{name}");
        }
        let properties = read.properties().unwrap();
        assert_eq!(
            properties.message_id,
            Some(message.message_id.to_string().into())
        );
        assert_eq!(properties.content_type, Some("application/json".into()));
        assert_eq!(properties.content_encoding, Some("gzip".into()));
        assert_eq!(properties.group_id.as_deref(), Some("cdc"));
        assert!(format!("{:?}", properties.creation_time).contains("1970-01-01T00:00:07Z"));
        let annotations = read.message_annotations().unwrap();
        assert_eq!(annotations.get(TYPE), Some(&"insert".into()));
        assert_eq!(read.data(), Some(message.body.as_slice()));
    }
}
