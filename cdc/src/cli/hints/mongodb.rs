//! What a person can do where MongoDB cannot be used.

use std::borrow::Cow;

use cdc::{config, mongo, tls};

use super::{super::grants, Hint};

/// For a server of MongoDB that does not get the certificate that it wants.
const CLIENT_CERTIFICATE: &str = "name a file with a certificate that the server accepts and its key (PEM) as \
     `tlsCertificateKeyFile=` in MONGO_DATABASE_HOST";

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
                "`tlsCAFile=` in MONGO_DATABASE_HOST has to name the file with its authority's certificate (PEM): set it, or \
                 correct the file",
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
