//! Why a node cannot be connected to, said in one line with the cause first.

mod tls;

use std::{io, time::Duration};

use lapin::{
    ErrorKind,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
};

pub use self::tls::Asked;
use super::{
    Needs,
    error::{is_limit, lapin_disposition},
};
use crate::retry::Disposition;

/// Why a node cannot be connected to.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// No address is known for the name.
    #[error("name not found ({0})")]
    Name(String),
    /// Nothing listens there.
    #[error("connection refused")]
    Refused,
    /// No answer within the time for one attempt.
    #[error("no answer to a connection within {} ms", .0.as_millis())]
    Silent(Duration),
    /// The network, or the other end, ended the connection.
    #[error("{0}")]
    Network(String),
    /// The connection was closed without a reason; perhaps after the question for a client certificate.
    #[error("closed the connection without a word{}", after(*.0))]
    Cut(Option<Asked>),
    /// Files of ours that TLS needs cannot be used.
    #[error("{0}")]
    File(#[from] super::tls::Fault),
    /// The certificate's chain ends at no CA that is trusted.
    #[error("the issuer of its certificate is not trusted")]
    UnknownIssuer,
    /// The certificate is not valid any more.
    #[error("its certificate expired on {0}")]
    Expired(String),
    /// The certificate is not valid yet.
    #[error("its certificate is not valid before {0}")]
    NotYetValid(String),
    /// The certificate is for other names.
    #[error("its certificate is for {}, not for `{host}`", list(.names))]
    WrongName {
        /// The name that was connected to.
        host: String,
        /// The certificate's names.
        names: Vec<String>,
    },
    /// The certificate is a CA's own.
    #[error("its certificate is marked as a CA's own, which is not taken for a server's")]
    CaCertificate,
    /// Anything else about the certificate.
    #[error("its certificate is not accepted: {0}")]
    Certificate(String),
    /// The broker wants a client certificate and we have none.
    #[error("it asks for a client certificate, and none is set")]
    NoClientCertificate,
    /// The broker does not accept our client certificate.
    #[error("it does not accept the client certificate ({0})")]
    ClientCertificate(String),
    /// Anything else about TLS.
    #[error("TLS: {0}")]
    Tls(String),
    /// We speak AMQP without TLS to a port that speaks TLS.
    #[error("this port speaks TLS: use amqps")]
    SpeaksTls,
    /// We speak TLS to a port that speaks AMQP without it.
    #[error("this port speaks AMQP without TLS: use amqp, or the port for amqps")]
    SpeaksPlain,
    /// Another kind of server.
    #[error("{0} answers there, not RabbitMQ")]
    OtherServer(&'static str),
    /// What answers is not AMQP, and nothing else that is known.
    #[error("what answers there does not speak AMQP")]
    NotAmqp,
    /// What answers does not speak RabbitMQ's stream protocol.
    #[error("what answers there does not speak RabbitMQ's stream protocol")]
    NotStream,
    /// User or password is wrong.
    #[error("refused user `{user}`: no such user, or the password is wrong")]
    Credentials {
        /// The user.
        user: String,
    },
    /// No user belongs to our client certificate.
    #[error("refused the user whose name the client certificate gives (EXTERNAL)")]
    CertificateUser,
    /// The connection was closed at the login, or it is said that the way to authenticate is not offered.
    #[error(
        "closed the connection at the login: it may not offer the authentication mechanism {0}"
    )]
    Mechanism(&'static str),
    /// The virtual host does not exist.
    #[error("virtual host `{0}` does not exist")]
    NoVhost(String),
    /// The virtual host is closed to the user.
    #[error("user `{user}` has no permissions on virtual host `{vhost}`")]
    VhostClosed {
        /// The user, or what stands for the one that the certificate names.
        user: String,
        /// The virtual host.
        vhost: String,
        /// What the user needs there.
        needs: Box<Needs>,
    },
    /// Anything else that the broker or the client library says.
    #[error("{0}")]
    Broker(lapin::Error),
}

/// Who we are there, for the texts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) vhost: &'a str,
    /// The name of the SASL mechanism.
    pub(super) mechanism: &'static str,
    pub(super) needs: &'a Needs,
}

