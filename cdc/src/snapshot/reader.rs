//! Reads documents of a collection in the order of its `_id` index, as they were at one cluster time.
//!
//! The index is walked by `hint` and `min`, since `$gt` on `_id` compares within one type of BSON only.
//! <https://www.mongodb.com/docs/manual/reference/read-concern-snapshot/>

mod collections;

use std::{fmt, sync::Arc, time::Duration};

use bson::{Document, RawDocumentBuf, Timestamp, doc, rawdoc};
use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture};
use mongodb::error::Error as DriverError;

pub use self::collections::check;
use super::{Error, Key, Name};
use crate::{
    mongo::{self, Mongo},
    reply::Reply,
    share::Share,
};

/// Longest wait for a chunk. No change waits so long for it.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// So few documents at a time are read without another one behind them.
const FEW: usize = 4;

/// Reads from a server.
#[derive(Clone)]
pub(super) struct MongoReader {
    mongo: Mongo,
    catalog: Catalog,
    share: Option<Share>,
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
    pub(super) fn new(mongo: &Mongo, catalog: Catalog, share: Option<Share>) -> Self {
        Self {
            mongo: mongo.clone(),
            catalog,
            share,
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
        let chunk = match self.filter(piece) {
            Some(filter) => self.filtered(piece, &filter).await?,
            None => self.plain(piece).await?,
        };
        if chunk.documents.is_empty() {
            self.check_exists(&piece.name).await?;
        }
        Ok(chunk)
    }

    /// The piece's filter, and the share's.
    fn filter(&self, piece: &Piece) -> Option<Document> {
        let share = self.share.map(Share::of_documents);
        match (&piece.filter, share) {
            (Some(filter), Some(share)) => Some(doc! { "$and": [filter, share] }),
            (Some(filter), None) => Some(filter.clone()),
            (None, share) => share,
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
        let filter = self.filter(piece);
        let mut find = Self::find(piece, piece.to.as_ref(), filter.as_ref());
        find.append(bson::raw::cstr!("sort"), rawdoc! { "_id": -1 });
        find.append(bson::raw::cstr!("limit"), 1_i64);
        let (documents, _) = self.read(piece, find).await?;
        Ok(Chunk {
            documents,
            passed: None,
            is_end: true,
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
