//! What people ask of snapshots, and what the engine tells of them: one document per run, in the checkpoint's database.
//!
//! Whoever asks puts the document there and changes no more than what is `wanted`; the engine that leads writes the rest.
//! Its format carries a version; a newer one is refused, not guessed.

mod error;
mod filter;
mod stored;

use bson::{Bson, DateTime, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::{
    Collection,
    options::{ReadConcern, ReadPreference, SelectionCriteria, WriteConcern},
};

use self::stored::{Id, VERSION};
pub use self::{error::Error, filter::Filter};
use crate::mongo::{Mongo, Privilege};

/// Collection that holds the requests, in the checkpoint database.
pub const COLLECTION: &str = "snapshots";

/// One run: what was asked for, and how far it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its name, of which the pipeline has one.
    pub run: String,
    /// Names and patterns of collections; all that are watched where there are none.
    pub collections: Option<Vec<String>>,
    /// Which documents; all where there is none.
    pub filter: Option<Filter>,
    /// Most documents in a second.
    pub rate: Option<u32>,
    /// When it was asked for, by which runs take turns.
    pub requested_at: DateTime,
    /// What becomes of it, as whoever asks wants it.
    pub wanted: Wanted,
    /// How it is.
    pub state: State,
    /// Why it is so, where that is not plain.
    pub reason: Option<String>,
    /// When it began.
    pub started_at: Option<DateTime>,
    /// When it ended, in whatever way.
    pub ended_at: Option<DateTime>,
    /// Documents that were published.
    pub documents: u64,
    /// Bytes of them, as BSON.
    pub bytes: u64,
    /// Collections that were left out, and why.
    pub skipped: Vec<(String, String)>,
}

/// What becomes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// It goes on.
    Run,
    /// It waits until it shall go on.
    Pause,
    /// It ends where it is.
    Cancel,
}

/// How a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has not begun.
    Waiting,
    /// Documents are read.
    Running,
    /// It waits until it shall go on.
    Paused,
    /// It came to its end.
    Done,
    /// It was ended by whoever asked.
    Cancelled,
    /// It cannot go on.
    Failed,
}

/// What the engine tells of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it is.
    pub state: State,
    /// Why, where that is not plain.
    pub reason: Option<String>,
    /// When it began.
    pub started_at: Option<DateTime>,
    /// When it ended.
    pub ended_at: Option<DateTime>,
    /// Documents that were published.
    pub documents: u64,
    /// Bytes of them, as BSON.
    pub bytes: u64,
    /// Collections that were left out, and why.
    pub skipped: Vec<(String, String)>,
}

/// The requests of one pipeline.
#[derive(Debug, Clone)]
pub struct Requests {
    mongo: Mongo,
    collection: Collection<Document>,
    pipeline: String,
}

impl Requests {
    /// Prepares it; nothing is read yet.
    pub fn new(mongo: &Mongo, database: &str, pipeline: &str) -> Self {
        Self {
            mongo: mongo.clone(),
            collection: mongo.client().database(database).collection(COLLECTION),
            pipeline: pipeline.to_owned(),
        }
    }

    /// Puts a request there, durable on a majority when this returns.
    ///
    /// # Errors
    /// [`Error::Exists`] where there was a run of its name.
    pub async fn submit(&self, request: &Request) -> Result<(), Error> {
        if self.insert(request).await? {
            return Ok(());
        }
        let present = self.get(&request.run).await?;
        Err(Error::Exists {
            run: request.run.clone(),
            state: present.map_or(State::Waiting, |present| present.state),
        })
    }

    /// Puts a run of the engine's own there, so that people see it and can pause it. One that is there stays as it is.
    ///
    /// # Errors
    /// MongoDB failed.
    pub async fn announce(&self, request: &Request) -> Result<(), Error> {
        self.insert(request).await.map(|_| ())
    }

    /// All runs there ever were, the first that was asked for first.
    ///
    /// # Errors
    /// MongoDB failed, or a document is not readable.
    pub async fn list(&self) -> Result<Vec<Request>, Error> {
        self.find(doc! {}).await
    }

    /// The runs that are not over, the first that was asked for first.
    ///
    /// # Errors
    /// MongoDB failed, or a document is not readable.
    pub async fn active(&self) -> Result<Vec<Request>, Error> {
        self.find(doc! { "state": { "$nin": State::ended() } })
            .await
    }

