//! Documents that lie in a database and wait to be read.

use std::time::Duration;

use anyhow::{Context, Result};
use bson::{Document, RawDocumentBuf, Timestamp, doc};
use mongodb::{Client, Collection, options::WriteConcern};

use super::{
    document::{COLLECTION, Shape},
    queue::{self, Queue},
    report::Queue as Kind,
    site::{STOP_LIMIT, Site},
};
use crate::store;

/// Most documents in one insert command.
const BATCH: u64 = 1_000;
/// Most bytes in one insert command.
const BATCH_BYTES: u64 = 8 << 20;
/// Longest wait for one insert command.
const INSERT_LIMIT: Duration = Duration::from_secs(120);

/// A database with nothing but numbered documents, inserted in the order of their numbers.
#[derive(Debug, Clone)]
pub(super) struct Backlog {
    /// The database.
    pub(super) database: String,
    /// Cluster time before the first insert.
    pub(super) from: Timestamp,
    /// The checkpoint from which an engine reads all of it.
    pub(super) checkpoint: Document,
}

impl Backlog {
    /// Inserts `count` documents of so many `bytes`; all members that make a majority have them when this returns.
    pub(super) async fn insert(site: &Site, count: u64, bytes: u64) -> Result<Self> {
        Self::insert_into(site, queue::name(), count, bytes).await
    }

    /// The same, into `database`.
    pub(super) async fn insert_into(
        site: &Site,
        database: String,
        count: u64,
        bytes: u64,
    ) -> Result<Self> {
        // An engine that runs for a moment leaves a checkpoint that says "now".
        let queue = Queue::declare(&site.amqp_uri, Kind::Classic).await?;
        let (engine, _) = site.ready_engine(&database, &queue).await?;
        engine.process.terminate(STOP_LIMIT).await?;
        let checkpoint = site.checkpoint(&queue).await?;
        queue.delete().await;
        let from = cluster_time(&site.client).await?;
        let shape = Shape::new(bytes);
        let collection: Collection<RawDocumentBuf> =
            site.client.database(&database).collection(COLLECTION);
        let batch = BATCH.min(BATCH_BYTES / bytes.max(1)).max(1);
        let mut first = 0;
        while first < count {
            let end = count.min(first + batch);
            // The last one waits for the majority, and with it all before it.
            let concern = if end == count {
                WriteConcern::majority()
            } else {
                WriteConcern::nodes(1)
            };
            let inserting = collection.insert_many(shape.documents(first..end)?);
            let inserting = inserting.ordered(true).write_concern(concern);
            store::answer("insert the backlog", INSERT_LIMIT, inserting).await?;
            first = end;
        }
        Ok(Self {
            database,
            from,
            checkpoint,
        })
    }
}

/// The cluster's time now: what is inserted later comes after it.
pub(super) async fn cluster_time(client: &Client) -> Result<Timestamp> {
    let admin = client.database("admin");
    let ping = admin.run_command(doc! { "ping": 1 });
    let answer = store::answer("ask for the time", store::ANSWER_TIMEOUT, ping).await?;
    let time = answer.get_timestamp("operationTime");
    time.context("the server says no cluster time: it is no member of a replica set")
}
