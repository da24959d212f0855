//! Where a snapshot is read from.

#[cfg(test)]
use std::sync::Arc;

use bson::Timestamp;
#[cfg(test)]
use futures_util::future::BoxFuture;

use super::{Catalog, Chunk, Collection, Error, Name, Piece, Run, Wish, reader::MongoReader};
use crate::{mongo::Mongo, share::Share};

/// Reads snapshots.
#[derive(Debug, Clone)]
pub struct Reader(From);

#[derive(Debug, Clone)]
enum From {
    Mongo(MongoReader),
    #[cfg(test)]
    Script(Arc<dyn Script>),
}

/// What a test answers in the place of a server.
#[cfg(test)]
pub(crate) trait Script: std::fmt::Debug + Send + Sync {
    /// See [`Reader::plan`].
    fn plan(&self, wish: Wish) -> BoxFuture<'_, Result<Run, Error>>;
    /// See [`Reader::open`].
    fn open<'a>(
        &'a self,
        name: &'a Name,
        time: Timestamp,
    ) -> BoxFuture<'a, Result<Collection, Error>>;
    /// See [`Reader::chunk`].
    fn chunk<'a>(&'a self, piece: &'a Piece) -> BoxFuture<'a, Result<Chunk, Error>>;
    /// See [`Reader::last`].
    fn last<'a>(&'a self, piece: &'a Piece) -> BoxFuture<'a, Result<Chunk, Error>>;
}

impl Reader {
    /// Reads the documents of `share` through `mongo`; all where there is none.
    pub fn new(mongo: &Mongo, catalog: Catalog, share: Option<Share>) -> Self {
        Self(From::Mongo(MongoReader::new(mongo, catalog, share)))
    }

    /// Reads what a test says.
    #[cfg(test)]
    pub(crate) fn scripted(script: Arc<dyn Script>) -> Self {
        Self(From::Script(script))
    }

    /// The run that reads what `wish` says, and what it has to leave out.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn plan(&self, wish: Wish) -> Result<Run, Error> {
        match &self.0 {
            From::Mongo(mongo) => mongo.plan(wish).await,
            #[cfg(test)]
            From::Script(script) => script.plan(wish).await,
        }
    }

    /// A collection with the ranges in which it is to be read, up to the last document that there is at `time`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn open(&self, name: &Name, time: Timestamp) -> Result<Collection, Error> {
        match &self.0 {
            From::Mongo(mongo) => mongo.open(name, time).await,
            #[cfg(test)]
            From::Script(script) => script.open(name, time).await,
        }
    }

    /// The next documents of a piece.
    ///
    /// # Errors
    /// See [`Error`].
    ///
    /// # Cancel safety
    /// Cancel safe: it only reads.
    pub async fn chunk(&self, piece: &Piece) -> Result<Chunk, Error> {
        match &self.0 {
            From::Mongo(mongo) => mongo.chunk(piece).await,
            #[cfg(test)]
            From::Script(script) => script.chunk(piece).await,
        }
    }

    /// The last document of a piece, if there is one.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn last(&self, piece: &Piece) -> Result<Chunk, Error> {
        match &self.0 {
            From::Mongo(mongo) => mongo.last(piece).await,
            #[cfg(test)]
            From::Script(script) => script.last(piece).await,
        }
    }
}
