//! The two paths: through the engine, and what is left of it without the engine.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bson::RawDocumentBuf;
use futures_util::StreamExt;
use lapin::{
    Channel, Consumer,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use mongodb::{Collection, raw_batch_cursor::RawBatchCursor};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use super::{arrivals::Arrivals, load::Load};
use crate::{
    bench::{
        document::{self, COLLECTION, Shape},
        queue::{self, Queue, answer},
        report::Queue as Kind,
        sink,
        site::{STOP_LIMIT, Site},
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

/// Insert to consumer, with the engine in between; microseconds by number.
pub(super) async fn through_engine(site: &Site, load: &Load) -> Result<Vec<u64>> {
    let database = queue::name();
    let queue = Queue::declare(&site.amqp_uri, Kind::Classic).await?;
    let deliveries = queue.listen().await?;
    let (engine, _) = site.ready_engine(&database, &queue).await?;
    let micros = delivered(&collection(site, &database), deliveries, load).await?;
    engine.process.terminate(STOP_LIMIT).await?;
    queue.delete().await;
    site.drop_database(&database).await?;
    Ok(micros)
}

/// Insert to consumer, with an engine in between that works already; microseconds by number.
pub(super) async fn delivered(
    collection: &Collection<RawDocumentBuf>,
    deliveries: Consumer,
    load: &Load,
) -> Result<Vec<u64>> {
    let start = Instant::now() + LEAD;
    let inserting = insert(collection, load, start);
    let (arrivals, ()) = tokio::try_join!(consume(deliveries, load), inserting)?;
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
    let collection = collection(site, &database);
    let start = Instant::now() + LEAD;
    // Between the inserts, as the engine's publishes are.
    let later = start + load.due(load.warm_up()) / (2 * load.per_second);
    let (read, (), consumed, ()) = tokio::try_join!(
        read(events, load),
        insert(&collection, load, start),
        consume(deliveries, load),
        publish(channel, &queue.name, load, later),
    )?;
    let closing = connection.close(200, ShortString::from("done"));
    timeout(broker::ANSWER_TIMEOUT, closing).await.ok();
    queue.delete().await;
    site.drop_database(&database).await?;
    let legs = (read.micros(load, start), consumed.micros(load, later));
    let sums = legs.0.iter().zip(&legs.1);
    Ok(sums.map(|(read, consumed)| read + consumed).collect())
}

fn collection(site: &Site, database: &str) -> Collection<RawDocumentBuf> {
    site.client.database(database).collection(COLLECTION)
}

/// Inserts each group when it is due, whatever becomes of those before it.
async fn insert(
    collection: &Collection<RawDocumentBuf>,
    load: &Load,
    start: Instant,
) -> Result<()> {
    let shape = Shape::new(load.size);
    when_due(load.ticks(start), |numbers| {
        let documents = shape.documents(numbers.start as u64..numbers.end as u64);
        let collection = collection.clone();
        async move {
            let inserting = collection.insert_many(documents?);
            store::answer("insert", INSERT_LIMIT, inserting).await?;
            Ok(())
        }
    })
    .await
}

/// Publishes each group when it is due, as the engine would.
async fn publish(channel: Channel, queue: &str, load: &Load, start: Instant) -> Result<()> {
    let shape = Shape::new(load.size);
    let queue = ShortString::from(queue);
    when_due(load.ticks(start), |numbers| {
        let (shape, channel, queue) = (shape.clone(), channel.clone(), queue.clone());
        async move {
            let publishes = numbers.map(|number| publish_one(&channel, &queue, &shape, number));
            futures_util::future::try_join_all(publishes).await?;
            Ok(())
        }
    })
    .await
}

/// Begins what `work` makes of each group when it is due, and waits for all of it, each of which has a deadline.
async fn when_due<W>(
    mut ticks: mpsc::Receiver<Range<usize>>,
    work: impl Fn(Range<usize>) -> W,
) -> Result<()>
where
    W: Future<Output = Result<()>> + Send + 'static,
{
    let mut works = JoinSet::new();
    while let Some(numbers) = ticks.recv().await {
        works.spawn(work(numbers));
        while let Some(outcome) = works.try_join_next() {
            outcome.context("a task failed")??;
        }
    }
    works.join_all().await.into_iter().collect()
}

async fn publish_one(
    channel: &Channel,
    queue: &ShortString,
    shape: &Shape,
    number: usize,
) -> Result<()> {
    let mut body = Vec::new();
    shape.write_body(number as u64, &mut body);
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let properties = sink::full(number as u64);
    let exchange = ShortString::default();
    let publishing = channel.basic_publish(exchange, queue.clone(), options, &body, properties);
    let confirm = answer("publish", publishing).await?;
    sink::check(&answer("wait for a confirm", confirm).await?)
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
