//! A message's envelope as AMQP properties and headers.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::message::{Message, Target, Value};

/// Delivery mode of a message that survives a broker's restart.
const PERSISTENT: u8 = 2;

/// What messages have beside what is their own. What is parked has none of it: it waits for a person.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Time after which the broker drops a message that nobody has taken, in milliseconds.
    pub expiration_ms: Option<u32>,
    /// Priority in a queue that has any.
    pub priority: Option<u8>,
}

/// The properties of `message`.
pub(super) fn of(message: &Message, marks: &Marks) -> BasicProperties {
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
    let properties = match message.content_encoding {
        Some(encoding) => properties.with_content_encoding(encoding.into()),
        None => properties,
    };
    match message.target {
        Target::Main(_) => marks.put_on(properties),
        Target::Parked => properties,
    }
}

impl Marks {
    fn put_on(&self, properties: BasicProperties) -> BasicProperties {
        let properties = match self.expiration_ms {
            Some(ms) => properties.with_expiration(ms.to_string().into()),
            None => properties,
        };
        match self.priority {
            Some(priority) => properties.with_priority(priority),
            None => properties,
        }
    }
}

fn amqp(value: Value<'_>) -> AMQPValue {
    match value {
        Value::Text(text) => AMQPValue::LongString(text.into_owned().into()),
        Value::Number(number) => AMQPValue::LongLongInt(number),
    }
}
