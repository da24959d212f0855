//! What a person can do about an error of the library, which itself names no setting and no command.
//!
//! Each match is exhaustive, so a new error asks for its hint here.

use cdc::{
    admin, amqp, app, checkpoint, config, mongo, operate, pipeline, sink, source, start, tail,
};

/// For a message that is larger than the broker takes.
const OVERSIZE: &str = "the checkpoint is before this message: raise max_message_size in the broker's configuration, or \
     set CDC_ON_OVERSIZE to trim or park";

/// What a person can do.
pub(super) trait Hint {
    fn hint(&self) -> Option<&'static str>;
}

impl Hint for app::Error {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Mongo(error) => error.hint(),
            Self::Checkpoint(error) => error.hint(),
            Self::Start(error) => error.hint(),
            Self::Source(error) => error.hint(),
            Self::Publish(error) => error.hint(),
            Self::Pipeline(error) => error.hint(),
            Self::Admin(error) => error.hint(),
            Self::Interrupted => {
                Some("nothing is lost: what was not saved is published again on the next start")
            }
            Self::Signals(_) => None,
        }
    }
}

impl Hint for tail::Error {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Broker(error) => error.hint(),
            Self::LookedTooOften { .. } => {
                Some("read the messages without --peek, which takes them")
            }
            Self::HoldsEnough { .. } => {
                Some("look at fewer with --count, or read the messages without --peek")
            }
            Self::Output(_) | Self::Signals(_) => None,
        }
    }
}

impl Hint for mongo::Error {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Driver(_) | Self::Moved | Self::NoOplog => None,
            Self::Unreachable { addresses, .. } if config::are_defaults(addresses) => Some(
                "is MongoDB running? `cargo xtask local-start` starts one here; the address of another is set in \
                     MONGO_DATABASE_HOST",
            ),
            Self::TimedOut { .. } => {
                Some("look at MongoDB's load, at its log and at the network in between")
            }
            Self::Unreachable { .. } => Some(
                "is MongoDB running there, is the address in MONGO_DATABASE_HOST right, and may this machine connect to it?",
            ),
            Self::NotInitiated { .. } => Some("run rs.initiate() once on one of its members"),
            Self::Standalone { .. } => {
                Some("start mongod with --replSet NAME and run rs.initiate() once")
            }
            Self::OtherReplicaSet { .. } => Some("correct `replicaSet=` in MONGO_DATABASE_HOST"),
            Self::Credentials { .. } => {
                Some("correct user, password or authSource in MONGO_DATABASE_HOST")
            }
            Self::Permission { .. } => Some(
                "grant `read` on the watched database (MONGO_DATABASE_NAME) and `readWrite` on the checkpoint database \
                 (CDC_CHECKPOINT_DATABASE)",
            ),
        }
    }
}

impl Hint for amqp::Error {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Broker { address, .. } | Self::TimedOut { address, .. }
                if config::are_defaults(address) =>
            {
                Some(
                    "is RabbitMQ running? `cargo xtask local-start` starts one here; the address of another is set in \
                     RABBITMQ_HOST and RABBITMQ_PORT, or in RABBITMQ_URI",
                )
            }
            Self::Broker { .. } | Self::TimedOut { .. } => Some(
                "is RabbitMQ running there, and is the address right (RABBITMQ_HOST and RABBITMQ_PORT, or RABBITMQ_URI)?",
            ),
            Self::Refused { .. } => Some(
                "correct RABBITMQ_DEFAULT_USERNAME, RABBITMQ_DEFAULT_PASSWORD, RABBITMQ_VHOST or RABBITMQ_URI, \
                 or give the user permissions there",
            ),
            Self::QueueDiffers { .. } => Some(
                "the queue was left as it is: set CDC_QUEUE_TYPE to its type, choose another RABBITMQ_QUEUE_NAME, \
                 or delete the queue once it is empty",
            ),
            Self::QueueAway { .. } => Some("start the node that holds the queue"),
            Self::NoExchange { .. } => {
                Some("declare the exchange and its bindings, or correct RABBITMQ_EXCHANGE")
            }
            Self::Locked => Some("stop that engine, or give this one a CDC_PIPELINE of its own"),
            Self::Oversize { .. } => Some(OVERSIZE),
            Self::NoQueue { .. } => {
                Some("`cdc run` declares it at its start; or correct RABBITMQ_QUEUE_NAME")
            }
        }
    }
}

