//! The two paths: through the engine, and what is left of it without the engine.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bson::RawDocumentBuf;
use futures_util::StreamExt;
use lapin::{
    Channel, Confirmation, Consumer,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use mongodb::{Collection, raw_batch_cursor::RawBatchCursor};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use super::{arrivals::Arrivals, load::Load};
use crate::{
    bench::{
        document::{self, COLLECTION, Shape},
        engine::{Job, STOP_LIMIT},
        queue::{self, Queue, answer},
        report::Queue as Kind,
        schedule::DOCUMENT,
        sink,
        site::Site,
        source,
    },
    broker, store,
};

/// Longest silence before everything has arrived.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// Time to get ready before the first document is due.
const LEAD: Duration = Duration::from_millis(100);
/// Longest time for one insert.
const INSERT_LIMIT: Duration = Duration::from_secs(30);

type Ticks = mpsc::Receiver<Range<usize>>;

/// Insert to consumer, with the engine in between; microseconds by number.
pub(super) async fn through_engine(site: &Site, load: &Load) -> Result<Vec<u64>> {
    let database = queue::name();
    let queue = Queue::declare(&site.amqp_uri, Kind::Classic).await?;
    let deliveries = queue.listen().await?;
    let engine = site.engines.start_ready(Job {
        pipeline: &queue.name,
        database: &database,
        queue: &queue.name,
        kind: queue.kind,
        format: DOCUMENT,
    });
    let (engine, _) = engine.await?;
    let start = Instant::now() + LEAD;
    let inserting = insert(site, &database, load, load.ticks(start));
    let (arrivals, ()) = tokio::try_join!(consume(deliveries, load), inserting)?;
    engine.process.terminate(STOP_LIMIT).await?;
    queue.delete().await;
    drop_database(site, &database).await?;
    Ok(arrivals.micros(load, start))
}

/// Insert to change event, plus publish to consumer: what the servers take of the same path, both at the same time so
/// that both are as busy as with the engine; microseconds by number.
pub(super) async fn without_engine(site: &Site, load: &Load) -> Result<Vec<u64>> {
    let database = queue::name();
    let queue = Queue::declare(&site.amqp_uri, Kind::Classic).await?;
    let deliveries = queue.listen().await?;
    let events = source::watch(&site.client, &database, None).await?;
    let connection = broker::open(queue::parse(&site.amqp_uri)?).await?;
    let channel = answer("open a channel", connection.create_channel()).await?;
    let confirms = channel.confirm_select(ConfirmSelectOptions::default());
    answer("ask for confirms", confirms).await?;
    let start = Instant::now() + LEAD;
    // Between the inserts, as the engine's publishes are.
    let later = start + load.due(load.warm_up()) / (2 * load.per_second);
    let (read, (), consumed, ()) = tokio::try_join!(
        read(events, load),
        insert(site, &database, load, load.ticks(start)),
        consume(deliveries, load),
        publish(channel, &queue.name, load, load.ticks(later)),
    )?;
    let closing = connection.close(200, ShortString::from("done"));
    timeout(broker::ANSWER_TIMEOUT, closing).await.ok();
    queue.delete().await;
    drop_database(site, &database).await?;
    let legs = (read.micros(load, start), consumed.micros(load, later));
    let sums = legs.0.iter().zip(&legs.1);
    Ok(sums.map(|(read, consumed)| read + consumed).collect())
}

/// Inserts each group when it is due, whatever becomes of those before it.
async fn insert(site: &Site, database: &str, load: &Load, mut ticks: Ticks) -> Result<()> {
    let database = site.client.database(database);
    let collection: Collection<RawDocumentBuf> = database.collection(COLLECTION);
    let shape = Shape::new(load.size);
    let mut inserts = JoinSet::new();
    while let Some(numbers) = ticks.recv().await {
        let raw = |number| RawDocumentBuf::try_from(&shape.document(number as u64));
        let documents: Result<Vec<_>, _> = numbers.map(raw).collect();
        let documents = documents.context("make the documents")?;
        let collection = collection.clone();
        inserts.spawn(async move {
            let inserting = collection.insert_many(documents);
            timeout(INSERT_LIMIT, inserting.into_future()).await
        });
        while let Some(outcome) = inserts.try_join_next() {
            check_insert(outcome)?;
        }
    }
    while let Some(outcome) = inserts.join_next().await {
        check_insert(outcome)?;
    }
    Ok(())
}

type Inserted = mongodb::error::Result<mongodb::results::InsertManyResult>;

fn check_insert(
    outcome: Result<Result<Inserted, tokio::time::error::Elapsed>, tokio::task::JoinError>,
) -> Result<()> {
    let inserted = outcome.context("an insert failed")?;
    let inserted = inserted.context("an insert takes too long")?;
    inserted
        .map(|_| ())
        .map_err(|error| anyhow::anyhow!(store::brief(&error)).context("insert"))
}

/// Publishes each group when it is due, as the engine would.
async fn publish(channel: Channel, queue: &str, load: &Load, mut ticks: Ticks) -> Result<()> {
    let shape = Shape::new(load.size);
    let queue = ShortString::from(queue);
    let mut publishes = JoinSet::new();
    while let Some(numbers) = ticks.recv().await {
        for number in numbers {
            let mut body = Vec::new();
            shape.write_body(number as u64, &mut body);
            let (channel, queue) = (channel.clone(), queue.clone());
            publishes.spawn(publish_one(channel, queue, number, body));
        }
        while let Some(outcome) = publishes.try_join_next() {
            outcome.context("a publish failed")??;
        }
    }
    // Each of them has a deadline.
    publishes.join_all().await.into_iter().collect()
}

async fn publish_one(
    channel: Channel,
    queue: ShortString,
    number: usize,
    body: Vec<u8>,
) -> Result<()> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let properties = sink::full(number as u64);
    let exchange = ShortString::default();
    let publishing = channel.basic_publish(exchange, queue, options, &body, properties);
    let confirm = answer("publish", publishing).await?;
    let confirm = answer("wait for a confirm", confirm).await?;
    ensure!(
        confirm == Confirmation::Ack(None),
        "the broker did not take a message: {confirm:?}"
    );
    Ok(())
}

