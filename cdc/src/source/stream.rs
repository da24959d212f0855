//! One open change stream: its pipeline, its options, its next event.

use std::time::Duration;

use bson::{Document, RawDocumentBuf, doc};
use bytes::Bytes;
use futures_util::StreamExt as _;
use mongodb::{
    error::{Error as DriverError, ErrorKind},
    options::ServerAddress,
    raw_batch_cursor::{RawBatch, RawBatchCursor},
};
use tokio::time::error::Elapsed;

use super::{Config, Error, Item, Refusal, batch::Batch, split::Assembly};
use crate::{
    event::{self, ChangeEvent, Operation},
    mongo::{self, Mongo},
    position::Position,
    raw_bson,
    retry::Disposition,
};

/// Events per read. Bounds the memory of a read of small documents; the server bounds it at 16 MB otherwise.
const BATCH_EVENTS: u32 = 1_000;
/// Longest wait of the server for new events in one read.
const AWAIT_TIME: Duration = Duration::from_secs(1);
/// Longest wait for the answer to a read, after which the connection counts as dead.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Cuts an event over 16 MB into parts. From MongoDB 6.0.9 on, and from 7.0 on, but not in 6.1 to 6.3.
const SPLIT: &str = "$changeStreamSplitLargeEvent";
/// What a server answers that does not know a stage.
const UNKNOWN_STAGE: i32 = 40324;
/// What a server answers when an event is too large to be sent.
const EVENT_TOO_LARGE: i32 = 10334;

/// An open change stream of raw BSON.
///
/// It is the cursor of an aggregation and not the driver's `ChangeStream`, which copies each event twice, and resumes by
/// itself at a token that is already past an event that it could not decode.
pub(super) struct Stream {
    replies: RawBatchCursor,
    batch: Option<Batch>,
    mongo: Mongo,
    /// The primary when the stream was opened.
    primary: Option<ServerAddress>,
    database: String,
    /// None where the server cannot split an event.
    assembly: Option<Assembly>,
}

/// How a read ended.
pub(super) enum Read {
    /// There was an event left of an earlier reply.
    Event(Result<Bytes, raw_bson::Error>),
    /// The server replied, with events or without; none where it ended the stream.
    Reply(Option<Result<RawBatch, DriverError>>),
    /// There was no answer.
    Late,
    /// Another member has become primary.
    Moved,
}

impl Stream {
    /// Opens the stream, with large events split where the server can do that. The server itself is asked, because in a
    /// set whose members are of two releases its version may differ from that of the one that was asked before.
    pub(super) async fn open(
        mongo: &Mongo,
        config: &Config,
        position: &Position,
    ) -> Result<Self, Error> {
        let mut assembly = Some(Assembly::default());
        let mut opened = watch(mongo, config, position, true).await;
        if let Ok(Err(error)) = &opened
            && code(error) == Some(UNKNOWN_STAGE)
        {
            assembly = None;
            opened = watch(mongo, config, position, false).await;
        }
        let database = &config.database;
        let replies = opened
            .map_err(|_| late(database))?
            .map_err(|error| refused(mongo, database, position, error))?;
        Ok(Self {
            replies,
            batch: None,
            primary: mongo.primary().now(),
            mongo: mongo.clone(),
            database: database.clone(),
            assembly,
        })
    }

    /// Reads on. Awaits `pause` before it waits for the server, and not where something was read before.
    ///
    /// # Cancel safety
    /// As safe as `pause` is: a read that is under way goes on with the next call.
    pub(super) async fn read(&mut self, pause: impl Future<Output = ()>) -> Read {
        if let Some(event) = self.batch.as_mut().and_then(Iterator::next) {
            return Read::Event(event);
        }
        // Its memory is free before the next one is read.
        self.batch = None;
        pause.await;
        tokio::select! {
            biased;
            reply = tokio::time::timeout(READ_TIMEOUT, self.replies.next()) => {
                reply.map_or(Read::Late, Read::Reply)
            }
            () = self.mongo.primary().moved(self.primary.as_ref()) => Read::Moved,
        }
    }

    /// The item that was read, or `None` where there was neither an event nor a position other than `after`, which is
    /// the one after the item before.
    pub(super) fn item(
        &mut self,
        read: Read,
        after: &dyn Fn() -> Position,
    ) -> Result<Option<Item>, Error> {
        match read {
            Read::Event(event) => self.event(event, after),
            Read::Reply(Some(Ok(reply))) => self.reply(reply, after),
            Read::Reply(Some(Err(error))) => {
                Err(failed(&self.mongo, &self.database, &after(), error))
            }
            Read::Reply(None) => Err(Error::Closed {
                database: self.database.clone(),
            }),
            Read::Late => Err(late(&self.database)),
            Read::Moved => Err(moved(&self.database)),
        }
    }

    fn reply(
        &mut self,
        reply: RawBatch,
        after: &dyn Fn() -> Position,
    ) -> Result<Option<Item>, Error> {
        let batch = Batch::open(reply).map_err(|source| self.unreadable(after, source))?;
        if batch.is_empty() {
            return Ok(self.idle_position(&batch, &after()).map(Item::Idle));
        }
        self.batch = Some(batch);
        Ok(None)
    }

