//! Documents that lie in a database and wait to be read.

use std::time::Duration;

use anyhow::{Context, Result};
use bson::{Document, RawDocumentBuf, Timestamp, doc};
use mongodb::{
    Client, Collection, Database,
    options::{InsertManyOptions, WriteConcern},
};
use tokio::time::timeout;

use super::{
    document::{COLLECTION, Shape},
    schedule::Extent,
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
    /// Bytes of one document's BSON.
    pub(super) size: u64,
    /// Cluster time before the first insert.
    pub(super) from: Timestamp,
}

impl Backlog {
    /// Inserts as many documents as `extent` says; all members that make a majority have them when this returns.
    pub(super) async fn insert(
        client: &Client,
        database: &str,
        from: Timestamp,
        Extent { count, size }: Extent,
    ) -> Result<Self> {
        let shape = Shape::new(size);
        let collection: Collection<RawDocumentBuf> =
            client.database(database).collection(COLLECTION);
        let batch = BATCH.min(BATCH_BYTES / size.max(1)).max(1);
        let mut first = 0;
        while first < count {
            let end = count.min(first + batch);
            let documents = documents(&shape, first, end)?;
            // The last one waits for the majority, and with it all before it.
            let concern = if end == count {
                WriteConcern::majority()
            } else {
                WriteConcern::nodes(1)
            };
            insert(&collection, documents, concern).await?;
            first = end;
        }
        Ok(Self {
            database: database.to_owned(),
            size,
            from,
        })
    }

    /// Deletes it.
    pub(super) async fn delete(&self, client: &Client) -> Result<()> {
        let database: Database = client.database(&self.database);
        let dropping = timeout(INSERT_LIMIT, database.drop().into_future());
        let dropped = dropping.await.context("the database cannot be dropped")?;
        dropped.map_err(|error| anyhow::anyhow!(store::brief(&error)))
    }
}

/// The cluster's time now: what is inserted later comes after it.
pub(super) async fn cluster_time(client: &Client) -> Result<Timestamp> {
    let admin = client.database("admin");
    let ping = admin.run_command(doc! { "ping": 1 });
    let answer = timeout(store::ANSWER_TIMEOUT, ping.into_future());
    let answer: Document = answer.await.context("mongodb does not answer")??;
    answer
        .get_timestamp("operationTime")
        .context("the server says no cluster time: it is no member of a replica set")
}

fn documents(shape: &Shape, first: u64, end: u64) -> Result<Vec<RawDocumentBuf>> {
    let raw = |number| RawDocumentBuf::try_from(&shape.document(number));
    let documents: Result<_, _> = (first..end).map(raw).collect();
    documents.context("make the documents")
}

async fn insert(
    collection: &Collection<RawDocumentBuf>,
    documents: Vec<RawDocumentBuf>,
    concern: WriteConcern,
) -> Result<()> {
    let mut options = InsertManyOptions::default();
    options.ordered = Some(true);
    options.write_concern = Some(concern);
    let inserting = collection.insert_many(documents).with_options(options);
    let inserted = timeout(INSERT_LIMIT, inserting.into_future());
    let inserted = inserted.await.context("an insert takes too long")?;
    inserted
        .map(|_| ())
        .map_err(|error| anyhow::anyhow!(store::brief(&error)).context("insert the backlog"))
}
