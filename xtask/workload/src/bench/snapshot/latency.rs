//! What changes wait for, with a snapshot beside them or without.
//!
//! Changes and documents that are read go to queues of their own, so that the consumer takes the changes alone.

use anyhow::Result;
use bson::RawDocumentBuf;
use harness::Engine;
use mongodb::Collection;

use super::Documents;
use crate::{
    bench::{
        document::COLLECTION,
        latency::{self, Load},
        queue::{self, Queue},
        report::{Latency, Queue as Kind},
        schedule::DOCUMENT,
        site::{START_LIMIT, STOP_LIMIT, Site},
    },
    store::{self, ANSWER_TIMEOUT},
};

/// Collection of the changes.
const LIVE: &str = "live";

/// Measures once; none where the snapshot was over before the changes were.
pub(super) async fn measure(
    site: &Site,
    documents: &Documents,
    load: &Load,
    with_snapshot: bool,
) -> Result<Option<Latency>> {
    let exchange = queue::name();
    let queues = [LIVE, COLLECTION].map(|key| bound(site, &exchange, key));
    let [live, reads] = queues;
    let (live, reads) = tokio::try_join!(live, reads)?;
    let deliveries = live.listen().await?;
    let mut engine = start(site, documents, (&exchange, &live), with_snapshot)?;
    engine.leads(START_LIMIT).await?;
    let database = site.client.database(&documents.backlog.database);
    let collection: Collection<RawDocumentBuf> = database.collection(LIVE);
    let found = latency::beside(&collection, deliveries, load).await?;
    let was_beside = is_under_way(site, &live).await? == with_snapshot;
    engine.process.terminate(STOP_LIMIT).await?;
    for queue in [live, reads] {
        queue.delete().await;
    }
    store::answer("drop a collection", ANSWER_TIMEOUT, collection.drop()).await?;
    Ok(was_beside.then_some(found))
}

/// A queue that takes the messages of one collection.
async fn bound(site: &Site, exchange: &str, key: &str) -> Result<Queue> {
    let queue = Queue::declare(&site.amqp_uri, Kind::Classic).await?;
    queue.bind(exchange, key).await?;
    Ok(queue)
}

fn start(
    site: &Site,
    documents: &Documents,
    (exchange, queue): (&str, &Queue),
    with_snapshot: bool,
) -> Result<Engine> {
    let mut command = site.engine_command(&documents.backlog.database, queue, DOCUMENT);
    command
        .env("RABBITMQ_EXCHANGE", exchange)
        .env("RABBITMQ_ROUTING_KEY", "{collection}");
    if with_snapshot {
        command.env("CDC_SNAPSHOT", "initial");
    }
    Engine::start(&mut command)
}

/// Whether the engine whose pipeline has the name of `queue` has a snapshot to go on with.
async fn is_under_way(site: &Site, queue: &Queue) -> Result<bool> {
    let checkpoint = site.checkpoint(queue).await?;
    let snapshot = checkpoint.get_document("snapshot");
    Ok(snapshot.is_ok_and(|snapshot| snapshot.get_document("run").is_ok()))
}
