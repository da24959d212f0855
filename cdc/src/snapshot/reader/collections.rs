//! Which collections a run reads, and how one is cut into ranges.

use bson::{Timestamp, doc, rawdoc};

use super::{MongoReader, Piece, failed};
use crate::{
    mongo::Mongo,
    sabotage,
    share::Share,
    snapshot::{Collection, Error, Key, Name, Run, Wish},
};

/// Documents of a range, about.
const RANGE_DOCUMENTS: u64 = 50_000;
/// Most ranges of a collection.
const RANGES_MAX: u64 = 16;
/// Keys that are looked at for each range.
const SAMPLES_PER_RANGE: u64 = 16;
/// Most bytes of all keys at which a collection is cut: the checkpoint has them.
const BOUNDARY_BYTES_MAX: usize = 64 << 10;

impl MongoReader {
    /// The run that reads what `wish` says, and what it has to leave out.
    ///
    /// # Errors
    /// See [`Error`].
    pub(in crate::snapshot) async fn plan(&self, wish: Wish) -> Result<Run, Error> {
        check(&self.mongo).await?;
        let listed = (self.catalog)(wish.collections.clone()).await;
        let (names, skipped) = listed.map_err(|source| Error::List { source })?;
        let mut total = 0;
        for name in &names {
            total += self.count(name).await?;
        }
        Ok(Run::new(wish, names.into(), total, skipped))
    }

    /// How many documents there are in a collection, or in the share of it, about.
    ///
    /// # Errors
    /// See [`Error`].
    async fn count(&self, name: &Name) -> Result<u64, Error> {
        let command = doc! { "count": &name.collection };
        let answer = async { self.database(name).run_command(command).await };
        let answer = self.mongo.deadline("a count of documents", answer).await;
        let answer = answer.map_err(|source| failed(name, source))?;
        let count = answer.get_i32("n").map(i64::from);
        let count = count.or_else(|_| answer.get_i64("n")).unwrap_or_default();
        let shares = self.share.map_or(1, Share::count);
        Ok(u64::try_from(count).unwrap_or_default() / u64::from(shares))
    }

    /// A collection with the ranges in which it is to be read, up to the last document that there is at `time`.
    ///
    /// # Errors
    /// See [`Error`].
    pub(in crate::snapshot) async fn open(
        &self,
        name: &Name,
        time: Timestamp,
    ) -> Result<Collection, Error> {
        let estimate = self.count(name).await?;
        let of_each = sabotage::range_documents().unwrap_or(RANGE_DOCUMENTS);
        let ranges = (estimate / of_each).clamp(1, RANGES_MAX);
        let boundaries = if ranges == 1 {
            Vec::new()
        } else {
            self.boundaries(name, ranges, time).await?
        };
        let last = self.last(&Piece::whole(name.clone(), time)).await?;
        let last = last.documents.first().map(|(key, _)| key);
        if last.is_none() {
            self.check_exists(name).await?;
        }
        Ok(Collection::new(name.clone(), estimate, &boundaries, last))
    }

    /// Keys that cut a collection into `ranges` parts of about the same size, in the order of its index.
    async fn boundaries(
        &self,
        name: &Name,
        ranges: u64,
        time: Timestamp,
    ) -> Result<Vec<Key>, Error> {
        let size = i64::try_from(ranges * SAMPLES_PER_RANGE).unwrap_or(i64::MAX);
        let pipeline = vec![
            rawdoc! { "$sample": { "size": size } },
            rawdoc! { "$project": { "_id": 1 } },
            // The server sorts, by its own order of types and by the collection's collation.
            rawdoc! { "$sort": { "_id": 1 } },
        ];
        let mut stages = bson::RawArrayBuf::new();
        for stage in pipeline {
            stages.push(stage);
        }
        let command = rawdoc! {
            "aggregate": name.collection.as_str(), "pipeline": stages, "cursor": { "batchSize": size },
            "readConcern": { "level": "snapshot", "atClusterTime": time },
        };
        let (mut found, _) = self.run(name, command, None).await?;
        found.dedup_by(|(one, _), (other, _)| one == other);
        let keys: Vec<Key> = found.into_iter().map(|(key, _)| key).collect();
        let step = keys.len() / usize::try_from(ranges).unwrap_or(usize::MAX);
        if step == 0 {
            return Ok(Vec::new());
        }
        let cuts = keys.into_iter().skip(step).step_by(step);
        let cuts: Vec<Key> = cuts
            .take(usize::try_from(ranges - 1).unwrap_or(0))
            .collect();
        let bytes: usize = cuts.iter().map(Key::bytes).sum();
        Ok(if bytes <= BOUNDARY_BYTES_MAX {
            cuts
        } else {
            Vec::new()
        })
    }

    /// The server looks a name up as of now, whatever the time of the read: of a collection that was renamed it reads
    /// nothing.
    pub(super) async fn check_exists(&self, name: &Name) -> Result<(), Error> {
        let list = doc! {
            "listCollections": 1, "nameOnly": true, "authorizedCollections": true,
            "filter": { "name": &name.collection },
        };
        let answer = self
            .mongo
            .run("a look at a collection", &name.database, list);
        let answer = answer.await.map_err(|source| failed(name, source))?;
        let found = answer.get_document("cursor");
        let found = found.and_then(|cursor| cursor.get_array("firstBatch"));
        match answer.get_timestamp("operationTime") {
            Ok(since) if found.is_ok_and(Vec::is_empty) => Err(Error::Gone {
                collection: name.clone(),
                since,
            }),
            _ => Ok(()),
        }
    }
}

/// Whether snapshots can be read here at all.
///
/// # Errors
/// [`Error::Sharded`], or the server does not answer.
pub async fn check(mongo: &Mongo) -> Result<(), Error> {
    let hello = mongo.run("hello", "admin", doc! { "hello": 1 }).await;
    let hello = hello.map_err(|source| Error::List { source })?;
    if hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid") {
        return Err(Error::Sharded);
    }
    Ok(())
}
