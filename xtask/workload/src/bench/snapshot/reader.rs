//! The floor of reading: documents in chunks, as the engine reads them, with nothing done with any.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bson::{RawDocument, RawDocumentBuf, Timestamp, raw::cstr, rawdoc};
use futures_util::StreamExt as _;
use mongodb::Database;
use tokio::time::timeout;

use super::Documents;
use crate::{
    bench::{backlog, document::COLLECTION, number, site::Site},
    store,
};

/// Documents of a chunk, as the engine's.
const CHUNK: i64 = 2_000;
/// Longest wait for one reply.
const READ_LIMIT: Duration = Duration::from_secs(60);

/// Documents that are read in a second.
pub(super) async fn rate(site: &Site, documents: &Documents) -> Result<f64> {
    let database = site.client.database(&documents.backlog.database);
    // Now: the server keeps what was for some minutes only.
    let time = backlog::cluster_time(&site.client).await?;
    let started = Instant::now();
    let mut last = None;
    let mut read = 0;
    loop {
        let (found, key) = chunk(&database, time, last.as_ref()).await?;
        // The first one is the last one of before.
        let fresh = found - u64::from(last.is_some());
        if fresh == 0 {
            break;
        }
        read += fresh;
        last = key;
    }
    let count = documents.count;
    ensure!(read == count, "{read} of {count} documents were read");
    Ok(number::float(read) / started.elapsed().as_secs_f64())
}

/// The documents from `last` on: how many, and the key of the last one.
async fn chunk(
    database: &Database,
    time: Timestamp,
    last: Option<&RawDocumentBuf>,
) -> Result<(u64, Option<RawDocumentBuf>)> {
    let opening = database.run_raw_cursor_command(find(time, last)).batch();
    let mut replies = store::answer("read a chunk", READ_LIMIT, opening).await?;
    let (mut found, mut key) = (0, None);
    while let Some(reply) = timeout(READ_LIMIT, replies.next()).await? {
        let reply = reply.context("read a chunk")?;
        let mut latest = None;
        for document in reply.doc_slices().context("read a chunk")? {
            latest = document.context("read a chunk")?.as_document();
            found += 1;
        }
        if let Some(document) = latest {
            key = Some(key_of(document)?);
        }
    }
    Ok((found, key))
}

/// A `find` along the index, as the engine's.
fn find(time: Timestamp, last: Option<&RawDocumentBuf>) -> RawDocumentBuf {
    // The first one is there already.
    let limit = CHUNK + i64::from(last.is_some());
    let mut find = rawdoc! {
        "find": COLLECTION,
        "hint": { "_id": 1 },
        "limit": limit,
        "batchSize": limit + 1,
        "readConcern": { "level": "snapshot", "atClusterTime": time },
    };
    if let Some(last) = last {
        find.append(cstr!("min"), last.clone());
    }
    find
}

fn key_of(document: &RawDocument) -> Result<RawDocumentBuf> {
    let id = document.get("_id").context("read a chunk")?;
    let mut key = RawDocumentBuf::new();
    key.append(cstr!("_id"), id.context("a document has no _id")?);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_begins_with_the_last_document_of_the_one_before() {
        let time = Timestamp {
            time: 1,
            increment: 2,
        };
        let first = find(time, None);
        assert_eq!(first.get_i64("limit").unwrap(), CHUNK);
        assert!(first.get("min").unwrap().is_none());
        let key = key_of(&rawdoc! { "a": 1, "_id": 7 }).unwrap();
        assert_eq!(key, rawdoc! { "_id": 7 });
        let next = find(time, Some(&key));
        assert_eq!(next.get_i64("limit").unwrap(), CHUNK + 1);
        assert_eq!(next.get_document("min").unwrap(), &*key);
    }
}
