//! One open change stream: its pipeline, its options, its next event.

use std::{pin::pin, task::Poll, time::Duration};

use bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::{
    change_stream::{
        ChangeStream,
        event::{ChangeStreamEvent, ResumeToken},
    },
    error::{Error as DriverError, ErrorKind},
    options::{FullDocumentType, ServerAddress},
};
use tokio::time::error::Elapsed;

use super::{Config, Error, Item, Refusal, split::Assembly};
use crate::{
    event::{ChangeEvent, Operation},
    mongo::{self, Mongo},
    position::Position,
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
pub(super) struct Stream {
    events: ChangeStream<RawDocumentBuf>,
    mongo: Mongo,
    /// The primary when the stream was opened.
    primary: Option<ServerAddress>,
    database: String,
    /// None where the server cannot split an event.
    assembly: Option<Assembly>,
}

/// How a read ended.
pub(super) enum Read {
    /// The driver's answer: an event, or none where the server had nothing for a while.
    Done(Result<Option<RawDocumentBuf>, DriverError>),
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
        let stream = opened
            .map_err(|_| late(database))?
            .map_err(|error| refused(mongo, database, position, error))?;
        Ok(Self {
            events: stream.with_type(),
            primary: mongo.primary().now(),
            mongo: mongo.clone(),
            database: database.clone(),
            assembly,
        })
    }

    /// Reads on. Awaits `pause` before it waits for the server, and not where something was read before.
    ///
    /// # Cancel safety
    /// Not cancel safe: a read that is dropped loses its batch. Reopen the stream after the last item.
    pub(super) async fn read(&mut self, pause: impl Future<Output = ()>) -> Read {
        let mut read = pin!(self.events.next_if_any());
        if let Poll::Ready(read) = futures_util::poll!(read.as_mut()) {
            return Read::Done(read);
        }
        pause.await;
        tokio::select! {
            biased;
            read = tokio::time::timeout(READ_TIMEOUT, read) => read.map_or(Read::Late, Read::Done),
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
            Read::Done(Ok(Some(raw))) => self.event(raw, after),
            Read::Done(Ok(None)) if !self.events.is_alive() => Err(Error::Closed {
                database: self.database.clone(),
            }),
            Read::Done(Ok(None)) => Ok(self.idle_position(&after()).map(Item::Idle)),
            Read::Done(Err(error)) => Err(failed(&self.mongo, &self.database, &after(), error)),
            Read::Late => Err(late(&self.database)),
            Read::Moved => Err(moved(&self.database)),
        }
    }

    fn event(
        &mut self,
        raw: RawDocumentBuf,
        after: &dyn Fn() -> Position,
    ) -> Result<Option<Item>, Error> {
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
        let event = ChangeEvent::parse(raw).map_err(|source| Error::Event {
            database: self.database.clone(),
            after: after().to_string(),
            source,
        })?;
        Ok(Some(Item::Event(event)))
    }

    /// The position after a read without events, where it is a new one.
    fn idle_position(&mut self, after: &Position) -> Option<Position> {
        if self.assembly.as_ref().is_some_and(Assembly::is_begun) {
            // The stream's token is that of a part: resuming there would lose the parts before it.
            return None;
        }
        let token = bson::serialize_to_raw_document_buf(&self.events.resume_token()?).ok()?;
        if matches!(after, Position::After { token: same, .. } if *same == token) {
            return None;
        }
        Some(Position::After {
            token,
            cluster_time: None,
        })
    }
}

async fn watch(
    mongo: &Mongo,
    config: &Config,
    position: &Position,
    splits: bool,
) -> Result<Result<ChangeStream<ChangeStreamEvent<Document>>, DriverError>, Elapsed> {
    let mut pipeline = vec![doc! { "$match": filter(config) }];
    if splits {
        pipeline.push(doc! { SPLIT: {} });
    }
    let watched = mongo.client().database(&config.database);
    let mut watch = watched
        .watch()
        .pipeline(pipeline)
        .batch_size(BATCH_EVENTS)
        .max_await_time(AWAIT_TIME);
    if config.operations.contains(&Operation::Update) {
        watch = watch.full_document(FullDocumentType::UpdateLookup);
    }
    watch = match position {
        Position::At(time) => watch.start_at_operation_time(*time),
        // `startAfter` does what `resumeAfter` does and also works after an invalidate.
        Position::After { token, .. } => watch.start_after(resume_token(token)),
    };
    tokio::time::timeout(READ_TIMEOUT, watch.into_future()).await
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

fn resume_token(token: &RawDocumentBuf) -> ResumeToken {
    let token = Document::try_from(&**token)
        .expect("a token comes from an event or from a checked checkpoint");
    bson::deserialize_from_bson(Bson::Document(token)).expect("any value is a resume token")
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
    if code(&error) == Some(UNKNOWN_STAGE) {
        // The driver resumed on a member of an older release; opening again finds out.
        return Error::Closed {
            database: database.to_owned(),
        };
    }
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
