//! The checkpoint: how far everything was confirmed, one document per pipeline, written with majority.
//!
//! It never moves backwards and has one writer: each save replaces exactly the revision that this process
//! wrote or loaded last. Its format carries a version; a newer one is refused, not guessed.

mod division;
mod edit;
mod error;
mod scope;

use bson::{Bson, DateTime, Document, Timestamp, doc, oid::ObjectId};
use mongodb::{
    Collection,
    options::{ReadConcern, SelectionCriteria, WriteConcern},
};

pub use self::{
    division::{Divided, Divider, Division},
    error::Error,
    scope::{Change, Scope, Target},
};
use crate::{
    mongo::{self, Mongo, Privilege},
    position::Position,
};

pub use self::edit::{Editor, FORMER_COLLECTION, Former, Record};
pub(crate) use self::error::whose;

/// Collection that holds the checkpoints, in the checkpoint database.
pub const COLLECTION: &str = "checkpoints";
/// Version of the document's format.
const VERSION: i32 = 1;
/// The same while a snapshot is under way: a release that knows of none must not go on without it.
const VERSION_WITH_SNAPSHOT: i32 = 2;
/// That of a pipeline that is divided into shares, which is no checkpoint: a release that knows of no shares must not go on
/// with it. The newest that this program reads.
const VERSION_DIVIDED: i32 = 3;
/// The field that a change by hand leaves until an engine goes on.
const MOVED: &str = "moved_by_hand";

/// Where the checkpoint lies.
#[derive(Debug, Clone)]
pub struct Config {
    /// Database that holds the checkpoint, never the watched one.
    pub database: String,
    /// Name of the pipeline, or of the share: the document's `_id`.
    pub pipeline: String,
    /// The share of a pipeline, if it is one.
    pub division: Option<Division>,
    /// What the pipeline watches, and where its messages go.
    pub scope: Scope,
}

/// The one writer of one pipeline's checkpoint.
#[derive(Debug)]
pub struct Store {
    mongo: Mongo,
    collection: Collection<Document>,
    config: Config,
    /// Marks what this process wrote, to know its own write again after a lost answer.
    writer: ObjectId,
    /// Revision that the next save replaces; 0 where there is no document yet.
    revision: i64,
    /// Everything up to this cluster time may have been published already.
    sent_until: Option<Timestamp>,
    /// The scope of the checkpoint that was loaded.
    former: Option<Scope>,
    /// The position that was loaded or saved last.
    position: Position,
    /// Whether the position was set by hand, so that what was sent before may be wanted again.
    is_moved: bool,
    /// For each partition the id of the target's last message that says nothing of where to go on; 0 for none.
    ignored: Vec<i64>,
    /// How far snapshots are.
    snapshot: Option<Document>,
    version: i32,
    /// Whether the document of the pipeline says that it is divided, where this is the checkpoint of a share.
    is_divided: bool,
}

impl Store {
    /// Prepares the store; nothing is read yet.
    pub fn new(mongo: &Mongo, config: Config) -> Self {
        let collection = mongo
            .client()
            .database(&config.database)
            .collection(COLLECTION);
        Self {
            mongo: mongo.clone(),
            collection,
            config,
            writer: ObjectId::new(),
            revision: 0,
            sent_until: None,
            former: None,
            position: Position::At(Timestamp {
                time: 0,
                increment: 0,
            }),
            is_moved: false,
            ignored: Vec::new(),
            snapshot: None,
            version: VERSION,
            is_divided: false,
        }
    }

    /// Cluster time of the newest message that was on its way when the checkpoint was saved last: what is read up to
    /// there is a replay.
    pub fn sent_until(&self) -> Option<Timestamp> {
        self.sent_until
    }

    /// The position that was loaded or saved last.
    pub fn position(&self) -> Position {
        self.position.clone()
    }

    /// How far snapshots are, in the form of their own.
    pub fn snapshot(&self) -> Option<&Document> {
        self.snapshot.as_ref()
    }

