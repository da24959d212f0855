//! What a person can do about an error of the library, which itself names no setting and no command.
//!
//! Each match is exhaustive, so a new error asks for its hint here.

mod health;
mod mongodb;
mod rabbitmq;
mod snapshot;

use std::borrow::Cow;

use serde_json::Value;

use cdc::{
    admin, app, checkpoint, mongo, operate, pipeline, rabbitmq::Danger, sink, source, start, tail,
};

pub(super) use health::advice;

/// For a message that is larger than the broker takes.
const OVERSIZE: &str = "the checkpoint is before this message: raise max_message_size in the broker's configuration, or \
     set CDC_ON_OVERSIZE to trim or park";

/// What a person can do.
pub(super) trait Hint {
    fn hint(&self) -> Option<Cow<'static, str>>;
}

impl Hint for app::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::Mongo(error) => return error.hint(),
            Self::Checkpoint(error) => return error.hint(),
            Self::Start(error) => return error.hint(),
            Self::Source(error) => return error.hint(),
            Self::Snapshot(cdc::snapshot::Error::Sharded) => Some(
                "set CDC_SNAPSHOT to never, CDC_ON_RENAME_IN to event and CDC_ON_HISTORY_LOST to stop or skip, and copy \
                 what exists by other means",
            ),
            Self::Publish(error) => return error.hint(),
            Self::Sink(error) => return error.hint(),
            Self::Pipeline(error) => return error.hint(),
            Self::Admin(error) => return error.hint(),
            Self::Interrupted => {
                Some("nothing is lost: what was not saved is published again on the next start")
            }
            Self::Snapshot(_) | Self::Signals(_) => None,
        };
        text.map(Cow::Borrowed)
    }
}

impl Hint for tail::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::Broker(error) => return error.hint(),
            Self::LookedTooOften { .. } => {
                Some("read the messages without --peek, which takes them")
            }
            Self::HoldsEnough { .. } => {
                Some("look at fewer with --count, or read the messages without --peek")
            }
            Self::Output(_) | Self::Signals(_) => None,
        };
        text.map(Cow::Borrowed)
    }
}

impl Hint for sink::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Rabbitmq(error) => error.hint(),
            // The binary has none.
            Self::Own { .. } | Self::Silent(_) => None,
        }
    }
}

impl Hint for source::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::Mongo { source, .. } => return source.hint(),
            Self::HistoryLost { .. } => Some(
                "the changes since the checkpoint are no longer in the oplog: copy what is missing, then start once with \
                 CDC_ON_HISTORY_LOST=skip to go on from now; a larger oplog prevents this",
            ),
            Self::Ahead { .. } => Some(
                "the cluster was restored from a backup, or the checkpoint is another cluster's: check what changed, then \
                 start once with CDC_ON_HISTORY_LOST=skip to go on from now",
            ),
            Self::Exhausted { .. } => {
                Some("the oplog is overwritten faster than it can be read: give it more room")
            }
            Self::TooLarge { .. } => Some(
                "MongoDB 6.0.9 and later of 6.0, and 7.0 and later, can send such an event in parts: upgrade the server; \
                 the checkpoint is before this event",
            ),
            Self::Split { .. } | Self::Event { .. } => {
                Some("the event stays first in line; report it with the server's version")
            }
            Self::NoImages {
                database,
                collection,
                ..
            } => return Some(keep_images(database, collection)),
            Self::NoImage { .. } => Some(
                "let the collection keep them (changeStreamPreAndPostImages), for as long as the engine may be away; to go on \
                 without them set CDC_FULL_DOCUMENT and CDC_FULL_DOCUMENT_BEFORE to when_available",
            ),
            Self::Nothing { .. } => Some(
                "correct CDC_COLLECTIONS, or create the collection before the first start; a name without * and ? may be of one \
                 that is still to come",
            ),
            Self::Options(_) => Some(
                "by the server's words, correct CDC_AGGREGATION; or leave out what takes MongoDB 6.0: operations such as create \
                 and createIndexes, CDC_FULL_DOCUMENT=required or when_available, and CDC_FULL_DOCUMENT_BEFORE",
            ),
            Self::Ended => Some("start again, and report it with the log"),
            Self::Slow { .. } | Self::Closed { .. } => None,
        };
        text.map(Cow::Borrowed)
    }
}

