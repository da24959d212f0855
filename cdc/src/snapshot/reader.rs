//! Reads documents of a collection in the order of its `_id` index, as they were at one cluster time.
//!
//! The index is walked by `hint` and `min`, since `$gt` on `_id` compares within one type of BSON only.
//! <https://www.mongodb.com/docs/manual/reference/read-concern-snapshot/>

use std::{fmt, sync::Arc, time::Duration};

use bson::{Document, RawDocumentBuf, Timestamp, doc, rawdoc};
use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture};
use mongodb::error::Error as DriverError;

use super::{Collection, Error, Key, Name, Run, Wish};
use crate::{
    mongo::{self, Mongo},
    reply::Reply,
    sabotage,
};

/// Longest wait for a chunk. No change waits so long for it.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Documents of a range, about.
const RANGE_DOCUMENTS: u64 = 50_000;
/// So few documents at a time are read without another one behind them.
const FEW: usize = 4;
/// Most ranges of a collection.
const RANGES_MAX: u64 = 16;
/// Keys that are looked at for each range.
const SAMPLES_PER_RANGE: u64 = 16;
/// Most bytes of all keys at which a collection is cut: the checkpoint has them.
const BOUNDARY_BYTES_MAX: usize = 64 << 10;

/// Reads from a server.
#[derive(Clone)]
pub(super) struct MongoReader {
    mongo: Mongo,
    catalog: Catalog,
}

/// Lists the collections that are watched, all or those of some names and patterns; and what of these no snapshot can
/// read, and why.
pub type Catalog = Arc<dyn Fn(Option<Vec<String>>) -> Listing + Send + Sync>;

/// See [`Catalog`].
pub type Listing = BoxFuture<'static, Result<(Vec<Name>, Vec<(String, String)>), mongo::Error>>;

/// What to read.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The collection.
    pub name: Name,
    /// Which documents; all where there is none.
    pub filter: Option<Document>,
    /// The first key; none where it is the collection's.
    pub from: Option<Key>,
    /// The key after which to begin, in the place of `from`.
    pub after: Option<Key>,
    /// The first key behind it.
    pub to: Option<Key>,
    /// Whether it is one document, the first from `from` on.
    pub is_single: bool,
    /// Most documents, those included that the filter leaves out.
    pub documents: usize,
    /// The cluster time.
    pub time: Timestamp,
}

/// What was read.
#[derive(Debug)]
pub struct Chunk {
    /// The documents with their keys, in the order of the index.
    pub documents: Vec<(Key, Bytes)>,
    /// The last key that was looked at, where that is another than the last document's.
    pub passed: Option<Key>,
    /// Whether there was nothing behind it at that time.
    pub is_end: bool,
}

impl Piece {
    /// All of a collection.
    pub fn whole(name: Name, time: Timestamp) -> Self {
        Self {
            name,
            filter: None,
            from: None,
            after: None,
            to: None,
            is_single: false,
            documents: 1,
            time,
        }
    }
}

impl MongoReader {
    /// Reads through `mongo`.
    pub(super) fn new(mongo: &Mongo, catalog: Catalog) -> Self {
        Self {
            mongo: mongo.clone(),
            catalog,
        }
    }

    /// The next documents of a piece.
    ///
    /// # Errors
    /// See [`Error`].
    ///
    /// # Cancel safety
    /// Cancel safe: it only reads.
    pub(super) async fn chunk(&self, piece: &Piece) -> Result<Chunk, Error> {
        let chunk = match &piece.filter {
            Some(filter) => self.filtered(piece, filter).await?,
            None => self.plain(piece).await?,
        };
        if chunk.documents.is_empty() {
            self.check_exists(&piece.name).await?;
        }
        Ok(chunk)
    }