    /// The run of that name, if there is one.
    ///
    /// # Errors
    /// MongoDB failed, or the document is not readable.
    pub async fn get(&self, run: &str) -> Result<Option<Request>, Error> {
        let find = self.collection.find_one(doc! { "_id": self.id(run) });
        let find = find
            .read_concern(ReadConcern::majority())
            .selection_criteria(primary());
        let found = self.ask("load", run, find.into_future()).await?;
        found.map(|found| self.read(&found)).transpose()
    }

    /// Says what shall become of a run that is not over. One that is to be cancelled stays so.
    ///
    /// # Errors
    /// [`Error::NotThere`], [`Error::Ended`] and [`Error::Cancelled`] say why not.
    pub async fn set_wanted(&self, run: &str, wanted: Wanted) -> Result<(), Error> {
        let mut present = doc! { "_id": self.id(run), "version": { "$lte": VERSION } };
        present.insert("state", doc! { "$nin": State::ended() });
        if wanted != Wanted::Cancel {
            present.insert("wanted", doc! { "$ne": Wanted::Cancel.name() });
        }
        let change = doc! { "$set": { "wanted": wanted.name() } };
        if self.update(run, present, change).await? {
            return Ok(());
        }
        let run = run.to_owned();
        Err(match self.get(&run).await? {
            None => Error::NotThere { run },
            Some(Request { state, .. }) if state.is_ended() => Error::Ended { run, state },
            Some(_) => Error::Cancelled { run },
        })
    }

    /// Tells how a run is, durable on a majority when this returns; false where nobody asked for it, or its document is
    /// gone.
    ///
    /// # Errors
    /// MongoDB failed.
    pub async fn report(&self, run: &str, report: &Report) -> Result<bool, Error> {
        let change = doc! { "$set": report.document() };
        self.update(run, doc! { "_id": self.id(run) }, change).await
    }

    /// False where there is a run of its name.
    async fn insert(&self, request: &Request) -> Result<bool, Error> {
        let insert = self
            .collection
            .insert_one(request.document(self.id(&request.run)))
            .write_concern(WriteConcern::majority());
        match self.ask("save", &request.run, insert.into_future()).await {
            Err(error) if error.is_duplicate_key() => Ok(false),
            result => result.map(|_| true),
        }
    }

    /// Whether there was a document to be changed.
    async fn update(&self, run: &str, present: Document, change: Document) -> Result<bool, Error> {
        let update = self
            .collection
            .update_one(present, change)
            .write_concern(WriteConcern::majority());
        let updated = self.ask("save", run, update.into_future()).await?;
        Ok(updated.matched_count == 1)
    }

    /// The pipeline's own by the index on `_id`, which has the pipeline's name first.
    async fn find(&self, mut condition: Document) -> Result<Vec<Request>, Error> {
        let first = doc! { "pipeline": &self.pipeline };
        let last = doc! { "pipeline": &self.pipeline, "run": Bson::MaxKey };
        condition.insert("_id", doc! { "$gte": first, "$lte": last });
        let find = self
            .collection
            .find(condition)
            .sort(doc! { "requested_at": 1, "_id": 1 })
            .read_concern(ReadConcern::majority())
            .selection_criteria(primary());
        let find = async { find.await?.try_collect::<Vec<Document>>().await };
        let found = self.ask("load", "*", find).await?;
        found.iter().map(|found| self.read(found)).collect()
    }

    async fn ask<T>(
        &self,
        action: &'static str,
        run: &str,
        operation: impl Future<Output = Result<T, mongodb::error::Error>>,
    ) -> Result<T, Error> {
        match self.mongo.deadline("a snapshot's request", operation).await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let database = self.collection.namespace().db;
                let needed = [Privilege::to_save(&database, COLLECTION)];
                Err(Error::Mongo {
                    action,
                    name: self.name(run),
                    source: self.mongo.explain(error, &needed).await,
                })
            }
        }
    }

    fn read(&self, document: &Document) -> Result<Request, Error> {
        let id = Id::of(document);
        let name = || self.name(id.run.unwrap_or("?"));
        stored::check_version(document).map_err(|found| Error::Newer {
            name: name(),
            found,
        })?;
        Request::read(document).map_err(|reason| Error::Unreadable {
            name: name(),
            reason,
        })
    }

    fn id(&self, run: &str) -> Document {
        doc! { "pipeline": &self.pipeline, "run": run }
    }

    fn name(&self, run: &str) -> String {
        let (database, pipeline) = (self.collection.namespace().db, &self.pipeline);
        format!("`{database}.{COLLECTION}` `pipeline: {pipeline:?}, run: {run:?}`")
    }
}

fn primary() -> SelectionCriteria {
    SelectionCriteria::ReadPreference(ReadPreference::Primary)
}