fn keep_images(database: &str, collection: &str) -> Cow<'static, str> {
    let (database, collection) = (Value::from(database), Value::from(collection));
    format!(
        "in mongosh, as an administrator: db.getSiblingDB({database}).runCommand({{ collMod: {collection}, \
         changeStreamPreAndPostImages: {{ enabled: true }} }})"
    )
    .into()
}

impl Hint for operate::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::Mongo(error) => return error.hint(),
            Self::Broker(error) => return error.hint(),
            Self::Checkpoint(error) => return error.hint(),
            Self::Start(error) => return error.hint(),
            Self::Source(source::Error::HistoryLost { .. }) => Some(
                "the oplog was cut meanwhile: begin later, and copy what happened before from the collections themselves",
            ),
            Self::Source(error) => return error.hint(),
            Self::Pipeline(error) => return error.hint(),
            Self::Running(_) => Some(
                "stop the engine, and those that stand by, with SIGTERM; `cdc checkpoint show` may be asked meanwhile",
            ),
            Self::Replaying(_) => Some("wait for its end, or choose another --queue"),
            Self::IsDivided(..) => Some("set CDC_SHARE to the share's i/N"),
            Self::CopyOfShares(_) => Some(
                "make it whole, copy it and divide both: cdc checkpoint divide 1; or give the other pipeline a place of its \
                 own: cdc checkpoint set",
            ),
            Self::ClearOfShare(_) => {
                Some("`cdc checkpoint set --now` lets the share go on with the next change")
            }
            Self::SnapshotAsked { .. } => Some(
                "start the engines and wait for its end, or let it not be taken: cdc snapshot cancel",
            ),
            Self::NoCheckpoint(_) => {
                Some("is CDC_PIPELINE its name, and CDC_CHECKPOINT_DATABASE its place?")
            }
            Self::NothingToUndo(_) => Some("`cdc checkpoint set` says from where to go on"),
            Self::Unreadable { .. } => Some("`cdc checkpoint set` gives it a readable one"),
            Self::Requests(error) => return error.hint(),
            Self::Snapshot(error) => return error.hint(),
            Self::Interrupted => Some("nothing is lost: run it again, with the same message_ids"),
            Self::Admin(error) => return error.hint(),
            Self::Overdue(_) | Self::Signals(_) => None,
        };
        text.map(Cow::Borrowed)
    }
}

impl Hint for operate::check::Advice {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::Node(error) => return error.hint(),
            Self::NoStreams(error) => return error.hint(),
            Self::Release(advisory) => Some(advisory.mend),
            Self::NoVersion(_) | Self::ConnectionString(_) | Self::Engine(_) => None,
            Self::Clock(_) => Some("let both machines follow a time server (NTP)"),
            Self::Scope(_) => Some(
                "nothing has to be done if this is meant; else set it back, or give this engine a CDC_PIPELINE of its own",
            ),
            Self::Absent(source::Absent {
                nearest: Some(nearest),
                ..
            }) => return Some(format!("is `{nearest}` meant? Correct CDC_COLLECTIONS").into()),
            Self::Absent(_) => Some(
                "correct CDC_COLLECTIONS; nothing has to be done for a collection that is still to come",
            ),
            Self::Empty(_) => Some(
                "is MONGO_DATABASE_NAME right? Nothing has to be done for a database that is still to come",
            ),
            Self::NoImages(database, collection) => return Some(keep_images(database, collection)),
            Self::Headroom { .. } => Some(
                "start the engine soon; in mongosh, as an administrator, on each member:                  db.adminCommand({ replSetResizeOplog: 1, minRetentionHours: 24 })",
            ),
            Self::Token(_) => Some("nothing has to be done"),
            Self::Skips(_) => Some(
                "CDC_ON_HISTORY_LOST=stop ends the engine instead; copy what is missing from the collections themselves",
            ),
            Self::New(_) => Some(
                "is RABBITMQ_QUEUE_NAME right? Nothing has to be done for a queue that is still to come",
            ),
            Self::Danger(_, Danger::DropsOldest) => Some(
                "declare the queue anew with `x-overflow` reject-publish (CDC_QUEUE_ARGUMENTS), or without the limit",
            ),
            Self::Danger(_, Danger::DropsExpired) => Some(
                "declare the queue anew with `x-dead-letter-exchange` (CDC_QUEUE_ARGUMENTS), or without `x-message-ttl`",
            ),
            Self::Danger(_, Danger::Expires) => Some("declare the queue anew without `x-expires`"),
            Self::Expires(_) => Some(
                "give its queues `x-dead-letter-exchange` (CDC_QUEUE_ARGUMENTS), or leave CDC_MESSAGE_TTL_MS out",
            ),
            Self::Drops(_) => Some("set CDC_ON_UNROUTABLE to stop, retry or park"),
        };
        text.map(Cow::Borrowed)
    }
}

