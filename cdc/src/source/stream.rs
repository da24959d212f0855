//! One open change stream: its pipeline, its options, its next event.

use std::time::Duration;

use bson::{Document, Timestamp, doc};
use bytes::Bytes;
use futures_util::StreamExt as _;
use mongodb::{
    error::{Error as DriverError, ErrorKind},
    options::ServerAddress,
    raw_batch_cursor::{RawBatch, RawBatchCursor},
};

use super::{
    Error, Item, Refusal, Scope,
    pace::Pace,
    patience::{Overdue, Patience},
    split::Assembly,
    stages,
};
use crate::{
    event::{self, ChangeEvent},
    mongo::{self, Mongo},
    position::Position,
    raw_bson,
    reply::{self, Reply},
    retry::Disposition,
};

/// Events per read. Bounds the memory of a read of small documents; the server bounds it at 16 MB otherwise.
const BATCH_EVENTS: u32 = 1_000;
/// Longest wait of the server for new events in one read.
const AWAIT_TIME: Duration = Duration::from_secs(1);

/// What a server answers that does not know a stage.
const UNKNOWN_STAGE: i32 = 40324;
/// What a server answers that does not know an expression: `$tsIncrement` is there from MongoDB 5.1 on.
const UNKNOWN_EXPRESSION: i32 = 168;
/// What a server answers when an event is too large to be sent.
const EVENT_TOO_LARGE: i32 = 10334;
/// What a server answers when a document before or after a change is required and it has none.
const NO_IMAGE: i32 = 47;

/// An open change stream of raw BSON.
///
/// It is the cursor of an aggregation and not the driver's `ChangeStream`, which copies each event twice, and resumes by
/// itself at a token that is already past an event that it could not decode.
pub(super) struct Stream {
    replies: RawBatchCursor,
    batch: Option<Reply>,
    mongo: Mongo,
    /// The primary when the stream was opened.
    primary: Option<ServerAddress>,
    database: String,
    /// None where the server cannot split an event.
    assembly: Option<Assembly>,
    pace: Pace,
    patience: Patience,
    /// The server's time at its last reply.
    now: Timestamp,
}

/// How to open a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    /// The server's time.
    pub(super) now: Timestamp,
    /// How to read.
    pub(super) pace: Pace,
    /// How long to wait for each reply.
    pub(super) patience: Patience,
}

/// How a read ended.
pub(super) enum Read {
    /// There was an event left of an earlier reply.
    Event(Result<Bytes, raw_bson::Error>),
    /// The server replied, with events or without; none where it ended the stream.
    Reply(Option<Result<RawBatch, DriverError>>),
    /// There was no answer for too long.
    Overdue(Overdue),
    /// Another member has become primary.
    Moved,
}

/// What a read brought.
pub(super) enum Brought {
    /// An event, or a new position without one.
    Item(Item),
    /// Neither.
    Nothing,
    /// The server is alive and busy; the stream is to be opened again.
    Slow,
}

impl Stream {
    /// Opens the stream, with large events split where the server can do that. The server itself is asked, because in a
    /// set whose members are of two releases its version may differ from that of the one that was asked before. `None`
    /// where the server is alive and busy, and skimming may help.
    pub(super) async fn open(
        mongo: &Mongo,
        scope: &Scope,
        position: &Position,
        opening: Opening,
    ) -> Result<Option<Self>, Error> {
        let database = &scope.databases.to_string();
        let pace = opening.pace;
        let (mut splits, mut with_sample) = (true, pace.is_skimming());
        let primary = mongo.primary().now();
        let replies = loop {
            let stages = stages::at(position, scope, with_sample, splits);
            let outcome = tokio::select! {
                outcome = watch(mongo, scope.databases.stream(), stages, pace) => outcome,
                () = mongo.primary().moved(primary.as_ref()) => return Err(moved(database)),
                overdue = opening.patience.overdue(mongo, database, pace.may_skim()) => match overdue {
                    Overdue::Gone(error) => return Err(error),
                    Overdue::Busy => return Ok(None),
                },
            };
            match outcome {
                Ok(replies) => break replies,
                Err(error) if splits && code(&error) == Some(UNKNOWN_STAGE) => splits = false,
                Err(error) if with_sample && code(&error) == Some(UNKNOWN_EXPRESSION) => {
                    with_sample = false;
                }
                Err(error) => return Err(refused(mongo, database, position, error)),
            }
        };
        Ok(Some(Self {
            replies,
            batch: None,
            primary,
            mongo: mongo.clone(),
            database: database.clone(),
            assembly: splits.then(Assembly::default),
            pace,
            patience: opening.patience,
            now: opening.now,
        }))
    }

