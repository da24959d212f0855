//! Takes every message out of the queue, in order, and survives whatever happens to the broker.
//!
//! A message is acknowledged after it was recorded. What the broker hands over once more, because the
//! acknowledgement was lost with the connection, was recorded already and says so (`redelivered`). A stream hands over what
//! comes after the last message that was recorded; a silent one is asked anew, since RabbitMQ does not tell a consumer that
//! its copy of the stream has stopped.

use std::{rc::Rc, time::Duration};

use anyhow::Result;
use futures_util::StreamExt;
use lapin::{
    message::Delivery,
    options::BasicAckOptions,
    types::{AMQPValue, ShortString},
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    QueueType, copy,
    decode::{self, Raw},
    queue::{self, Queue},
    record::Record,
};

/// Longest silence between two looks at whether the run is over.
const LISTEN: Duration = Duration::from_millis(200);
/// Longest silence of a stream until it is asked anew.
const STREAM_SILENCE: Duration = Duration::from_secs(5);
/// Pause before a lost connection is made anew.
const RETRY: Duration = Duration::from_millis(50);
/// Longest wait for an acknowledgement to leave: where the connection breaks meanwhile, it never does.
const ACK_LIMIT: Duration = Duration::from_secs(1);

/// Records everything that arrives in one of the queues until the run is over.
pub(super) async fn consume(
    record: Rc<Record>,
    queue: Queue,
    partition: u16,
    database: String,
) -> Result<()> {
    // Of a stream, which keeps what was taken.
    let mut next = 0;
    while !record.is_over() {
        let Ok((connection, mut deliveries)) = queue.consume(partition, next).await else {
            sleep(RETRY).await;
            continue;
        };
        let mut heard = Instant::now();
        while !record.is_over() {
            match timeout(LISTEN, deliveries.next()).await {
                Err(_) if queue.kind == QueueType::Stream && STREAM_SILENCE < heard.elapsed() => {
                    break;
                }
                Err(_) => {}
                Ok(Some(Ok(delivery))) => {
                    heard = Instant::now();
                    note(&record, &delivery, partition, &database);
                    next = offset(&delivery).map_or(next, |offset| offset + 1);
                    let ack = delivery.ack(BasicAckOptions::default());
                    if !matches!(timeout(ACK_LIMIT, ack).await, Ok(Ok(_))) {
                        break;
                    }
                }
                Ok(Some(Err(_)) | None) => break,
            }
        }
        queue::close(connection).await;
    }
    Ok(())
}

/// Where in a stream a message is; none in another queue.
fn offset(delivery: &Delivery) -> Option<i64> {
    let headers = delivery.properties.headers().as_ref()?;
    match headers.inner().get(queue::OFFSET)? {
        AMQPValue::LongLongInt(offset) => Some(*offset),
        _ => None,
    }
}

fn note(record: &Record, delivery: &Delivery, partition: u16, database: &str) {
    let properties = &delivery.properties;
    let text =
        |value: &Option<ShortString>| value.as_ref().map(ToString::to_string).unwrap_or_default();
    let id = text(properties.message_id());
    let operation = text(properties.kind());
    let raw = Raw {
        body: &delivery.data,
        id: &id,
        operation: &operation,
        partition,
        redelivered: delivery.redelivered,
    };
    let now = record.now();
    if let Some(copy) = &record.copy
        && copy::receive(copy, record, &id, &delivery.data, database)
    {
        return;
    }
    let message = decode::decode(raw, database);
    let mut ledger = record.ledger.borrow_mut();
    match message {
        Ok(message) => {
            if let Some(sent) = ledger.received(&message, now) {
                let sample = record.recovery.borrow_mut().delivered(sent, now);
                if let Some(sample) = sample {
                    record.tell(&format!("    {sample}"));
                }
            }
        }
        Err(what) => ledger.received_foreign(what, now),
    }
}
