//! What a person can do about an error of the library, which itself names no setting and no command.
//!
//! Each match is exhaustive, so a new error asks for its hint here.

use std::borrow::Cow;

use cdc::{
    admin, amqp, app, checkpoint, config, mongo, operate, pipeline, sink, source, start, tail, tls,
};

use super::grants;

/// For a message that is larger than the broker takes.
const OVERSIZE: &str = "the checkpoint is before this message: raise max_message_size in the broker's configuration, or \
     set CDC_ON_OVERSIZE to trim or park";

/// For a server of MongoDB that does not get the certificate that it wants.
const CLIENT_CERTIFICATE: &str = "name a file with a certificate that the server accepts and its key (PEM) as \
     `tlsCertificateKeyFile=` in MONGO_DATABASE_HOST";
/// Where RabbitMQ cannot be reached.
const RABBITMQ_AWAY: &str = "is RabbitMQ running there, and is the address right (RABBITMQ_HOST and RABBITMQ_PORT, \
     or RABBITMQ_URI)?";
/// The same, where the address is that of the local servers.
const RABBITMQ_AWAY_HERE: &str = "is RabbitMQ running? `cargo xtask local-start` starts one here; the address of \
     another is set in RABBITMQ_HOST and RABBITMQ_PORT, or in RABBITMQ_URI";

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
            Self::Publish(error) => return error.hint(),
            Self::Pipeline(error) => return error.hint(),
            Self::Admin(error) => return error.hint(),
            Self::Interrupted => {
                Some("nothing is lost: what was not saved is published again on the next start")
            }
            Self::Signals(_) => None,
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

impl Hint for mongo::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::Driver(_) | Self::Moved | Self::NoOplog | Self::Options(_) => None,
            Self::NoServers { .. } => Some(
                "is the name in MONGO_DATABASE_HOST right, and does this machine's name server answer? With mongodb:// \
                 the servers are listed without it",
            ),
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
            Self::Barred { fault, .. } => barred(fault),
            Self::NotPrimary { .. } => Some(
                "name all members and `replicaSet=` in MONGO_DATABASE_HOST, and leave `directConnection` out",
            ),
            Self::NotInitiated { .. } => Some("run rs.initiate() once on one of its members"),
            Self::Standalone { .. } => {
                Some("start mongod with --replSet NAME and run rs.initiate() once")
            }
            Self::OtherReplicaSet { .. } => Some("correct `replicaSet=` in MONGO_DATABASE_HOST"),
            Self::Credentials { .. } => {
                Some("correct user, password or authSource in MONGO_DATABASE_HOST")
            }
            Self::Anonymous { .. } => Some(
                "put a user and a password, or authMechanism=MONGODB-X509, into MONGO_DATABASE_HOST",
            ),
            Self::Denied { .. } => Some(
                "grant `read` on the watched database (MONGO_DATABASE_NAME) and `readWrite` on the checkpoint database \
                 (CDC_CHECKPOINT_DATABASE)",
            ),
            Self::Permission { grantee, missing } => {
                let command = grants::mongodb::command(grantee, missing);
                return Some(format!("in mongosh, as an administrator: {command}").into());
            }
        };
        text.map(Cow::Borrowed)
    }
}

fn barred(fault: &mongo::Fault) -> Option<&'static str> {
    use tls::Fault;
    match fault {
        mongo::Fault::SpeaksTls => Some("add `tls=true` to MONGO_DATABASE_HOST"),
        mongo::Fault::ClosedAfterCertificate => Some(CLIENT_CERTIFICATE),
        mongo::Fault::SpeaksPlain => Some("leave `tls=true` out of MONGO_DATABASE_HOST"),
        mongo::Fault::Tls(fault) => match fault {
            Fault::UnknownIssuer => Some(
                "name the file with its authority's certificate (PEM) as `tlsCAFile=` in MONGO_DATABASE_HOST",
            ),
            Fault::OtherName { .. } => Some(
                "use one of these names in MONGO_DATABASE_HOST, or give the server a certificate for its own",
            ),
            Fault::Expired | Fault::NotValidYet | Fault::Certificate(_) => {
                Some("give the server a valid certificate, and look at the clocks of both machines")
            }
            Fault::ClientCertificateMissing | Fault::ClientCertificate(_) => {
                Some(CLIENT_CERTIFICATE)
            }
            Fault::NotTls | Fault::Other(_) => None,
        },
        _ => None,
    }
}

impl Hint for amqp::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::Connect(failures) => match unconnected(failures.gravest()?) {
                RABBITMQ_AWAY if config::are_defaults(&failures.addresses()) => {
                    Some(RABBITMQ_AWAY_HERE)
                }
                text => Some(text),
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
            Self::Denied(denied) => {
                let command = grants::rabbitmq::command(denied);
                return Some(
                    format!(
                        "this grants all that it needs there, and replaces what the user may do on that virtual host \
                         now:\n  {command}"
                    )
                    .into(),
                );
            }
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
        };
        text.map(Cow::Borrowed)
    }
}

