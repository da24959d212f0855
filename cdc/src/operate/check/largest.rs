//! The largest of the documents that were inserted last, for comparison with what a message may have.

use bson::{Document, doc};

use crate::{
    config::Config,
    mongo::Mongo,
    operate::{Error, connect},
};

/// Collections that are looked at.
const COLLECTIONS_MAX: usize = 20;
/// Documents of each that are looked at, by the greatest `_id`s.
const DOCUMENTS: i32 = 1_000;

/// A document among the last ones.
#[derive(Debug)]
pub(super) struct Largest {
    /// Database and collection.
    pub(super) namespace: String,
    /// Bytes as BSON.
    pub(super) bytes: i64,
}

/// The largest one in some of the watched collections, if there is any.
///
/// # Errors
/// MongoDB cannot be asked, or the user may not list or read the collections.
pub(super) async fn find(config: &Config) -> Result<Option<Largest>, Error> {
    let mongo = connect(config).await?;
    let scope = &config.source.scope;
    let existing = scope.existing(&mongo).await?;
    let collections = existing.iter().filter(|one| one.is_collection());
    let mut largest: Option<Largest> = None;
    for one in collections.take(COLLECTIONS_MAX) {
        let bytes = of_collection(&mongo, one.database(), one.name()).await?;
        if let Some(bytes) = bytes
            && largest.as_ref().is_none_or(|known| known.bytes < bytes)
        {
            let namespace = format!("{}.{}", one.database(), one.name());
            largest = Some(Largest { namespace, bytes });
        }
    }
    Ok(largest)
}

async fn of_collection(
    mongo: &Mongo,
    database: &str,
    collection: &str,
) -> Result<Option<i64>, Error> {
    let stages = vec![
        doc! { "$sort": { "_id": -1 } },
        doc! { "$limit": DOCUMENTS },
        doc! { "$group": { "_id": null, "bytes": { "$max": { "$bsonSize": "$$ROOT" } } } },
    ];
    let command = doc! { "aggregate": collection, "pipeline": stages, "cursor": {} };
    let answer: Document = mongo
        .run("the size of documents", database, command)
        .await?;
    let batch = answer
        .get_document("cursor")
        .and_then(|cursor| cursor.get_array("firstBatch"));
    let group = batch
        .ok()
        .and_then(|batch| batch.first()?.as_document().cloned());
    Ok(group.and_then(|group| {
        let bytes = group.get("bytes")?;
        bytes.as_i64().or_else(|| bytes.as_i32().map(i64::from))
    }))
}
