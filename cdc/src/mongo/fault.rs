//! Why a connection to a server fails, in words for people.

use std::io;

use mongodb::error::{Error as DriverError, ErrorKind};

use super::error::describe;
use crate::tls;

/// Why a server cannot be used. The sentences are about the server, which whoever shows them names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nobody listens there.
    #[error("the connection was refused")]
    Refused,
    /// There is no such name.
    #[error("the name is not known")]
    NoName,
    /// Nothing came back.
    #[error("nothing answered in time")]
    TimedOut,
    /// The network leads nowhere.
    #[error("the network has no way there")]
    NoWay,
    /// The server closed the connection.
    #[error("it closed the connection")]
    Closed,
    /// The server closed the connection before TLS came about.
    #[error("it closed the connection during the TLS handshake")]
    ClosedInHandshake,
    /// The server closed the connection once it had our certificate, which it may not like; what is behind it may also
    /// be away.
    #[error("it closed the connection after it got the client certificate")]
    ClosedAfterCertificate,
    /// The server wants TLS and was spoken to without.
    #[error("it speaks TLS, and was spoken to without")]
    SpeaksTls,
    /// The server has no TLS and was spoken to with it.
    #[error("it does not speak TLS, and was spoken to with it")]
    SpeaksPlain,
    /// TLS did not come about.
    #[error("{0}")]
    Tls(tls::Fault),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Fault {
    /// Names what the driver met.
    pub(super) fn of(error: &DriverError) -> Self {
        match error.kind.as_ref() {
            ErrorKind::Io(error) => Self::of_io(error),
            ErrorKind::DnsResolve { .. } => Self::NoName,
            _ => Self::Other(describe(error)),
        }
    }

    /// Names what happened to a connection.
    pub(super) fn of_io(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        if let Some(fault) = tls::Fault::of(error) {
            return Self::Tls(fault);
        }
        let text = error.to_string();
        match error.kind() {
            Kind::ConnectionRefused => Self::Refused,
            Kind::TimedOut => Self::TimedOut,
            Kind::HostUnreachable | Kind::NetworkUnreachable => Self::NoWay,
            Kind::UnexpectedEof if text.contains("handshake") => Self::ClosedInHandshake,
            Kind::UnexpectedEof
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe => Self::Closed,
            _ if text.starts_with("failed to lookup address") => Self::NoName,
            _ => Self::Other(text),
        }
    }

    /// Whether only a person can mend it.
    pub fn is_final(&self) -> bool {
        match self {
            Self::SpeaksTls | Self::SpeaksPlain => true,
            Self::Tls(fault) => fault.is_about_a_certificate(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_to_connections_has_names() {
        let eof = |text: &str| io::Error::new(io::ErrorKind::UnexpectedEof, text.to_owned());
        let lookup = "failed to lookup address information: Name or service not known";
        for (error, fault) in [
            (io::ErrorKind::ConnectionRefused.into(), Fault::Refused),
            (io::ErrorKind::TimedOut.into(), Fault::TimedOut),
            (eof("tls handshake eof"), Fault::ClosedInHandshake),
            (eof("early eof"), Fault::Closed),
            (io::Error::other(lookup), Fault::NoName),
            (io::Error::other("odd"), Fault::Other("odd".to_owned())),
        ] {
            assert_eq!(Fault::of_io(&error), fault);
            assert!(!fault.is_final());
        }
        assert!(Fault::Tls(tls::Fault::Expired).is_final());
        assert!(Fault::SpeaksTls.is_final());
    }
}