/// Takes messages until all have arrived.
async fn consume(mut deliveries: Consumer, load: &Load) -> Result<Arrivals> {
    let mut arrivals = Arrivals::new(load);
    while 0 < arrivals.left() {
        let delivery = timeout(SILENCE_LIMIT, deliveries.next()).await;
        let moment = Instant::now();
        let delivery = delivery.with_context(|| missing(&arrivals))?;
        let delivery = delivery.context("the queue is gone")?;
        let delivery = delivery.context("read a queue")?;
        let number = document::number_at_front(&delivery.data);
        let number = number.context("a message without a number arrived")?;
        arrivals.note(usize::try_from(number)?, moment);
    }
    Ok(arrivals)
}

/// Reads change events until all have arrived.
async fn read(mut replies: RawBatchCursor, load: &Load) -> Result<Arrivals> {
    let mut arrivals = Arrivals::new(load);
    while 0 < arrivals.left() {
        let reply = timeout(SILENCE_LIMIT, source::next(&mut replies)).await;
        let moment = Instant::now();
        let reply = reply.with_context(|| missing(&arrivals))??;
        for event in source::events(&reply)? {
            let number = event?
                .as_document()
                .and_then(|event| event.get_document("fullDocument").ok())
                .and_then(|document| document.get_i64("number").ok());
            let number = number.context("an event without a number arrived")?;
            arrivals.note(usize::try_from(number)?, moment);
        }
    }
    Ok(arrivals)
}

fn missing(arrivals: &Arrivals) -> String {
    format!("{} documents have not arrived", arrivals.left())
}

async fn drop_database(site: &Site, name: &str) -> Result<()> {
    let database = site.client.database(name);
    let dropped = timeout(SILENCE_LIMIT, database.drop().into_future()).await;
    let dropped = dropped.context("the database cannot be dropped")?;
    dropped.map_err(|error| anyhow::anyhow!(store::brief(&error)))
}
