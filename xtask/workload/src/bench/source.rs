//! The floor of reading: drains a change stream and does nothing with what it reads.

use std::time::Duration;

use anyhow::{Context, Result};
use bson::{RawBsonRef, Timestamp, doc};
use futures_util::StreamExt;
use mongodb::{
    Client,
    raw_batch_cursor::{RawBatch, RawBatchCursor},
};
use tokio::time::timeout;

use super::child;
use crate::store;

/// Events per read, as the engine asks for.
const BATCH_EVENTS: u32 = 1_000;
/// Longest wait for news.
const READ_LIMIT: Duration = Duration::from_secs(60);

/// What to drain.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Connection string of the replica set
    #[arg(long, env = "CDC_BENCH_MONGO_URI", hide_env_values = true)]
    pub mongo_uri: String,
    /// Database to watch
    #[arg(long)]
    pub database: String,
    /// Cluster time to begin at, as seconds:increment
    #[arg(long, value_parser = timestamp)]
    pub from: Timestamp,
    /// Events to read
    #[arg(long)]
    pub count: u64,
}

/// Reads that many events.
///
/// # Errors
/// If the server is not there, or has fewer events.
pub async fn run(args: &Args) -> Result<()> {
    let options = store::parse(&args.mongo_uri).await?;
    let client = Client::with_options(options).context("set up the mongodb client")?;
    let mut replies = watch(&client, &args.database, Some(args.from)).await?;
    let mut read = 0;
    while read < args.count {
        let reply = timeout(READ_LIMIT, next(&mut replies)).await;
        let reply = reply.with_context(|| format!("nothing came after {read} events"))??;
        for event in events(&reply)? {
            event?;
            read += 1;
        }
    }
    child::done();
    Ok(())
}

/// The inserts of a database, as the engine asks for them and in the server's own replies, as it reads them: from that
/// time on, or from now on.
pub(super) async fn watch(
    client: &Client,
    database: &str,
    from: Option<Timestamp>,
) -> Result<RawBatchCursor> {
    let mut stage = doc! {};
    if let Some(time) = from {
        stage.insert("startAtOperationTime", time);
    }
    let pipeline = [
        doc! { "$changeStream": stage },
        doc! { "$match": { "operationType": { "$in": ["insert", "invalidate"] } } },
    ];
    let database = client.database(database);
    let watching = database
        .aggregate(pipeline)
        .batch_size(BATCH_EVENTS)
        .max_await_time(Duration::from_secs(1))
        .batch();
    store::answer("open the change stream", READ_LIMIT, watching).await
}

/// The next reply with events: without news the server answers with nothing after a while.
pub(super) async fn next(replies: &mut RawBatchCursor) -> Result<RawBatch> {
    loop {
        let reply = replies
            .next()
            .await
            .context("the change stream has ended")?;
        let reply = reply.context("read the change stream")?;
        if events(&reply)?.next().is_some() {
            return Ok(reply);
        }
    }
}

/// The events of `reply`.
pub(super) fn events(reply: &RawBatch) -> Result<impl Iterator<Item = Result<RawBsonRef<'_>>>> {
    let events = reply.doc_slices().context("read the change stream")?;
    let events = events.into_iter();
    Ok(events.map(|event| event.context("read the change stream")))
}

/// A cluster time as `seconds:increment`.
pub(super) fn timestamp(text: &str) -> Result<Timestamp, String> {
    let parse = || {
        let (time, increment) = text.split_once(':')?;
        Some(Timestamp {
            time: time.parse().ok()?,
            increment: increment.parse().ok()?,
        })
    };
    parse().ok_or_else(|| "a cluster time is seconds:increment".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_time_has_two_parts() {
        let time = timestamp("1795487294:2").unwrap();
        assert_eq!((time.time, time.increment), (1_795_487_294, 2));
        assert!(timestamp("1795487294").is_err());
        assert!(timestamp("a:1").is_err());
    }
}