    fn event(
        &mut self,
        raw: Result<Bytes, raw_bson::Error>,
        after: &dyn Fn() -> Position,
    ) -> Result<Option<Item>, Error> {
        let raw = raw.map_err(|source| self.unreadable(after, source.into()))?;
        let whole = match &mut self.assembly {
            Some(assembly) => assembly.add(raw),
            None => Ok(Some(raw)),
        };
        let whole = whole.map_err(|source| Error::Split {
            database: self.database.clone(),
            after: after().to_string(),
            source,
        })?;
        let Some(raw) = whole else {
            return Ok(None);
        };
        let event = ChangeEvent::parse(raw).map_err(|source| self.unreadable(after, source))?;
        Ok(Some(Item::Event(event)))
    }

    fn unreadable(&self, after: &dyn Fn() -> Position, source: event::Error) -> Error {
        Error::Event {
            database: self.database.clone(),
            after: after().to_string(),
            source,
        }
    }

    /// The position after a reply without events, where it is a new one.
    fn idle_position(&self, batch: &Batch, after: &Position) -> Option<Position> {
        if self.assembly.as_ref().is_some_and(Assembly::is_begun) {
            // The stream's token is that of a part: resuming there would lose the parts before it.
            return None;
        }
        let token = batch.resume_token()?;
        if matches!(after, Position::After { token: same, .. } if *same == token) {
            return None;
        }
        Some(Position::After {
            token,
            cluster_time: None,
        })
    }
}

/// <https://www.mongodb.com/docs/manual/reference/operator/aggregation/changeStream/>.
async fn watch(
    mongo: &Mongo,
    config: &Config,
    position: &Position,
    splits: bool,
) -> Result<Result<RawBatchCursor, DriverError>, Elapsed> {
    let mut stage = match position {
        Position::At(time) => doc! { "startAtOperationTime": *time },
        // `startAfter` does what `resumeAfter` does and also works after an invalidate.
        Position::After { token, .. } => doc! { "startAfter": resume_token(token) },
    };
    if config.operations.contains(&Operation::Update) {
        stage.insert("fullDocument", "updateLookup");
    }
    let mut pipeline = vec![
        doc! { "$changeStream": stage },
        doc! { "$match": filter(config) },
    ];
    if splits {
        pipeline.push(doc! { SPLIT: {} });
    }
    let watched = mongo.client().database(&config.database);
    let opening = watched
        .aggregate(pipeline)
        .batch_size(BATCH_EVENTS)
        .max_await_time(AWAIT_TIME)
        .batch();
    tokio::time::timeout(READ_TIMEOUT, opening).await
}

/// Lets through what was asked for, and always the end of the stream.
fn filter(config: &Config) -> Document {
    let names = config.operations.iter().map(|operation| operation.as_str());
    if config.collections.is_empty() {
        let names: Vec<&str> = names.chain(["invalidate"]).collect();
        return doc! { "operationType": { "$in": names } };
    }
    let names: Vec<&str> = names.collect();
    let mut whole = vec!["invalidate"];
    if config.operations.contains(&Operation::DropDatabase) {
        whole.push("dropDatabase");
    }
    doc! { "$or": [
        { "operationType": { "$in": names }, "ns.coll": { "$in": &config.collections } },
        { "operationType": { "$in": whole } },
    ] }
}

fn resume_token(token: &RawDocumentBuf) -> Document {
    Document::try_from(&**token).expect("a token comes from an event or from a checked checkpoint")
}

fn late(database: &str) -> Error {
    let source = mongo::Error::TimedOut {
        what: "a change stream read",
        after: READ_TIMEOUT,
    };
    Error::Mongo {
        database: database.to_owned(),
        source,
    }
}

fn moved(database: &str) -> Error {
    Error::Mongo {
        database: database.to_owned(),
        source: mongo::Error::Moved,
    }
}

/// Names a failure to open.
///
/// The server's errors about a token are many and have no class of their own, but nothing else varies from one opening
/// to the next: any that neither passes nor is about the user is taken for one.
fn refused(mongo: &Mongo, database: &str, position: &Position, error: DriverError) -> Error {
    let refusal = match position {
        Position::At(_) => Refusal::of_place(&error),
        Position::After { .. } => Refusal::of_token(&error),
    };
    named(mongo, database, position, error, refusal)
}

/// Names a failure to read.
fn failed(mongo: &Mongo, database: &str, after: &Position, error: DriverError) -> Error {
    let refusal = Refusal::of_place(&error);
    named(mongo, database, after, error, refusal)
}

fn named(
    mongo: &Mongo,
    database: &str,
    position: &Position,
    error: DriverError,
    refusal: Option<Refusal>,
) -> Error {
    let is_too_large = code(&error) == Some(EVENT_TOO_LARGE);
    let (database, position) = (database.to_owned(), position.to_string());
    let source = mongo.name(error);
    let is_about_the_place =
        matches!(source, mongo::Error::Driver(_)) && source.disposition() == Disposition::Halt;
    match refusal {
        _ if is_too_large => Error::TooLarge {
            database,
            after: position,
        },
        Some(refusal) if is_about_the_place => Error::HistoryLost {
            database,
            position,
            source: refusal,
        },
        _ => Error::Mongo { database, source },
    }
}

fn code(error: &DriverError) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}