/// Why a node of RabbitMQ cannot be used.
fn unconnected(cause: &amqp::Cause) -> &'static str {
    use amqp::Cause;
    match cause {
        Cause::Name(_) => {
            "correct the name (RABBITMQ_HOST or RABBITMQ_URI), or let this machine's DNS know it"
        }
        Cause::Refused
        | Cause::Silent(_)
        | Cause::Network(_)
        | Cause::Cut(None)
        | Cause::Broker(_) => RABBITMQ_AWAY,
        Cause::File(_) => "put the file back as it was at the start",
        Cause::UnknownIssuer => {
            "set RABBITMQ_CA_FILE to the certificate of the CA that issued the broker's"
        }
        Cause::Expired(_) | Cause::NotYetValid(_) => {
            "renew the broker's certificate, or correct this machine's clock"
        }
        Cause::WrongName { .. } => {
            "name the host as the certificate does (RABBITMQ_HOST or RABBITMQ_URI), or give the broker a certificate \
                 with this name among its alternative names"
        }
        Cause::CaCertificate => {
            "give the broker a certificate that a CA has signed, or one of its own without CA:TRUE"
        }
        Cause::Certificate(_) => "give the broker another certificate",
        Cause::NoClientCertificate | Cause::Cut(Some(amqp::Asked::InVain)) => {
            "set RABBITMQ_CERT_FILE and RABBITMQ_KEY_FILE"
        }
        Cause::ClientCertificate(_) | Cause::Cut(Some(amqp::Asked::Answered)) => {
            "set RABBITMQ_CERT_FILE to a certificate of a CA in the broker's ssl_options.cacertfile that has not expired"
        }
        Cause::Tls(_) => "look at the broker's log, and at its ssl_options",
        Cause::SpeaksTls => "write amqps:// in RABBITMQ_URI, or set RABBITMQ_TLS=on",
        Cause::SpeaksPlain => {
            "correct the port (5671 is usual for TLS), or go without TLS: amqp:// in RABBITMQ_URI, or no RABBITMQ_TLS \
                 and no certificate files"
        }
        Cause::OtherServer(_) | Cause::NotAmqp => {
            "correct host and port (RABBITMQ_HOST and RABBITMQ_PORT, or RABBITMQ_URI)"
        }
        Cause::Credentials { user } if user == "guest" => {
            "correct RABBITMQ_DEFAULT_USERNAME and RABBITMQ_DEFAULT_PASSWORD, or RABBITMQ_URI; from another machine \
                 than its own, a broker refuses `guest` whatever the password"
        }
        Cause::Credentials { .. } => {
            "correct RABBITMQ_DEFAULT_USERNAME and RABBITMQ_DEFAULT_PASSWORD, or RABBITMQ_URI"
        }
        Cause::CertificateUser => {
            "create the user that the certificate names (rabbitmqctl add_user, its password does not matter): the \
                 subject, or the common name with ssl_cert_login_from = common_name"
        }
        Cause::Mechanism(_) => {
            "enable it in the broker: rabbitmq-plugins enable rabbitmq_auth_mechanism_ssl, and EXTERNAL among its \
                 auth_mechanisms; or set RABBITMQ_AUTH=plain"
        }
        Cause::NoVhost(_) => {
            "correct RABBITMQ_VHOST or RABBITMQ_URI, or create it: rabbitmqctl add_vhost NAME"
        }
        Cause::VhostClosed { .. } => {
            "let the user in: rabbitmqctl set_permissions -p VHOST USER CONFIGURE WRITE READ"
        }
    }
}

impl Hint for sink::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Amqp(error) => error.hint(),
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
            Self::Ended => Some("start again, and report it with the log"),
            Self::Slow { .. } | Self::Closed { .. } => None,
        };
        text.map(Cow::Borrowed)
    }
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
            Self::NoCheckpoint(_) => {
                Some("is CDC_PIPELINE its name, and CDC_CHECKPOINT_DATABASE its place?")
            }
            Self::NothingToUndo(_) => Some("`cdc checkpoint set` says from where to go on"),
            Self::Unreadable { .. } => Some("`cdc checkpoint set` gives it a readable one"),
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
            Self::Headroom { .. } => Some(
                "start the engine soon; in mongosh, as an administrator, on each member:                  db.adminCommand({ replSetResizeOplog: 1, minRetentionHours: 24 })",
            ),
            Self::Token(_) => Some("nothing has to be done"),
            Self::Skips(_) => Some(
                "CDC_ON_HISTORY_LOST=stop ends the engine instead; copy what is missing from the collections themselves",
            ),
            Self::Danger(_, amqp::Danger::DropsOldest) => Some(
                "declare the queue anew with `x-overflow` reject-publish (CDC_QUEUE_ARGUMENTS), or without the limit",
            ),
            Self::Danger(_, amqp::Danger::DropsExpired) => Some(
                "declare the queue anew with `x-dead-letter-exchange` (CDC_QUEUE_ARGUMENTS), or without `x-message-ttl`",
            ),
            Self::Danger(_, amqp::Danger::Expires) => {
                Some("declare the queue anew without `x-expires`")
            }
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
                 delete that document or choose another CDC_PIPELINE",
            ),
            Self::Unreadable { .. } => Some(
                "restore it from a backup; or, to start afresh from now and lose what happened since, \
                 delete that document or choose another CDC_PIPELINE",
            ),
            Self::OtherDatabase { .. } => Some(
                "give this engine a CDC_PIPELINE of its own, or correct MONGO_DATABASE_NAME; the checkpoint was left as \
                 it is, and another database can have its name only once it is deleted",
            ),
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
                "the change stays first in line: upgrade or report it, or set CDC_ON_POISON to park",
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
