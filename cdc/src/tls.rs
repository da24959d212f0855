//! Why TLS did not come about, in words for people. Both client libraries use the same TLS library and hide its error in
//! an I/O error.

use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError};

/// Why TLS did not come about. The sentences are about the server, which whoever shows them names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No authority that we trust has signed the server's certificate.
    #[error("its certificate is of an issuer that is not trusted here")]
    UnknownIssuer,
    /// The server's certificate has expired.
    #[error("its certificate has expired")]
    Expired,
    /// The server's certificate begins in the future.
    #[error("its certificate is not valid yet")]
    NotValidYet,
    /// The server's certificate is another host's.
    #[error("its certificate is not for `{expected}` but for {}", listed(.presented))]
    OtherName {
        /// The name by which we know the server.
        expected: String,
        /// The names that the certificate has.
        presented: Vec<String>,
    },
    /// Anything else that is wrong with the server's certificate.
    #[error("its certificate is not accepted: {0}")]
    Certificate(String),
    /// The server wants a certificate and got none.
    #[error("it asks for a client certificate and was given none")]
    ClientCertificateMissing,
    /// The server does not accept our certificate.
    #[error("it refuses the client certificate: {0}")]
    ClientCertificate(&'static str),
    /// What came is not TLS.
    #[error("it does not answer in TLS")]
    NotTls,
    /// Anything else.
    #[error("TLS failed: {0}")]
    Other(String),
}

impl Fault {
    /// The fault in an error of a connection, where TLS is its cause.
    pub fn of(error: &io::Error) -> Option<Self> {
        inside(error).map(Self::from)
    }

    /// Whether only a person can mend it: a certificate does not change by itself.
    pub fn is_about_a_certificate(&self) -> bool {
        !matches!(self, Self::NotTls | Self::Other(_))
    }
}

impl From<&TlsError> for Fault {
    fn from(error: &TlsError) -> Self {
        match error {
            TlsError::InvalidCertificate(error) => certificate(error),
            TlsError::InvalidMessage(_) => Self::NotTls,
            TlsError::AlertReceived(alert) => alerted(*alert),
            _ => Self::Other(error.to_string()),
        }
    }
}

/// The error of TLS in an error of a connection.
pub fn inside(error: &io::Error) -> Option<&TlsError> {
    let inner = error.get_ref()?;
    match inner.downcast_ref::<io::Error>() {
        Some(inner) => inside(inner),
        None => inner.downcast_ref(),
    }
}

fn certificate(error: &CertificateError) -> Fault {
    use CertificateError as Error;
    match error {
        Error::UnknownIssuer => Fault::UnknownIssuer,
        Error::Expired | Error::ExpiredContext { .. } => Fault::Expired,
        Error::NotValidYet | Error::NotValidYetContext { .. } => Fault::NotValidYet,
        Error::NotValidForNameContext {
            expected,
            presented,
        } => Fault::OtherName {
            expected: expected.to_str().into_owned(),
            presented: names(presented),
        },
        _ => Fault::Certificate(error.to_string()),
    }
}

fn alerted(alert: AlertDescription) -> Fault {
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            Fault::ClientCertificateMissing
        }
        AlertDescription::UnknownCA => Fault::ClientCertificate("its issuer is not trusted there"),
        AlertDescription::CertificateExpired => Fault::ClientCertificate("it has expired"),
        AlertDescription::CertificateRevoked => Fault::ClientCertificate("it is revoked"),
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate => {
            Fault::ClientCertificate("it is not accepted there")
        }
        alert => Fault::Other(format!("the server said {alert:?}")),
    }
}

/// A certificate's names, which the TLS library shows with their kinds: `DnsName("broker.example")`.
pub fn names(presented: &[String]) -> Vec<String> {
    let bare = |name: &String| {
        let inner = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest);
        inner.trim_end_matches(')').trim_matches('"').to_owned()
    };
    presented.iter().map(bare).collect()
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "no name at all".to_owned();
    }
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(error: TlsError) -> Option<String> {
        let hidden = io::Error::new(io::ErrorKind::InvalidData, error);
        let hidden = io::Error::other(hidden);
        Fault::of(&hidden).map(|fault| fault.to_string())
    }

    #[test]
    fn the_fault_is_found_in_an_io_error() {
        for (error, text) in [
            (
                TlsError::InvalidCertificate(CertificateError::UnknownIssuer),
                "its certificate is of an issuer that is not trusted here",
            ),
            (
                TlsError::InvalidCertificate(CertificateError::Expired),
                "its certificate has expired",
            ),
            (
                TlsError::AlertReceived(AlertDescription::CertificateRequired),
                "it asks for a client certificate and was given none",
            ),
            (
                TlsError::AlertReceived(AlertDescription::UnknownCA),
                "it refuses the client certificate: its issuer is not trusted there",
            ),
        ] {
            assert_eq!(of(error).as_deref(), Some(text));
        }
        assert_eq!(Fault::of(&io::ErrorKind::UnexpectedEof.into()), None);
    }

    #[test]
    fn the_names_of_a_certificate_are_told() {
        let error = CertificateError::NotValidForNameContext {
            expected: "mongo.example".try_into().unwrap(),
            presented: vec![
                "DnsName(\"other.example\")".to_owned(),
                "IpAddress(10.0.0.1)".to_owned(),
            ],
        };
        assert_eq!(
            certificate(&error).to_string(),
            "its certificate is not for `mongo.example` but for `other.example`, `10.0.0.1`"
        );
    }
}
