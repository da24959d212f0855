//! AMQP properties and headers of a message.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::{message::Message, position::time_text};

/// Delivery mode of a message that survives a broker's restart.
const PERSISTENT: u8 = 2;

/// The properties of `message`, which is meant for `exchange`.
pub(super) fn of(message: &Message, exchange: &str) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert("cdc-namespace".into(), long(message.namespace.as_str()));
    headers.insert("cdc-operation".into(), long(message.operation.as_str()));
    headers.insert(
        "cdc-cluster-time".into(),
        long(time_text(message.cluster_time)),
    );
    if let Some(wall_time_ms) = message.wall_time_ms {
        headers.insert(
            "cdc-wall-time-ms".into(),
            AMQPValue::LongLongInt(wall_time_ms),
        );
    }
    if let Some(bytes) = message.trimmed_bytes {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        headers.insert("cdc-trimmed-bytes".into(), AMQPValue::LongLongInt(bytes));
    }
    if let Some(parked) = &message.parked {
        headers.insert("cdc-park-reason".into(), long(parked.reason.as_str()));
        headers.insert("cdc-park-detail".into(), long(parked.detail.as_str()));
        headers.insert("cdc-park-exchange".into(), long(exchange));
        headers.insert("cdc-park-routing-key".into(), long(&*message.routing_key));
    }
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type(message.content.media_type().into())
        .with_message_id(message.message_id.to_string().into())
        .with_timestamp(seconds(message))
        .with_type(ShortString::from(message.operation.as_str()))
        .with_app_id("cdc".into())
        .with_headers(headers)
}

/// Wall time in whole seconds, as AMQP wants it; the cluster time's seconds where the server gives no wall time.
fn seconds(message: &Message) -> u64 {
    let seconds = message.wall_time_ms.map(|millis| millis.div_euclid(1000));
    seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .unwrap_or_else(|| u64::from(message.cluster_time.time))
}

fn long(text: impl Into<String>) -> AMQPValue {
    AMQPValue::LongString(text.into().into())
}
