//! What a person can do about an error of the library, which itself names no setting and no command.
//!
//! Each match is exhaustive, so a new error asks for its hint here.

use cdc::{admin, amqp, app, checkpoint, config, mongo, pipeline, sink, source, tail};

/// For a message that is larger than the broker takes.
const OVERSIZE: &str = "the checkpoint is before this message: raise max_message_size in the broker's configuration, or \
     set CDC_ON_OVERSIZE to trim or park";

/// Where RabbitMQ cannot be reached.
const RABBITMQ_AWAY: &str = "is RabbitMQ running there, and is the address right (RABBITMQ_HOST and RABBITMQ_PORT, \
     or RABBITMQ_URI)?";
/// The same, where the address is that of the local servers.
const RABBITMQ_AWAY_HERE: &str = "is RabbitMQ running? `cargo xtask local-start` starts one here; the address of \
     another is set in RABBITMQ_HOST and RABBITMQ_PORT, or in RABBITMQ_URI";

/// What a person can do.
pub(super) trait Hint {
    fn hint(&self) -> Option<&'static str>;
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
            Self::Connect(failures) => match failures.gravest()?.hint() {
                Some(RABBITMQ_AWAY) if config::are_defaults(&failures.addresses()) => {
                    Some(RABBITMQ_AWAY_HERE)
                }
                hint => hint,
            },
            Self::Broker { address, .. } | Self::TimedOut { address, .. }
                if config::are_defaults(address) =>
            {
                Some(RABBITMQ_AWAY_HERE)
            }
            Self::Broker { .. } | Self::TimedOut { .. } => Some(RABBITMQ_AWAY),
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

impl Hint for amqp::Cause {
    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Name(_) => {
                "correct the name (RABBITMQ_HOST or RABBITMQ_URI), or let this machine's DNS know it"
            }
            Self::Refused | Self::Silent(_) | Self::Network(_) | Self::Cut | Self::Broker(_) => {
                RABBITMQ_AWAY
            }
            Self::File(_) => "put the file back as it was at the start",
            Self::UnknownIssuer => {
                "set RABBITMQ_CA_FILE to the certificate of the CA that issued the broker's"
            }
            Self::Expired(_) | Self::NotYetValid(_) => {
                "renew the broker's certificate, or correct this machine's clock"
            }
            Self::WrongName { .. } => {
                "name the host as the certificate does (RABBITMQ_HOST or RABBITMQ_URI), or give the broker a certificate \
                 with this name among its alternative names"
            }
            Self::CaCertificate => {
                "give the broker a certificate that a CA has signed, or one of its own without CA:TRUE"
            }
            Self::Certificate(_) => "give the broker another certificate",
            Self::NoClientCertificate => "set RABBITMQ_CERT_FILE and RABBITMQ_KEY_FILE",
            Self::ClientCertificate(_) => {
                "set RABBITMQ_CERT_FILE to a certificate of a CA in the broker's ssl_options.cacertfile that has not expired"
            }
            Self::Tls(_) => "look at the broker's log, and at its ssl_options",
            Self::SpeaksTls => "write amqps:// in RABBITMQ_URI, or set RABBITMQ_TLS=on",
            Self::SpeaksPlain => {
                "correct the port (5671 is usual for TLS), or go without TLS: amqp:// in RABBITMQ_URI, or no RABBITMQ_TLS \
                 and no certificate files"
            }
            Self::OtherServer(_) | Self::NotAmqp => {
                "correct host and port (RABBITMQ_HOST and RABBITMQ_PORT, or RABBITMQ_URI)"
            }
            Self::Credentials { user } if user == "guest" => {
                "correct RABBITMQ_DEFAULT_USERNAME and RABBITMQ_DEFAULT_PASSWORD, or RABBITMQ_URI; from another machine \
                 than its own, a broker refuses `guest` whatever the password"
            }
            Self::Credentials { .. } => {
                "correct RABBITMQ_DEFAULT_USERNAME and RABBITMQ_DEFAULT_PASSWORD, or RABBITMQ_URI"
            }
            Self::CertificateUser => {
                "create the user that the certificate names (rabbitmqctl add_user, its password does not matter): the \
                 subject, or the common name with ssl_cert_login_from = common_name"
            }
            Self::Mechanism(_) => {
                "enable it in the broker: rabbitmq-plugins enable rabbitmq_auth_mechanism_ssl, and EXTERNAL among its \
                 auth_mechanisms; or set RABBITMQ_AUTH=plain"
            }
            Self::NoVhost(_) => {
                "correct RABBITMQ_VHOST or RABBITMQ_URI, or create it: rabbitmqctl add_vhost NAME"
            }
            Self::VhostClosed { .. } => {
                "let the user in: rabbitmqctl set_permissions -p VHOST USER CONFIGURE WRITE READ"
            }
        })
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
