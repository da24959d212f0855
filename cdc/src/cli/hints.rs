//! What a person can do about an error of the library, which itself names no setting and no command.
//!
//! Each match is exhaustive, so a new error asks for its hint here.

use cdc::{admin, amqp, app, checkpoint, config, mongo, pipeline, sink, source, tail};

use super::grant;

/// For a message that is larger than the broker takes.
const OVERSIZE: &str = "the checkpoint is before this message: raise max_message_size in the broker's configuration, or \
     set CDC_ON_OVERSIZE to trim or park";

/// What a person can do.
pub(super) trait Hint {
    fn hint(&self) -> Option<&'static str>;

    /// A permission of the broker that is missing, which a command grants.
    fn denied(&self) -> Option<&amqp::Denied> {
        None
    }

    /// The hint, with the command that mends it, if there is one.
    fn advice(&self) -> Option<String> {
        let command = self.denied().map(grant::command);
        let hint = self.hint()?;
        Some(match command {
            Some(command) => format!("{hint}\n  {command}"),
            None => hint.to_owned(),
        })
    }
}

impl Hint for app::Error {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Mongo(error) => error.hint(),
            Self::Checkpoint(error) => error.hint(),
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

    fn denied(&self) -> Option<&amqp::Denied> {
        match self {
            Self::Publish(error) => error.denied(),
            Self::Pipeline(error) => error.denied(),
            _ => None,
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

    fn denied(&self) -> Option<&amqp::Denied> {
        match self {
            Self::Broker(error) => error.denied(),
            _ => None,
        }
    }
}

impl Hint for mongo::Error {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Driver(_) | Self::Moved => None,
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
            Self::Denied(_) => Some(
                "this grants all that it needs there, and replaces what the user may do on that virtual host now:",
            ),
            Self::Unfit {
                unfit: amqp::Unfit::Type { .. },
                ..
            } => Some(
                "the queue was left as it is: set CDC_QUEUE_TYPE to its type or to nothing, or choose another \
                 RABBITMQ_QUEUE_NAME",
            ),
            Self::Unfit { .. } => Some(
                "the queue was left as it is: choose another RABBITMQ_QUEUE_NAME, or declare the queue anew as durable, \
                 neither exclusive nor auto-delete",
            ),
            Self::Undeclarable { .. } => {
                Some("correct CDC_QUEUE_ARGUMENTS, CDC_EXCHANGE_TYPE or CDC_EXCHANGE_ARGUMENTS")
            }
            Self::NotToDeclare { .. } => Some(
                "declare the queue, durable, or set CDC_DECLARE to missing, or correct RABBITMQ_QUEUE_NAME",
            ),
            Self::QueueAway { .. } => Some("start the node that holds the queue"),
            Self::NoExchange { .. } => Some(
                "declare the exchange and its bindings, or set CDC_DECLARE to all, or correct RABBITMQ_EXCHANGE",
            ),
            Self::Locked => Some("stop that engine, or give this one a CDC_PIPELINE of its own"),
            Self::Oversize { .. } => Some(OVERSIZE),
            Self::NoQueue { .. } => {
                Some("`cdc run` declares it at its start; or correct RABBITMQ_QUEUE_NAME")
            }
        }
    }

    fn denied(&self) -> Option<&amqp::Denied> {
        match self {
            Self::Denied(denied) => Some(denied),
            _ => None,
        }
    }
}

impl Hint for sink::Error {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Amqp(error) => error.hint(),
        }
    }

    fn denied(&self) -> Option<&amqp::Denied> {
        match self {
            Self::Amqp(error) => error.denied(),
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
                 or set CDC_ON_UNROUTABLE to retry, park or drop",
            ),
            Self::Oversize { .. } => Some(OVERSIZE),
            Self::NotDrained { .. } => Some("nothing is lost: the next start publishes them again"),
        }
    }

    fn denied(&self) -> Option<&amqp::Denied> {
        match self {
            Self::Publish(error) => error.denied(),
            _ => None,
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
