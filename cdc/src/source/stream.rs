//! One open change stream: its pipeline, its options, its next event.

use std::time::Duration;

use bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::{
    change_stream::{ChangeStream, event::ResumeToken},
    options::{FullDocumentType, ServerAddress},
};

use super::{Config, Error, Item};
use crate::{
    event::{ChangeEvent, Operation},
    mongo::{self, Mongo},
    position::Position,
};

/// Events per read. Bounds the memory of a read of small documents; the server bounds it at 16 MB otherwise.
const BATCH_EVENTS: u32 = 1_000;
/// Longest wait of the server for new events in one read.
const AWAIT_TIME: Duration = Duration::from_secs(1);
/// Longest wait for the answer to a read, after which the connection counts as dead.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// An open change stream of raw BSON.
pub(super) struct Stream {
    events: ChangeStream<RawDocumentBuf>,
    mongo: Mongo,
    /// The primary when the stream was opened.
    primary: Option<ServerAddress>,
    idle_token: Option<ResumeToken>,
}

impl Stream {
    pub(super) async fn open(
        mongo: &Mongo,
        config: &Config,
        position: &Position,
    ) -> Result<Self, Error> {
        let database = &config.database;
        let watched = mongo.client().database(database);
        let mut watch = watched
            .watch()
            .pipeline([doc! { "$match": filter(config) }])
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
        let opened = tokio::time::timeout(READ_TIMEOUT, watch.into_future()).await;
        let stream = opened
            .map_err(|_| late(database))?
            .map_err(|error| classify(mongo, database, error))?;
        Ok(Self {
            events: stream.with_type(),
            primary: mongo.primary().now(),
            mongo: mongo.clone(),
            idle_token: None,
        })
    }

    /// The next item, or `None` where a read brought neither an event nor a new position.
    ///
    /// # Cancel safety
    /// Not cancel safe: a read that is dropped loses its batch. Reopen the stream after the last item.
    pub(super) async fn next(
        &mut self,
        database: &str,
        after: &Position,
    ) -> Result<Option<Item>, Error> {
        let read = tokio::select! {
            biased;
            read = tokio::time::timeout(READ_TIMEOUT, self.events.next_if_any()) => read,
            () = self.mongo.primary().moved(self.primary.as_ref()) => return Err(moved(database)),
        };
        let event = read
            .map_err(|_| late(database))?
            .map_err(|error| classify(&self.mongo, database, error))?;
        match event {
            Some(raw) => match ChangeEvent::parse(raw) {
                Ok(event) => Ok(Some(Item::Event(event))),
                Err(source) => Err(Error::Event {
                    database: database.to_owned(),
                    after: after.to_string(),
                    source,
                }),
            },
            None if !self.events.is_alive() => Err(Error::Closed {
                database: database.to_owned(),
            }),
            None => Ok(self.idle_position().map(Item::Idle)),
        }
    }

    /// The position after a read without events, where it is a new one.
    fn idle_position(&mut self) -> Option<Position> {
        let token = self.events.resume_token()?;
        if self.idle_token.as_ref() == Some(&token) {
            return None;
        }
        let raw = bson::serialize_to_raw_document_buf(&token).ok()?;
        self.idle_token = Some(token);
        Some(Position::After {
            token: raw,
            cluster_time: None,
        })
    }
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

/// 136, 260, 280, 286: the server cannot resume from where we were.
fn classify(mongo: &Mongo, database: &str, error: mongodb::error::Error) -> Error {
    use mongodb::error::ErrorKind;
    let lost = matches!(error.kind.as_ref(), ErrorKind::Command(command) if matches!(command.code, 136 | 260 | 280 | 286));
    let (database, source) = (database.to_owned(), mongo.name(error));
    if lost {
        Error::HistoryLost { database, source }
    } else {
        Error::Mongo { database, source }
    }
}