impl Hint for sink::Error {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Amqp(error) => error.hint(),
        }
    }
}

impl Hint for source::Error {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Mongo { source, .. } => source.hint(),
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
            Self::Ended => Some("start again, and report it with the log"),
            Self::Slow { .. } | Self::Closed { .. } => None,
        }
    }
}

impl Hint for operate::Error {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Mongo(error) => error.hint(),
            Self::Broker(error) => error.hint(),
            Self::Checkpoint(error) => error.hint(),
            Self::Start(error) => error.hint(),
            Self::Source(source::Error::HistoryLost { .. }) => Some(
                "the oplog was cut meanwhile: begin later, and copy what happened before from the collections themselves",
            ),
            Self::Source(error) => error.hint(),
            Self::Pipeline(error) => error.hint(),
            Self::Running(_) => Some(
                "stop the engine, and those that stand by, with SIGTERM; `cdc checkpoint show` may be asked meanwhile",
            ),
            Self::Replaying(_) => Some("wait for its end, or choose another --queue"),
            Self::NoCheckpoint(_) => {
                Some("is CDC_PIPELINE its name, and CDC_CHECKPOINT_DATABASE its place?")
            }
            Self::NothingToUndo(_) => Some("`cdc checkpoint set` says from where to go on"),
            Self::Unreadable { .. } => Some("`cdc checkpoint set` gives it a readable one"),
            Self::Interrupted => Some("nothing is lost: run it again, with the same message_ids"),
            Self::Signals(_) => None,
        }
    }
}

impl Hint for start::Error {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Oplog(mongo::Error::Permission { .. }) => Some(
                "as an administrator: db.getSiblingDB(\"admin\").grantRolesToUser(USER, [{ role: \"read\", db: \"local\" }]); \
                 or name a time, which needs no such permission",
            ),
            Self::Oplog(mongo::Error::NoOplog) => Some("name a time instead"),
            Self::Mongo(error) | Self::Oplog(error) => error.hint(),
            Self::Future { .. } => Some("name a time that has passed, in UTC or with its offset"),
            Self::Lost { .. } => Some(
                "name a later time; what happened before has to be copied from the collections themselves",
            ),
            Self::Refused { .. } => Some(
                "is it a whole resume token, of a change stream on this database of this cluster?",
            ),
        }
    }
}

impl Hint for checkpoint::Error {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Mongo { source, .. } => source.hint(),
            Self::Newer { .. } => Some(
                "run the release that wrote it; or, to start afresh from now and lose what happened since, \
                 delete that document or choose another CDC_PIPELINE",
            ),
            Self::Unreadable { .. } => Some(
                "restore it from a backup; or, to start afresh from now and lose what happened since, \
                 delete that document or choose another CDC_PIPELINE",
            ),
            Self::Taken { .. } => {
                Some("only one engine may run per CDC_PIPELINE; stop the other one")
            }
        }
    }
}

impl Hint for pipeline::Error {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Source(error) => error.hint(),
            Self::Encode { .. } => Some(
                "the change stays first in line: upgrade or report it, or set CDC_ON_POISON to park",
            ),
            Self::Publish(error) => error.hint(),
            Self::Checkpoint(error) => error.hint(),
            Self::Unroutable { .. } => Some(
                "the checkpoint is before this message: bind a queue that takes its routing key, then start again; \
                 or set CDC_ON_UNROUTABLE to retry or park",
            ),
            Self::Oversize { .. } => Some(OVERSIZE),
            Self::NotDrained { .. } => Some("nothing is lost: the next start publishes them again"),
        }
    }
}

impl Hint for admin::Error {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Taken(_) => {
                Some("stop the other program, or set CDC_ADMIN_ADDR to another address or `off`")
            }
            Self::Listen { .. } => Some(
                "set CDC_ADMIN_ADDR to an address of this machine, such as 127.0.0.1:9464, or `off`",
            ),
        }
    }
}
