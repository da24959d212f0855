//! The causes among the errors of TLS.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, pki_types::UnixTime};
use x509_parser::time::ASN1Time;

use super::Cause;
use crate::tls;

impl Cause {
    /// What ended a connection, perhaps one by TLS; `asked` is whether the server had asked for a client certificate.
    pub(in crate::rabbitmq) fn of_stream(error: &io::Error, asked: Option<Asked>) -> Self {
        match tls::inside(error) {
            Some(error) => Self::of_tls(error, asked),
            None => match Self::of_network(error) {
                Self::Cut(_) => Self::Cut(asked),
                cause => cause,
            },
        }
    }

    fn of_tls(error: &Error, asked: Option<Asked>) -> Self {
        match error {
            Error::InvalidCertificate(error) => Self::of_certificate(error),
            Error::AlertReceived(alert) => Self::of_alert(*alert, asked),
            _ => Self::Tls(error.to_string()),
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::ExpiredContext { not_after, .. } => Self::Expired(day(*not_after)),
            CertificateError::NotValidYetContext { not_before, .. } => {
                Self::NotYetValid(day(*not_before))
            }
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => Self::WrongName {
                host: expected.to_str().into_owned(),
                names: tls::names(presented),
            },
            CertificateError::Other(other) if other.to_string() == "CaUsedAsEndEntity" => {
                Self::CaCertificate
            }
            _ => Self::Certificate(error.to_string()),
        }
    }

    fn of_alert(alert: AlertDescription, asked: Option<Asked>) -> Self {
        use AlertDescription as Alert;
        let is_of_client = matches!(
            alert,
            Alert::NoCertificate
                | Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied
                | Alert::HandshakeFailure
        );
        match asked {
            _ if alert == Alert::CertificateRequired => Self::NoClientCertificate,
            Some(Asked::InVain) if is_of_client => Self::NoClientCertificate,
            Some(Asked::Answered) if is_of_client => Self::ClientCertificate(format!("{alert:?}")),
            _ => Self::Tls(format!("the other end says {alert:?}")),
        }
    }
}

/// The server asked for a client certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// We have one and sent it.
    Answered,
    /// We have none.
    InVain,
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let time = ASN1Time::from_timestamp(seconds);
    time.map_or_else(
        |_| format!("second {seconds}"),
        |time| time.to_datetime().date().to_string(),
    )
}