impl Cause {
    /// Whether another attempt may help.
    pub fn disposition(&self) -> Disposition {
        match self {
            // A server that is going down may do any of these.
            Self::Name(_)
            | Self::Refused
            | Self::Silent(_)
            | Self::Network(_)
            | Self::Cut(_)
            | Self::Tls(_)
            | Self::Mechanism(_)
            // They were fine at the start: somebody is changing them.
            | Self::File(_) => Disposition::Retry,
            Self::UnknownIssuer
            | Self::Expired(_)
            | Self::NotYetValid(_)
            | Self::WrongName { .. }
            | Self::CaCertificate
            | Self::Certificate(_)
            | Self::NoClientCertificate
            | Self::ClientCertificate(_)
            | Self::SpeaksTls
            | Self::SpeaksPlain
            | Self::OtherServer(_)
            | Self::NotAmqp
            | Self::NotStream
            | Self::Credentials { .. }
            | Self::CertificateUser
            | Self::NoVhost(_)
            | Self::VhostClosed { .. } => Disposition::Halt,
            Self::Broker(error) => lapin_disposition(error),
        }
    }

    /// Whether the broker itself said so: another node would say the same.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Credentials { .. }
                | Self::CertificateUser
                | Self::NoVhost(_)
                | Self::VhostClosed { .. }
        )
    }

    /// How much it tells: of a name's addresses, the one that got farthest.
    pub(super) fn weight(&self) -> u8 {
        match self {
            Self::Name(_) | Self::Refused | Self::Network(_) => 0,
            Self::Silent(_) | Self::Cut(_) => 1,
            _ => 2,
        }
    }

    /// Whether only a look at what answers there could tell more.
    pub(super) fn is_unclear(&self) -> bool {
        matches!(
            self,
            Self::Silent(_) | Self::Cut(_) | Self::Network(_) | Self::Tls(_) | Self::NotAmqp
        )
    }

    pub(super) fn of_name(error: &io::Error) -> Self {
        let text = error.to_string();
        let text = text.trim_start_matches("failed to lookup address information: ");
        Self::Name(text.to_owned())
    }

    pub(super) fn of_network(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Self::Cut(None),
            _ => Self::Network(error.to_string()),
        }
    }

    /// What stopped the handshake of AMQP.
    pub(super) fn of_handshake(
        error: lapin::Error,
        login: Login<'_>,
        asked: Option<Asked>,
    ) -> Self {
        match error.kind() {
            ErrorKind::IOError(source) => Self::of_stream(source, asked),
            ErrorKind::ParsingError(_) => Self::NotAmqp,
            ErrorKind::ProtocolError(refused) => {
                let text = refused.get_message().as_str();
                Self::of_refusal(refused.kind(), text, login).unwrap_or(Self::Broker(error))
            }
            _ => Self::Broker(error),
        }
    }

    fn of_refusal(kind: &AMQPErrorKind, text: &str, login: Login<'_>) -> Option<Self> {
        let user = match login.mechanism {
            "EXTERNAL" => "of the client certificate",
            _ => login.user,
        };
        match kind {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) if login.mechanism == "EXTERNAL" => {
                Some(Self::CertificateUser)
            }
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Some(Self::Credentials {
                user: login.user.to_owned(),
            }),
            AMQPErrorKind::Hard(AMQPHardError::COMMANDINVALID) if text.contains("mechanism") => {
                Some(Self::Mechanism(login.mechanism))
            }
            // It passes when another connection ends.
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) if is_limit(text) => None,
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) if text.contains("not found") => {
                Some(Self::NoVhost(login.vhost.to_owned()))
            }
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) if text.contains("refused") => {
                Some(Self::VhostClosed {
                    user: user.to_owned(),
                    vhost: login.vhost.to_owned(),
                    needs: Box::new(login.needs.clone()),
                })
            }
            _ => None,
        }
    }
}

fn after(asked: Option<Asked>) -> &'static str {
    match asked {
        Some(Asked::InVain) => " after it asked for a client certificate, and none is set",
        Some(Asked::Answered) => " after it got the client certificate",
        None => "",
    }
}

fn list(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match names[..] {
        [] => "no name".to_owned(),
        _ => names.join(", "),
    }
}