impl Hint for start::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::Oplog(mongo::Error::Permission { .. } | mongo::Error::Denied { .. }) => Some(
                "as an administrator: db.getSiblingDB(\"admin\").grantRolesToUser(USER, [{ role: \"read\", db: \"local\" }]); \
                 or name a time, which needs no such permission",
            ),
            Self::Oplog(mongo::Error::NoOplog) => Some("name a time instead"),
            Self::Mongo(error) | Self::Oplog(error) => return error.hint(),
            Self::Future { .. } => Some("name a time that has passed, in UTC or with its offset"),
            Self::Lost { .. } => Some(
                "name a later time; what happened before has to be copied from the collections themselves",
            ),
            Self::Refused { .. } => Some(
                "is it a whole resume token, of a change stream on this database of this cluster?",
            ),
        };
        text.map(Cow::Borrowed)
    }
}

impl Hint for checkpoint::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::Mongo { source, .. } => return source.hint(),
            Self::Newer { .. } => Some(
                "run the release that wrote it; or, to start afresh from now and lose what happened since, \
                 delete that document (of a divided pipeline its own and those of all shares) or choose another \
                 CDC_PIPELINE",
            ),
            Self::Unreadable { .. } => Some(
                "restore it from a backup; or, to start afresh from now and lose what happened since, \
                 delete that document (of a divided pipeline its own and those of all shares) or choose another \
                 CDC_PIPELINE",
            ),
            Self::OtherDatabase { .. } => Some(
                "give this engine a CDC_PIPELINE of its own, or correct MONGO_DATABASE_NAME; the checkpoint was left as \
                 it is, and another database can have its name only once it is deleted",
            ),
            Self::Divided { found: 1, .. } => Some(
                "leave CDC_SHARE out; or stop all engines of the pipeline and divide it: cdc checkpoint divide N",
            ),
            Self::Divided { wanted: 1, .. } => Some(
                "set CDC_SHARE (i/N) to a share of it; or stop all engines of the pipeline and make it whole: \
                 cdc checkpoint divide 1",
            ),
            Self::Divided { .. } => Some(
                "correct the N in CDC_SHARE (i/N); or stop all engines of the pipeline and divide it anew: cdc checkpoint divide N",
            ),
            Self::SnapshotUnderWay { .. } => {
                Some("start the engines and wait for its end, or cancel it: cdc snapshot cancel")
            }
            Self::Taken { .. } => {
                Some("only one engine may run per CDC_PIPELINE; stop the other one")
            }
        };
        text.map(Cow::Borrowed)
    }
}

impl Hint for pipeline::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::Source(error) => return error.hint(),
            Self::Encode { .. } => Some(
                "the change stays first in line: upgrade or report it, or set CDC_ON_POISON to park, or \
                 to replace for text that is not UTF-8",
            ),
            Self::Document(_) => Some("report it: every document of mongodb has an `_id`"),
            Self::Project { .. } => Some(
                "the change stays first in line: repair the document, or set CDC_ON_POISON to park, which tells of the \
                 change without its content",
            ),
            Self::Publish(error) => return error.hint(),
            Self::Checkpoint(error) => return error.hint(),
            Self::Unroutable { .. } => Some(
                "the checkpoint is before this message: bind a queue that takes its routing key, then start again; \
                 or set CDC_ON_UNROUTABLE to retry, park or drop",
            ),
            Self::Oversize { .. } => Some(OVERSIZE),
            Self::NotDrained { .. } => Some("nothing is lost: the next start publishes them again"),
        };
        text.map(Cow::Borrowed)
    }
}

impl Hint for admin::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::Taken(_) => {
                Some("stop the other program, or set CDC_ADMIN_ADDR to another address or `off`")
            }
            Self::Listen { .. } => Some(
                "set CDC_ADMIN_ADDR to an address of this machine, such as 127.0.0.1:9464, or `off`",
            ),
        };
        text.map(Cow::Borrowed)
    }
}