    /// Snapshots are so far, which the next save says. With one under way no older release goes on from there.
    pub fn keep(&mut self, snapshot: Option<Document>, is_under_way: bool) {
        self.snapshot = snapshot;
        self.version = if is_under_way {
            VERSION_WITH_SNAPSHOT
        } else {
            VERSION
        };
    }

    /// Whether the target's last message may tell where to go on: not where a person set the position, where nothing was
    /// saved before, or where the partitions are others now.
    pub fn goes_on(&self) -> bool {
        let has_partitions = |scope: &Scope| scope.partitions == self.config.scope.partitions;
        let is_same = self.former.as_ref().is_some_and(has_partitions);
        0 < self.revision && is_same && !self.is_moved
    }

    /// The ids of the target's last messages that say nothing of where to go on, for each partition.
    pub fn ignored(&self) -> &[i64] {
        &self.ignored
    }

    /// Replaces [`Store::ignored`]; the next save keeps it.
    pub fn ignore(&mut self, ids: Vec<i64>) {
        self.ignored = ids;
    }

    /// A message of this cluster time is on its way; the next save says so.
    pub fn sent(&mut self, cluster_time: Timestamp) {
        self.sent_until = Some(cluster_time);
    }

    /// Reads the checkpoint; `None` on the very first start. A share that has not begun begins where the first of them did.
    ///
    /// # Errors
    /// A newer or unreadable document is an error that names it, and so is one of another database: starting afresh is a
    /// person's decision.
    pub async fn load(&mut self) -> Result<Option<Position>, Error> {
        let begin = self.begin().await?;
        let Some(document) = self.read().await? else {
            self.revision = 0;
            return Ok(begin);
        };
        let version = self.version_of(&self.config.pipeline, &document)?;
        self.check_whole(&document)?;
        if version == VERSION_DIVIDED {
            return Err(self.unreadable("`version` is neither 1 nor 2"));
        }
        self.version = version;
        let revision = document
            .get("revision")
            .and_then(as_integer)
            .filter(|revision| *revision > 0);
        self.revision =
            revision.ok_or_else(|| self.unreadable("`revision` is not a positive integer"))?;
        self.sent_until = document.get_timestamp("sent_until").ok();
        self.snapshot = document.get_document("snapshot").ok().cloned();
        self.is_moved = document.get_bool(MOVED).unwrap_or(false);
        let ignored = document.get_array("ignored_ids").into_iter().flatten();
        self.ignored = ignored
            .map(|id| as_integer(id).unwrap_or_default())
            .collect();
        self.former = Scope::read(&document);
        self.check_database()?;
        let position = Position::read(&document).map_err(|reason| self.unreadable(reason))?;
        self.position = position.clone();
        Ok(Some(position))
    }

    /// What is not as it was when the checkpoint was saved that was loaded. The next save makes it the checkpoint's.
    pub fn changes(&self) -> Vec<Change> {
        let former = self.former.as_ref();
        former.map_or_else(Vec::new, |former| self.config.scope.changes_since(former))
    }

    /// What is not as in the checkpoint that is stored now, which another engine may have written.
    ///
    /// # Errors
    /// Only a failure of MongoDB; what cannot be read says nothing.
    pub async fn differences(&self) -> Result<Vec<Change>, Error> {
        let stored = self.read().await?;
        let stored = stored.as_ref().and_then(Scope::read);
        Ok(stored.map_or_else(Vec::new, |stored| self.config.scope.changes_since(&stored)))
    }

    /// Where the shares of the pipeline began, if this is the checkpoint of one.
    async fn begin(&mut self) -> Result<Option<Position>, Error> {
        let Some(Division { pipeline, share }) = self.config.division.clone() else {
            return Ok(None);
        };
        let whole = self.read_of(&pipeline).await?;
        self.is_divided = whole.is_some();
        let Some(whole) = whole else {
            return Ok(None);
        };
        self.version_of(&pipeline, &whole)?;
        let (found, wanted) = (division::shares(&whole), share.count());
        if found != wanted {
            return Err(Error::Divided {
                pipeline,
                found,
                wanted,
            });
        }
        let begin = Position::read(&whole);
        let begin = begin.map_err(|reason| self.unreadable_of(&pipeline, reason))?;
        Ok(Some(begin))
    }

