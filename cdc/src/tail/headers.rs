//! What the headers of a message say.

use lapin::{message::Delivery, types::AMQPValue};

/// A header that is text.
pub(super) fn text<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a str> {
    match value(delivery, name)? {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
        AMQPValue::ShortString(text) => Some(text.as_str()),
        _ => None,
    }
}

/// A header that is a whole number.
pub(super) fn integer(delivery: &Delivery, name: &str) -> Option<i64> {
    match value(delivery, name)? {
        AMQPValue::LongLongInt(value) => Some(*value),
        AMQPValue::LongInt(value) => Some(i64::from(*value)),
        AMQPValue::LongUInt(value) => Some(i64::from(*value)),
        AMQPValue::Timestamp(value) => i64::try_from(*value).ok(),
        _ => None,
    }
}

/// How often a quorum queue has given `delivery` out before; other queues do not count.
pub(super) fn given_out(delivery: &Delivery) -> Option<i64> {
    integer(delivery, "x-delivery-count").or_else(|| integer(delivery, "x-acquired-count"))
}

fn value<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a AMQPValue> {
    let headers = delivery.properties.headers().as_ref()?;
    headers.inner().get(name)
}
