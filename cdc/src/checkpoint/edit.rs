//! Changes a checkpoint by hand, while no engine of the pipeline runs.
//!
//! What stood there before is kept in a document of its own, so that a change can be undone, also after an engine went
//! on from the new position. Fields that this program does not know stay as they are.

use bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use mongodb::{Collection, options::WriteConcern};

use super::{
    Config, Division, Error, MOVED, Store, VERSION, VERSION_WITH_SNAPSHOT, as_integer, division,
};
use crate::{
    mongo::{self, Mongo, Privilege},
    position::Position,
    share::Share,
};

/// Collection that holds what a change by hand replaced, one document per pipeline.
pub const FORMER_COLLECTION: &str = "former_checkpoints";

/// A checkpoint as it is stored, with all its fields; nothing where there is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record(pub Option<Document>);

/// What the last change by hand replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct Former {
    /// What stood there.
    pub record: Record,
    /// When it was replaced.
    pub replaced_at: Option<DateTime>,
}

/// Reads and changes one pipeline's checkpoint.
#[derive(Debug)]
pub struct Editor {
    store: Store,
    former: Collection<Document>,
}

impl Record {
    /// The position, if there is a checkpoint.
    ///
    /// # Errors
    /// What is wrong with the document.
    pub fn position(&self) -> Result<Option<Position>, &'static str> {
        self.0.as_ref().map(Position::read).transpose()
    }

    /// Into how many shares the pipeline is divided; 1 where it is not.
    pub fn shares(&self) -> u16 {
        self.0.as_ref().map_or(1, division::shares)
    }

    /// The same with another position.
    #[must_use]
    pub fn moved(&self, position: &Position) -> Self {
        let mut document = self.0.clone().unwrap_or_default();
        position.write(&mut document);
        Self(Some(document))
    }

    /// The same for another pipeline, which has sent nothing yet.
    #[must_use]
    pub fn copied(&self) -> Self {
        let mut record = self.clone();
        if let Some(document) = &mut record.0 {
            document.remove("sent_until");
            document.remove("snapshot");
            document.remove("version");
        }
        record
    }

    /// The document that replaces `before`.
    fn stamped(&self, before: &Self, pipeline: &str) -> Option<Document> {
        let revision = 1 + self.revision().max(before.revision());
        let version = self.field("version").and_then(as_integer);
        let version = version.unwrap_or_else(|| VERSION.into());
        let mut document = doc! { "_id": pipeline, "version": version, "revision": revision };
        let others = self.0.clone()?;
        let others = others
            .into_iter()
            .filter(|(name, _)| !["_id", "version", "revision"].contains(&name.as_str()));
        document.extend(others);
        document.insert(MOVED, true);
        document.insert("saved_at", DateTime::now());
        document.insert("writer", ObjectId::new());
        Some(document)
    }

    fn revision(&self) -> i64 {
        self.field("revision").and_then(as_integer).unwrap_or(0)
    }

    fn field(&self, name: &str) -> Option<&Bson> {
        self.0.as_ref().and_then(|document| document.get(name))
    }
}

impl Editor {
    /// Prepares it; nothing is read yet.
    pub fn new(mongo: &Mongo, config: Config) -> Self {
        let database = mongo.client().database(&config.database);
        Self {
            former: database.collection(FORMER_COLLECTION),
            store: Store::new(mongo, config),
        }
    }

    /// What is stored, readable or not.
    ///
    /// # Errors
    /// MongoDB failed.
    pub async fn read(&self) -> Result<Record, Error> {
        self.store.read().await.map(Record)
    }

    /// What is stored for each share of the pipeline that has this document; nothing where it is not divided.
    ///
    /// # Errors
    /// MongoDB failed.
    pub async fn shares(&self, record: &Record) -> Result<Vec<(Share, Record)>, Error> {
        let mut shares = Vec::new();
        for share in Share::all(record.shares()) {
            let name = share.name(self.pipeline());
            shares.push((share, Record(self.store.read_of(&name).await?)));
        }
        Ok(shares)
    }

    /// Whether this program knows the form of what is stored.
    ///
    /// # Errors
    /// [`Error::Newer`] where a newer release wrote it.
    pub fn check(&self, record: &Record) -> Result<(), Error> {
        let Some(document) = &record.0 else {
            return Ok(());
        };
        match self.store.version_of(self.pipeline(), document) {
            Err(error @ Error::Newer { .. }) => Err(error),
            // What cannot be read may be replaced.
            _ => Ok(()),
        }
    }

    /// What the last change replaced, if there was one.
    ///
    /// # Errors
    /// MongoDB failed.
    pub async fn former(&self) -> Result<Option<Former>, Error> {
        let find = self.former.find_one(doc! { "_id": self.pipeline() });
        let find = self
            .store
            .mongo
            .deadline("a checkpoint load", find.into_future());
        let found = find.await.map_err(|source| Error::Mongo {
            action: "load",
            name: format!("{}.{FORMER_COLLECTION}", self.former.namespace().db),
            source,
        })?;
        Ok(found.map(|found| Former {
            record: Record(found.get_document("checkpoint").ok().cloned()),
            replaced_at: found.get_datetime("replaced_at").ok().copied(),
        }))
    }