    /// The server's time at its last reply.
    pub(super) fn now(&self) -> Timestamp {
        self.now
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
            reply = self.replies.next() => Read::Reply(reply),
            () = self.mongo.primary().moved(self.primary.as_ref()) => Read::Moved,
            overdue = self.patience.overdue(&self.mongo, &self.database, self.pace.may_skim()) => Read::Overdue(overdue),
        }
    }

    /// What was read. A position without an event counts if it is beyond `after`, the one after the item before.
    pub(super) fn item(
        &mut self,
        read: Read,
        after: &dyn Fn() -> Position,
    ) -> Result<Brought, Error> {
        let item = match read {
            Read::Event(event) => self.event(event, after)?,
            Read::Reply(Some(Ok(reply))) => self.reply(reply, after)?,
            Read::Reply(Some(Err(error))) => {
                return Err(failed(&self.mongo, &self.database, &after(), error));
            }
            Read::Reply(None) => {
                return Err(Error::Closed {
                    database: self.database.clone(),
                });
            }
            Read::Overdue(Overdue::Busy) => return Ok(Brought::Slow),
            Read::Overdue(Overdue::Gone(error)) => return Err(error),
            Read::Moved => return Err(moved(&self.database)),
        };
        Ok(item.map_or(Brought::Nothing, Brought::Item))
    }

    fn reply(
        &mut self,
        reply: RawBatch,
        after: &dyn Fn() -> Position,
    ) -> Result<Option<Item>, Error> {
        let batch =
            Reply::open(reply).map_err(|source| self.unreadable(after, named_in_events(source)))?;
        self.now = batch.operation_time().unwrap_or(self.now);
        self.patience = Patience::default();
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

    /// The position after a reply without events, where it is beyond `after`.
    fn idle_position(&self, batch: &Reply, after: &Position) -> Option<Position> {
        if self.assembly.as_ref().is_some_and(Assembly::is_begun) {
            // The stream's token is that of a part: resuming there would lose the parts before it.
            return None;
        }
        let token = batch.resume_token()?;
        let position = Position::After {
            token,
            cluster_time: None,
        };
        position.is_beyond(after).then_some(position)
    }
}

/// See [`super::probe`]. A server that is busy looking for the first event has accepted the position.
pub(super) async fn probe(mongo: &Mongo, scope: &Scope, position: &Position) -> Result<(), Error> {
    let now = mongo.preflight().await;
    let opening = Opening {
        now: now.map_err(|source| Error::Mongo {
            database: scope.databases.to_string(),
            source,
        })?,
        pace: Pace::default(),
        patience: Patience::default(),
    };
    let stream = Stream::open(mongo, scope, position, opening).await?;
    drop(stream);
    Ok(())
}

/// Asks the server whether it takes the scope's options and stages, where they are not plain. An error of theirs would be
/// taken for a refusal of the position otherwise, since nothing else varies from one opening to the next.
pub(super) async fn check_options(mongo: &Mongo, scope: &Scope) -> Result<(), Error> {
    if scope.is_plain() {
        return Ok(());
    }
    let database = scope.databases.stream();
    let open = doc! {
        "aggregate": 1,
        "pipeline": stages::anywhere(scope),
        // Nothing is read: an event that nobody asked for may have what the stages do not take.
        "cursor": { "batchSize": 0 },
    };
    let opened = mongo
        .run("a look at the change stream", database, open)
        .await;
    let source = match opened {
        Ok(reply) => {
            forget(mongo, database, &reply).await;
            return Ok(());
        }
        Err(source) => source,
    };
    Err(match &source {
        mongo::Error::Driver(error) if source.disposition() == Disposition::Halt => {
            match Refusal::of_token(error) {
                Some(refusal) => Error::Options(refusal),
                None => unopened(scope, source),
            }
        }
        _ => unopened(scope, source),
    })
}

fn unopened(scope: &Scope, source: mongo::Error) -> Error {
    Error::Mongo {
        database: scope.databases.to_string(),
        source,
    }
}

/// Gives the cursor of `reply` back; a server forgets it by itself otherwise, minutes later.
async fn forget(mongo: &Mongo, database: &str, reply: &Document) {
    let cursor = reply.get_document("cursor");
    let id = cursor.and_then(|cursor| cursor.get_i64("id"));
    if let Ok(id) = id {
        let kill = doc! { "killCursors": "$cmd.aggregate", "cursors": [id] };
        let _ = mongo.run("the end of a look", database, kill).await;
    }
}

/// The command is our own because the driver takes one size for the first batch and the others. To skim is to have an
/// empty one first: the server fills a first batch before it sends it, whatever its size.
async fn watch(
    mongo: &Mongo,
    database: &str,
    stages: Vec<Document>,
    pace: Pace,
) -> Result<RawBatchCursor, DriverError> {
    let (first, then) = if pace.is_skimming() {
        (0, 1)
    } else {
        (BATCH_EVENTS, BATCH_EVENTS)
    };
    let command = doc! {
        "aggregate": 1,
        "pipeline": stages,
        "cursor": { "batchSize": first },
        "readConcern": { "level": "majority" },
    };
    let watched = mongo.client().database(database);
    let mut opening = watched
        .run_cursor_command(command)
        .batch_size(then)
        .max_time(AWAIT_TIME);
    if let Some(criteria) = watched.selection_criteria() {
        opening = opening.selection_criteria(criteria.clone());
    }
    opening.batch().await
}

/// What is wrong with a reply, as what is wrong with its events.
fn named_in_events(error: reply::Error) -> event::Error {
    match error {
        reply::Error::Corrupt(error) => event::Error::Corrupt(error),
        reply::Error::Missing(name) => event::Error::Missing(name),
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
        Position::At(_) => Refusal::of_position(&error),
        Position::After { .. } => Refusal::of_token(&error),
    };
    named(mongo, database, position, error, refusal)
}

/// Names a failure to read.
fn failed(mongo: &Mongo, database: &str, after: &Position, error: DriverError) -> Error {
    let refusal = Refusal::of_position(&error);
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
    let no_image = Refusal::of_token(&error).filter(|_| code(&error) == Some(NO_IMAGE));
    let (database, position) = (database.to_owned(), position.to_string());
    let source = mongo.name(error);
    let is_about_the_position =
        matches!(source, mongo::Error::Driver(_)) && source.disposition() == Disposition::Halt;
    match refusal {
        _ if is_too_large => Error::TooLarge {
            database,
            after: position,
        },
        _ if let Some(refusal) = no_image => Error::NoImage {
            database,
            after: position,
            message: refusal.message,
        },
        Some(refusal) if is_about_the_position => Error::HistoryLost {
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
