//! A message's envelope as AMQP properties and headers.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::message::{Message, Value};

/// Delivery mode of a message that survives a broker's restart.
const PERSISTENT: u8 = 2;

/// The properties of `message`.
pub(super) fn of(message: &Message) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in message.headers() {
        headers.insert(name.into(), amqp(value));
    }
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type(message.content_type.into())
        .with_message_id(message.message_id.to_string().into())
        .with_timestamp(message.seconds())
        .with_type(ShortString::from(message.operation.as_str()))
        .with_app_id("cdc".into())
        .with_headers(headers);
    match message.content_encoding {
        Some(encoding) => properties.with_content_encoding(encoding.into()),
        None => properties,
    }
}

fn amqp(value: Value<'_>) -> AMQPValue {
    match value {
        Value::Text(text) => AMQPValue::LongString(text.into_owned().into()),
        Value::Number(number) => AMQPValue::LongLongInt(number),
    }
}
