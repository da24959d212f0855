//! A message's envelope as the sections of an AMQP 1.0 message: those that the broker makes of the properties and headers
//! of AMQP 0-9-1 (<https://www.rabbitmq.com/docs/conversions>), so that a consumer sees the same either way.

use chrono::DateTime;

use super::ID_HEADER;
use crate::{
    message::{Message, Value},
    rabbitmq::stream,
};

/// The annotation that stands for the property `type`, which AMQP 1.0 does not have.
const TYPE: &str = "x-basic-type";

/// `message` as it is stored, with the publishing id `id`.
pub(super) fn of(message: &Message, id: u64) -> stream::Message {
    let seconds = i64::try_from(message.seconds()).unwrap_or_default();
    let mut properties = stream::Message::builder()
        .body(message.body.as_slice())
        .properties()
        .message_id(message.message_id.to_string())
        .content_type(message.content_type)
        // For `app_id`.
        .group_id("cdc");
    if let Some(time) = DateTime::from_timestamp(seconds, 0) {
        properties = properties.creation_time(time);
    }
    if let Some(encoding) = message.content_encoding {
        properties = properties.content_encoding(encoding);
    }
    let mut headers = properties
        .message_builder()
        .message_annotations()
        .insert(TYPE, message.operation.as_str())
        .message_builder()
        .application_properties()
        .insert(ID_HEADER, i64::try_from(id).unwrap_or(i64::MAX));
    for (name, value) in message.headers() {
        headers = match value {
            Value::Text(text) => headers.insert(name, text.into_owned()),
            Value::Number(number) => headers.insert(name, number),
        };
    }
    headers.message_builder().build()
}
