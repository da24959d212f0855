//! What a person can do where RabbitMQ cannot be used.

use std::borrow::Cow;

use cdc::{config, rabbitmq};

use super::{super::grants, Hint, OVERSIZE};

/// Where RabbitMQ cannot be reached.
const RABBITMQ_AWAY: &str = "is RabbitMQ running there, and is the address right (RABBITMQ_HOST and RABBITMQ_PORT, \
     or RABBITMQ_URI)?";
/// The same, where the address is that of the local servers.
const RABBITMQ_AWAY_HERE: &str = "is RabbitMQ running? `cargo xtask local-start` starts one here; the address of \
     another is set in RABBITMQ_HOST and RABBITMQ_PORT, or in RABBITMQ_URI";

impl Hint for rabbitmq::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let text = match self {
            Self::Connect(failures) => {
                let text = unconnected(failures.gravest()?);
                if text != RABBITMQ_AWAY || !config::are_defaults(&failures.addresses()) {
                    return Some(text);
                }
                Some(RABBITMQ_AWAY_HERE)
            }
            Self::ConnectStream(_) => Some(
                "enable the plugin (rabbitmq-plugins enable rabbitmq_stream), correct RABBITMQ_STREAM_PORT, or set \
                 CDC_STREAM_PROTOCOL to amqp",
            ),
            Self::Broker { address, .. }
            | Self::Stream { address, .. }
            | Self::TimedOut { address, .. }
                if config::are_defaults(address) =>
            {
                Some(RABBITMQ_AWAY_HERE)
            }
            Self::Broker { .. } | Self::Stream { .. } | Self::TimedOut { .. } => {
                Some(RABBITMQ_AWAY)
            }
            Self::Refused { .. } => Some(
                "correct RABBITMQ_DEFAULT_USERNAME, RABBITMQ_DEFAULT_PASSWORD, RABBITMQ_VHOST or RABBITMQ_URI, \
                 or give the user permissions there",
            ),
            Self::Denied(denied) => {
                let command = grants::rabbitmq::command(denied);
                return Some(granting(&command));
            }
            Self::Unfit {
                unfit: rabbitmq::Unfit::Type { .. },
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
            Self::OtherEnd { .. } => None,
            Self::Locked => Some("stop that engine, or give this one a CDC_PIPELINE of its own"),
            Self::Oversize { .. } => Some(OVERSIZE),
            Self::NoQueue { .. } => Some(
                "`cdc run` declares it at its start; or correct RABBITMQ_QUEUE_NAME (with CDC_PARTITIONS the queues are \
                 called `<queue>.0`, `<queue>.1` and so on)",
            ),
        };
        text.map(Cow::Borrowed)
    }
}

fn granting(command: &str) -> Cow<'static, str> {
    format!(
        "this grants all that it needs there, and replaces what the user may do on that virtual host now, for other commands \
         too:\n  {command}"
    )
    .into()
}

/// Why a node of RabbitMQ cannot be used.
fn unconnected(cause: &rabbitmq::Cause) -> Cow<'static, str> {
    use rabbitmq::Cause;
    let text = match cause {
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
            "RABBITMQ_CA_FILE has to name the certificate of the CA that issued the broker's: set it, or correct the file"
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
        Cause::NoClientCertificate | Cause::Cut(Some(rabbitmq::Asked::InVain)) => {
            "set RABBITMQ_CERT_FILE and RABBITMQ_KEY_FILE"
        }
        Cause::ClientCertificate(_) | Cause::Cut(Some(rabbitmq::Asked::Answered)) => {
            "set RABBITMQ_CERT_FILE to a certificate of a CA in the broker's ssl_options.cacertfile that has not expired"
        }
        Cause::Tls(_) => "look at the broker's log, and at its ssl_options",
        Cause::SpeaksTls => "write amqps:// in RABBITMQ_URI, or set RABBITMQ_TLS=on",
        Cause::SpeaksPlain => {
            "correct the port (5671 is usual for TLS), or go without TLS: amqp:// in RABBITMQ_URI, or no RABBITMQ_TLS \
                 and no certificate files"
        }
        Cause::NotStream => "correct RABBITMQ_STREAM_PORT, or set CDC_STREAM_PROTOCOL to amqp",
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
        Cause::VhostClosed { user, vhost, needs } => {
            // The user that a certificate names is not known here.
            let user = if user.contains(' ') { "USER" } else { user };
            return granting(&grants::rabbitmq::all(vhost, user, needs));
        }
    };
    Cow::Borrowed(text)
}
