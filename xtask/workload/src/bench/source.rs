//! The floor of reading: drains a change stream and does nothing with what it reads.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bson::{RawDocumentBuf, Timestamp, doc};
use futures_util::StreamExt;
use mongodb::{Client, change_stream::ChangeStream};
use tokio::time::timeout;

use super::child;
use crate::store;

/// Events per read, as the engine asks for.
const BATCH_EVENTS: u32 = 1_000;
/// Longest wait for one event.
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
    let mut events = watch(&client, &args.database, Some(args.from)).await?;
    for number in 0..args.count {
        match timeout(READ_LIMIT, events.next()).await {
            Ok(Some(event)) => drop(event.context("read the change stream")?),
            Ok(None) => bail!("the change stream ended after {number} events"),
            Err(_) => bail!("nothing came after {number} events"),
        }
    }
    child::done();
    Ok(())
}

/// The inserts of a database, as the engine asks for them: from that time on, or from now on.
pub(super) async fn watch(
    client: &Client,
    database: &str,
    from: Option<Timestamp>,
) -> Result<ChangeStream<RawDocumentBuf>> {
    let inserts = doc! { "$match": { "operationType": { "$in": ["insert", "invalidate"] } } };
    let database = client.database(database);
    let watching = database
        .watch()
        .pipeline([inserts])
        .batch_size(BATCH_EVENTS)
        .max_await_time(Duration::from_secs(1));
    let watching = match from {
        Some(time) => watching.start_at_operation_time(time),
        None => watching,
    };
    let stream = timeout(READ_LIMIT, watching.into_future()).await;
    let stream = stream.context("mongodb does not answer")?;
    Ok(stream
        .map_err(|error| anyhow::anyhow!(store::brief(&error)).context("open the change stream"))?
        .with_type())
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