    /// Replaces `before` by `after`, durable on a majority when this returns; keeps `before`.
    ///
    /// # Errors
    /// [`Error::Taken`] where something else stands there by now, [`Error::Newer`] where a newer release wrote it,
    /// [`Error::SnapshotUnderWay`] where the next engine would go on with a snapshot.
    pub async fn replace(&self, before: &Record, after: &Record) -> Result<(), Error> {
        self.check(before)?;
        if before.field("version").and_then(as_integer) == Some(VERSION_WITH_SNAPSHOT.into()) {
            let division = self.store.config.division.clone();
            let (pipeline, share) = division.map_or_else(
                || (self.pipeline().to_owned(), None),
                |Division { pipeline, share }| (pipeline, Some(share)),
            );
            return Err(Error::SnapshotUnderWay { pipeline, share });
        }
        let failed = |source| self.store.failed("save", source);
        if after.0.is_none() {
            self.store.may_delete().await.map_err(failed)?;
        }
        self.keep(before).await.map_err(failed)?;
        let is_done = self.swap(before, after).await.map_err(failed)?;
        if is_done {
            return Ok(());
        }
        Err(Error::Taken {
            name: self.store.name(),
        })
    }

    async fn keep(&self, before: &Record) -> Result<(), mongo::Error> {
        let id = doc! { "_id": self.pipeline() };
        let mut document = id.clone();
        document.insert("checkpoint", before.0.clone());
        document.insert("replaced_at", DateTime::now());
        let keep = self
            .former
            .replace_one(id, document)
            .upsert(true)
            .write_concern(WriteConcern::majority());
        let needed = Privilege::to_save(&self.store.config.database, FORMER_COLLECTION);
        let keep = self
            .store
            .ask_with(needed, "a checkpoint save", keep.into_future());
        keep.await.map(|_| ())
    }

    /// Whether `before` was still there.
    async fn swap(&self, before: &Record, after: &Record) -> Result<bool, mongo::Error> {
        let revision = before.field("revision").cloned().unwrap_or(Bson::Null);
        let present = doc! { "_id": self.pipeline(), "revision": revision };
        match (&before.0, after.stamped(before, self.pipeline())) {
            (None, None) => Ok(true),
            (None, Some(next)) => self.store.insert(next).await,
            (Some(_), Some(next)) => self.store.replace(present, next).await,
            (Some(_), None) => Ok(self.store.delete(present).await? == 1),
        }
    }

    fn pipeline(&self) -> &str {
        &self.store.config.pipeline
    }
}

#[cfg(test)]
mod tests {
    use bson::Timestamp;

    use super::*;

    fn position(time: u32) -> Position {
        Position::At(Timestamp { time, increment: 1 })
    }

    #[test]
    fn a_moved_checkpoint_keeps_every_other_field_and_counts_on() {
        let before = Record(Some(doc! {
            "_id": "p", "version": 1, "revision": 7_i64, "resume_token": { "_data": "82" },
            "sent_until": Timestamp { time: 9, increment: 1 }, "scope": { "database": "d" },
        }));
        let after = before.moved(&position(5)).stamped(&before, "p").unwrap();
        assert_eq!(after.get_i64("revision").ok(), Some(8));
        assert_eq!(after.get_bool(MOVED).ok(), Some(true));
        assert_eq!(
            after.get_document("scope").ok(),
            Some(&doc! { "database": "d" })
        );
        assert_eq!(after.get("sent_until"), before.field("sent_until"));
        assert_eq!(Record(Some(after)).position(), Ok(Some(position(5))));
    }

    #[test]
    fn a_copy_has_the_other_pipelines_name_and_has_sent_nothing() {
        let document = doc! { "_id": "p", "revision": 7_i64, "sent_until": 1, "scope": 2 };
        let (before, copy) = (Record::default(), Record(Some(document)).copied());
        let copy = copy.moved(&position(5)).stamped(&before, "q").unwrap();
        assert_eq!(copy.get_str("_id").ok(), Some("q"));
        assert_eq!(
            (copy.get("sent_until"), copy.get("scope")),
            (None, Some(&Bson::Int32(2)))
        );
    }

    #[test]
    fn a_document_without_a_revision_can_be_mended() {
        let before = Record(Some(doc! { "_id": "p", "revision": "none" }));
        let after = before.moved(&position(5)).stamped(&before, "p").unwrap();
        assert_eq!(after.get_i64("revision").ok(), Some(1));
        assert_eq!(Record::default().stamped(&before, "p"), None);
    }
}