    /// The server looks a name up as of now, whatever the time of the read: of a collection that was renamed it reads
    /// nothing.
    async fn check_exists(&self, name: &Name) -> Result<(), Error> {
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

    async fn filtered(&self, piece: &Piece, filter: &Document) -> Result<Chunk, Error> {
        // The filter may leave out all there is, so the index says first how far so many documents reach.
        let (passed, to) = self.reach(piece).await?;
        let find = Self::find(piece, to.as_ref(), Some(filter));
        let (documents, has_more) = self.read(piece, find).await?;
        Ok(Chunk {
            documents,
            passed: passed.filter(|_| !has_more),
            is_end: piece.is_single || !has_more && to == piece.to,
        })
    }

    async fn plain(&self, piece: &Piece) -> Result<Chunk, Error> {
        if piece.documents <= FEW {
            return self.few(piece).await;
        }
        // One more tells whether there is more, and the first one may be the last of before.
        let limit = piece.documents + 1 + usize::from(piece.after.is_some());
        let mut find = Self::find(piece, piece.to.as_ref(), None);
        append_limit(&mut find, limit);
        let (mut documents, has_more) = self.read(piece, find).await?;
        let is_end = !has_more && documents.len() <= piece.documents;
        documents.truncate(piece.documents);
        Ok(Chunk {
            documents,
            passed: None,
            is_end,
        })
    }

    /// Documents that are few because they are large, and no more of them in the reply: whether there is more shows with the
    /// next one.
    async fn few(&self, piece: &Piece) -> Result<Chunk, Error> {
        let but = piece.after.as_ref().and_then(|key| {
            let key = Document::try_from(&*key.document()).ok()?;
            Some(doc! { "$expr": { "$ne": ["$_id", { "$literal": key.get("_id")? }] } })
        });
        let mut find = Self::find(piece, piece.to.as_ref(), but.as_ref());
        append_limit(&mut find, piece.documents);
        let (documents, _) = self.read(piece, find).await?;
        Ok(Chunk {
            is_end: piece.is_single || documents.is_empty(),
            documents,
            passed: None,
        })
    }

    /// The last key of the piece's next documents, and the first one behind it.
    async fn reach(&self, piece: &Piece) -> Result<(Option<Key>, Option<Key>), Error> {
        let skip = piece.documents - usize::from(piece.after.is_none());
        let mut find = Self::find(piece, piece.to.as_ref(), None);
        find.append(bson::raw::cstr!("projection"), rawdoc! { "_id": 1 });
        find.append(
            bson::raw::cstr!("skip"),
            i64::try_from(skip).unwrap_or(i64::MAX),
        );
        find.append(bson::raw::cstr!("limit"), 2_i64);
        let reached = Piece {
            after: None,
            ..piece.clone()
        };
        let (found, _) = self.read(&reached, find).await?;
        let mut keys = found.into_iter().map(|(key, _)| key);
        let last = keys.next();
        Ok(match keys.next() {
            Some(behind) => (last, Some(behind)),
            None => (last, piece.to.clone()),
        })
    }

    /// The last document of a piece, if there is one.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) async fn last(&self, piece: &Piece) -> Result<Chunk, Error> {
        let mut find = Self::find(piece, piece.to.as_ref(), piece.filter.as_ref());
        find.append(bson::raw::cstr!("sort"), rawdoc! { "_id": -1 });
        find.append(bson::raw::cstr!("limit"), 1_i64);
        let (documents, _) = self.read(piece, find).await?;
        Ok(Chunk {
            documents,
            passed: None,
            is_end: true,
        })
    }

