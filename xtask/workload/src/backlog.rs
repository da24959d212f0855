//! Inserts plain documents as fast as possible: something to drain.

use std::time::Instant;

use anyhow::Result;
use bson::{Document, doc};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{settings::Settings, store, writer};

/// Documents in one insert command.
const BATCH: usize = 1_000;

/// Insert commands under way at once.
const COMMANDS: usize = 4;

/// How much to insert, and where.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Documents to insert
    #[arg(long)]
    pub count: usize,
    /// Size of a document in bytes, about
    #[arg(long, default_value_t = 400)]
    pub size: usize,
    /// Collection of the watched database
    #[arg(long, default_value = "backlog")]
    pub collection: String,
}

/// Inserts the documents and says how long that took.
///
/// # Errors
/// If the servers are not there or refuse.
pub async fn run(args: &Args, settings: &Settings) -> Result<String> {
    let client = store::connect(settings).await?;
    let collection = writer::collection(&client, settings, &args.collection);
    let start = Instant::now();
    let firsts = (0..args.count).step_by(BATCH);
    stream::iter(firsts)
        .map(|first| {
            let documents: Vec<Document> = (first..args.count.min(first + BATCH))
                .map(|number| document(number, args.size))
                .collect();
            let collection = &collection;
            async move { writer::insert(collection, &documents).await }
        })
        .buffer_unordered(COMMANDS)
        .try_collect::<()>()
        .await?;
    let seconds = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = args.count as f64 / seconds;
    Ok(format!(
        "backlog: count={} seconds={seconds:.3} per_second={rate:.0}",
        args.count
    ))
}

/// A document whose BSON has `size` bytes, if that is enough for its fixed part.
fn document(number: usize, size: usize) -> Document {
    let number = i64::try_from(number).expect("fewer than 2^63 documents");
    let mut document = doc! { "_id": bson::oid::ObjectId::new(), "number": number, "text": "" };
    let fixed = document.to_vec().map_or(0, |bytes| bytes.len());
    document.insert("text", "x".repeat(size.saturating_sub(fixed)));
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_the_asked_size() {
        assert_eq!(document(7, 400).to_vec().unwrap().len(), 400);
        assert_eq!(document(7, 10_000).to_vec().unwrap().len(), 10_000);
    }
}