    /// The version of the document of this name; one that this program does not know is refused.
    fn version_of(&self, name: &str, document: &Document) -> Result<i32, Error> {
        let known = [VERSION, VERSION_WITH_SNAPSHOT, VERSION_DIVIDED];
        let version = document.get("version").and_then(as_integer);
        match version {
            Some(version) if i64::from(VERSION_DIVIDED) < version => Err(Error::Newer {
                name: self.name_of(name),
                found: version.to_string(),
            }),
            _ => {
                let version = known
                    .into_iter()
                    .find(|known| version == Some((*known).into()));
                version.ok_or_else(|| self.unreadable_of(name, "`version` is none of 1, 2 and 3"))
            }
        }
    }

    fn check_whole(&self, document: &Document) -> Result<(), Error> {
        match division::shares(document) {
            1 => Ok(()),
            found => Err(Error::Divided {
                pipeline: self.config.pipeline.clone(),
                found,
                wanted: 1,
            }),
        }
    }

    fn check_database(&self) -> Result<(), Error> {
        let wanted = &self.config.scope.database;
        match &self.former {
            Some(former) if former.database != *wanted => Err(Error::OtherDatabase {
                name: self.name(),
                found: former.database.clone(),
                wanted: wanted.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Replaces the checkpoint by `position`, durable on a majority when this returns.
    ///
    /// # Errors
    /// [`Error::Taken`] when another process wrote meanwhile. After any other error the save may or may not have
    /// happened; the next save finds out.
    ///
    /// # Cancel safety
    /// Cancel safe: a write that was cut off is recognised by the next save.
    pub async fn save(&mut self, position: &Position) -> Result<(), Error> {
        self.divide(position).await?;
        let next = self.document(position);
        let outcome = if self.revision == 0 {
            self.insert(next).await
        } else {
            let present = doc! { "_id": &self.config.pipeline, "revision": self.revision };
            self.replace(present, next).await
        };
        match outcome {
            Ok(true) => {}
            Ok(false) if self.wrote_before().await? => return Box::pin(self.save(position)).await,
            Ok(false) => return Err(Error::Taken { name: self.name() }),
            Err(source) => return Err(self.failed("save", source)),
        }
        self.revision += 1;
        self.position.clone_from(position);
        Ok(())
    }

    /// The first share of a pipeline that begins says into how many it is divided.
    async fn divide(&mut self, position: &Position) -> Result<(), Error> {
        let Some(division) = self.config.division.as_ref().filter(|_| !self.is_divided) else {
            return Ok(());
        };
        match self.insert(division::document(division, position, 0)).await {
            Ok(true) => self.is_divided = true,
            // Another share was first, or a pipeline that is not divided: what it wrote counts.
            Ok(false) => return Err(Error::Taken { name: self.name() }),
            Err(source) => return Err(self.failed("save", source)),
        }
        Ok(())
    }

    /// False where there is a document already.
    async fn insert(&self, next: Document) -> Result<bool, mongo::Error> {
        let insert = self
            .collection
            .insert_one(next)
            .write_concern(WriteConcern::majority());
        match self.ask("a checkpoint save", insert.into_future()).await {
            Err(mongo::Error::Driver(error)) if is_duplicate_key(&error) => Ok(false),
            result => result.map(|_| true),
        }
    }

    /// False where `present` matches no document any more.
    async fn replace(&self, present: Document, next: Document) -> Result<bool, mongo::Error> {
        let replace = self
            .collection
            .replace_one(present, next)
            .write_concern(WriteConcern::majority());
        let result = self.ask("a checkpoint save", replace.into_future()).await?;
        Ok(result.matched_count == 1)
    }

    /// Whether the stored document is ours after all: an earlier save whose answer was lost. Takes its revision.
    async fn wrote_before(&mut self) -> Result<bool, Error> {
        let stored = self.read().await?;
        let Some(stored) = stored.filter(|stored| {
            stored
                .get_object_id("writer")
                .is_ok_and(|writer| writer == self.writer)
        }) else {
            return Ok(false);
        };
        let revision = stored
            .get("revision")
            .and_then(as_integer)
            .unwrap_or_default();
        let advanced = revision > self.revision;
        self.revision = revision;
        Ok(advanced)
    }

    async fn read(&self) -> Result<Option<Document>, Error> {
        self.read_of(&self.config.pipeline).await
    }

    async fn read_of(&self, name: &str) -> Result<Option<Document>, Error> {
        let find = self
            .collection
            .find_one(doc! { "_id": name })
            .read_concern(ReadConcern::majority())
            .selection_criteria(SelectionCriteria::ReadPreference(
                mongodb::options::ReadPreference::Primary,
            ));
        let result = self.ask("a checkpoint load", find.into_future()).await;
        result.map_err(|source| self.failed("load", source))
    }

    async fn ask<T>(
        &self,
        what: &'static str,
        operation: impl Future<Output = Result<T, mongodb::error::Error>>,
    ) -> Result<T, mongo::Error> {
        let needed = Privilege::to_save(&self.config.database, COLLECTION);
        self.ask_with(needed, what, operation).await
    }

    /// The same, where it takes a privilege of its own.
    async fn ask_with<T>(
        &self,
        needed: Privilege,
        what: &'static str,
        operation: impl Future<Output = Result<T, mongodb::error::Error>>,
    ) -> Result<T, mongo::Error> {
        match self.mongo.deadline(what, operation).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.mongo.explain(error, &[needed]).await),
        }
    }

    /// Deletes the documents that match, and says how many they were.
    async fn delete(&self, condition: Document) -> Result<u64, mongo::Error> {
        let delete = self
            .collection
            .delete_many(condition)
            .write_concern(WriteConcern::majority());
        let needed = Privilege::to_change(&self.config.database, COLLECTION);
        let deleted = self.ask_with(needed, "a checkpoint save", delete.into_future());
        Ok(deleted.await?.deleted_count)
    }

    /// Whether documents may be deleted, asked before anything is written that a refusal would leave half done.
    async fn may_delete(&self) -> Result<(), mongo::Error> {
        let nothing: [Bson; 0] = [];
        let asked = self.delete(doc! { "_id": { "$in": &nothing[..] } });
        asked.await.map(|_| ())
    }

    fn document(&self, position: &Position) -> Document {
        let mut document = doc! {
            "_id": &self.config.pipeline,
            "version": self.version,
            "revision": self.revision + 1,
        };
        position.write(&mut document);
        document.extend(doc! {
            "sent_until": self.sent_until,
            "saved_at": DateTime::now(),
            "writer": self.writer,
            "scope": self.config.scope.document(),
        });
        if self.ignored.iter().any(|id| *id != 0) {
            document.insert("ignored_ids", self.ignored.clone());
        }
        if let Some(snapshot) = &self.snapshot {
            document.insert("snapshot", snapshot.clone());
        }
        document
    }

    /// What is wrong with the document.
    pub fn unreadable(&self, reason: &'static str) -> Error {
        self.unreadable_of(&self.config.pipeline, reason)
    }

    fn unreadable_of(&self, name: &str, reason: &'static str) -> Error {
        Error::Unreadable {
            name: self.name_of(name),
            reason,
        }
    }

    fn failed(&self, action: &'static str, source: mongo::Error) -> Error {
        Error::Mongo {
            action,
            name: self.name(),
            source,
        }
    }

    fn name(&self) -> String {
        self.name_of(&self.config.pipeline)
    }

    fn name_of(&self, name: &str) -> String {
        format!("`{}.{COLLECTION}` `_id: {name:?}`", self.config.database)
    }
}

fn as_integer(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        _ => None,
    }
}

fn is_duplicate_key(error: &mongodb::error::Error) -> bool {
    use mongodb::error::{ErrorKind, WriteFailure};
    matches!(error.kind.as_ref(), ErrorKind::Write(WriteFailure::WriteError(failure)) if failure.code == 11000)
}