    /// The run that reads what `wish` says, and what it has to leave out.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) async fn plan(&self, wish: Wish) -> Result<Run, Error> {
        check(&self.mongo).await?;
        let listed = (self.catalog)(wish.collections.clone()).await;
        let (names, skipped) = listed.map_err(|source| Error::List { source })?;
        let mut total = 0;
        for name in &names {
            total += self.count(name).await?;
        }
        Ok(Run::new(wish, names.into(), total, skipped))
    }

    /// How many documents there are in a collection, about.
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
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// A collection with the ranges in which it is to be read, up to the last document that there is at `time`.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) async fn open(&self, name: &Name, time: Timestamp) -> Result<Collection, Error> {
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

    /// A `find` along the index at the piece's time.
    fn find(piece: &Piece, to: Option<&Key>, filter: Option<&Document>) -> RawDocumentBuf {
        let batch = piece.documents.saturating_add(2);
        let mut find = rawdoc! {
            "find": piece.name.collection.as_str(),
            "hint": { "_id": 1 },
            "batchSize": i64::try_from(batch).unwrap_or(i64::MAX),
            "readConcern": { "level": "snapshot", "atClusterTime": piece.time },
        };
        let mut filter = filter.map(raw);
        if let Some(from) = piece.after.as_ref().or(piece.from.as_ref()) {
            if from.is_greatest() {
                // The server takes no such `min`, since a range ends before the greatest key.
                let both = filter.unwrap_or_default();
                filter = Some(rawdoc! { "$and": [from.document(), both] });
            } else {
                find.append(bson::raw::cstr!("min"), from.document());
            }
        }
        if let Some(filter) = filter {
            find.append(bson::raw::cstr!("filter"), filter);
        }
        if let Some(to) = to {
            find.append(bson::raw::cstr!("max"), to.document());
        }
        find
    }

    async fn read(
        &self,
        piece: &Piece,
        command: RawDocumentBuf,
    ) -> Result<(Vec<(Key, Bytes)>, bool), Error> {
        self.run(&piece.name, command, piece.after.as_ref()).await
    }

    /// The documents of the first reply that has one, but for the one of the key `but`, and whether the server has more.
    async fn run(
        &self,
        name: &Name,
        command: RawDocumentBuf,
        but: Option<&Key>,
    ) -> Result<(Vec<(Key, Bytes)>, bool), Error> {
        let primary = self.mongo.primary().now();
        tokio::select! {
            read = self.replies(name, command, but) => read,
            () = self.mongo.primary().moved(primary.as_ref()) => Err(failed(name, mongo::Error::Moved)),
            () = tokio::time::sleep(READ_TIMEOUT) => Err(failed(name, mongo::Error::TimedOut {
                what: "a snapshot read",
                after: READ_TIMEOUT,
            })),
        }
    }

    async fn replies(
        &self,
        name: &Name,
        command: RawDocumentBuf,
        but: Option<&Key>,
    ) -> Result<(Vec<(Key, Bytes)>, bool), Error> {
        let named = |error: DriverError| Error::of(&self.mongo, name, error);
        let database = self.database(name);
        let opened = database.run_raw_cursor_command(command);
        let mut replies = opened.batch().await.map_err(named)?;
        let mut found = Vec::new();
        while let Some(reply) = replies.next().await {
            let reply = Reply::open(reply.map_err(named)?);
            let reply = reply.map_err(|source| Error::Reply {
                collection: name.clone(),
                source,
            })?;
            let has_more = reply.has_more();
            for document in reply {
                let document = document.map_err(|error| Error::corrupt(name, error))?;
                let key = Key::of(&document).map_err(|error| Error::corrupt(name, error))?;
                found.extend(
                    key.filter(|key| Some(key) != but)
                        .map(|key| (key, document)),
                );
            }
            // A reply ends at 16 MB.
            if !found.is_empty() || !has_more {
                return Ok((found, has_more));
            }
        }
        Ok((found, false))
    }

    fn database(&self, name: &Name) -> mongodb::Database {
        self.mongo.client().database(&name.database)
    }
}

fn append_limit(find: &mut RawDocumentBuf, limit: usize) {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    find.append(bson::raw::cstr!("limit"), limit);
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

impl fmt::Debug for MongoReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoReader").finish_non_exhaustive()
    }
}

fn failed(name: &Name, source: mongo::Error) -> Error {
    Error::Mongo {
        collection: name.clone(),
        source,
    }
}

fn raw(document: &Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).unwrap_or_default()
}
