//! Inserts a batch so that each document is there once, whatever happens on the way.

use std::time::Duration;

use anyhow::{Context, Result};
use bson::Document;
use mongodb::{
    Client, Collection,
    error::{Error, ErrorKind, InsertManyError},
    options::{CollectionOptions, WriteConcern},
};
use tokio::time::{Instant, sleep};

use crate::{settings::Settings, store};

/// How long a batch is tried again: a failover takes some 10 to 20 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pause before a batch is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Server error codes.
const DUPLICATE_KEY: i32 = 11_000;
const UNAUTHORIZED: i32 = 13;

/// A collection of the watched database whose inserts wait for the majority.
pub fn collection(client: &Client, settings: &Settings, name: &str) -> Collection<Document> {
    let mut options = CollectionOptions::default();
    options.write_concern = Some(WriteConcern::majority());
    store::watched(client, settings).collection_with_options(name, options)
}

/// Inserts `documents` in order and returns once the majority has all of them.
///
/// Every document carries its own `_id`, so what an earlier try has inserted is recognised.
///
/// # Errors
/// If the server refuses, or is not back after a minute.
pub async fn insert(collection: &Collection<Document>, documents: &[Document]) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut done = 0;
    let mut tried = false;
    while done < documents.len() {
        let Err(error) = collection.insert_many(&documents[done..]).await else {
            return Ok(());
        };
        match obstacle(&error) {
            Obstacle::Duplicate(index) if tried => done += index + 1,
            Obstacle::Passing if Instant::now() < deadline => {
                tried = true;
                sleep(RETRY_DELAY).await;
            }
            _ => {
                let name = collection.name();
                return Err(anyhow::anyhow!(store::brief(&error)))
                    .with_context(|| format!("insert into collection `{name}`"));
            }
        }
    }
    Ok(())
}

/// What stands in the way of a batch.
#[derive(Debug, PartialEq, Eq)]
enum Obstacle {
    /// The document at this index is there already; those before it were inserted now.
    Duplicate(usize),
    /// A failover or a lost connection; what was inserted is unknown.
    Passing,
    /// Trying again does not help.
    Lasting,
}

fn obstacle(error: &Error) -> Obstacle {
    match error.kind.as_ref() {
        ErrorKind::InsertMany(partial) => partial_obstacle(partial),
        ErrorKind::Command(command) if command.code == UNAUTHORIZED => Obstacle::Lasting,
        ErrorKind::Authentication { .. } | ErrorKind::InvalidArgument { .. } => Obstacle::Lasting,
        _ => Obstacle::Passing,
    }
}

fn partial_obstacle(error: &InsertManyError) -> Obstacle {
    let first = error.write_errors.iter().flatten().next();
    match first {
        Some(write) if write.code != DUPLICATE_KEY => Obstacle::Lasting,
        // Inserted, but not known to be on the majority: only a clean try settles that.
        _ if error.write_concern_error.is_some() => Obstacle::Passing,
        Some(write) => Obstacle::Duplicate(write.index),
        None => Obstacle::Passing,
    }
}
