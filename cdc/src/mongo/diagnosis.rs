//! Asks each server by itself why it cannot be used.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::{
    Client,
    event::EventHandler,
    options::{ClientOptions, ServerAddress, Tls},
};

use super::{Error, fault::Fault, handshake, members::Members};
use crate::tls;

/// Longest wait for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);
/// Port of a server that is named without one.
const DEFAULT_PORT: u16 = 27017;

/// Why a cluster cannot be used, where one of its servers tells something that only a person can mend.
pub(super) async fn diagnose(options: &ClientOptions) -> Option<Error> {
    for address in &options.hosts {
        let found = match ask(address, options.tls.clone()).await {
            Ok(hello) => misplaced(address, &hello, options.repl_set_name.as_deref()),
            Err(fault) => barred(address, options, fault).await,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// A server that answers and is not what it should be.
fn misplaced(address: &ServerAddress, hello: &Document, expected: Option<&str>) -> Option<Error> {
    let is_mongos = hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
    let being_set_up = hello.get_bool("isreplicaset").unwrap_or(false);
    let address = address.to_string();
    match (hello.get_str("setName"), expected) {
        (Ok(actual), Some(expected)) if actual != expected => Some(Error::OtherReplicaSet {
            address,
            actual: actual.to_owned(),
            expected: expected.to_owned(),
        }),
        (Err(_), _) if !is_mongos && !being_set_up => Some(Error::Standalone { address }),
        _ => None,
    }
}

/// What is wrong with a server, where that is more than the driver knows, or only a person can mend it.
async fn barred(address: &ServerAddress, options: &ClientOptions, fault: Fault) -> Option<Error> {
    let sharper = match (&fault, &options.tls) {
        (Fault::Closed, given) => closed(address, given.as_ref()).await,
        (Fault::ClosedInHandshake | Fault::Tls(tls::Fault::NotTls), Some(Tls::Enabled(_)))
            if ask(address, None).await.is_ok() =>
        {
            Some(Fault::SpeaksPlain)
        }
        _ => None,
    };
    let fault = sharper.or_else(|| fault.is_final().then_some(fault))?;
    let address = address.to_string();
    Some(Error::Barred { address, fault })
}

/// Why a server may close connections: it speaks TLS and we do not, or it wants another client certificate than it got.
async fn closed(address: &ServerAddress, given: Option<&Tls>) -> Option<Fault> {
    let ServerAddress::Tcp { host, port } = address else {
        return None;
    };
    let port = port.unwrap_or(DEFAULT_PORT);
    let handshake = handshake::attempt(host, port, ANSWER_TIMEOUT).await;
    let Some(Tls::Enabled(options)) = given else {
        return handshake.is_tls.then_some(Fault::SpeaksTls);
    };
    handshake
        .is_asked
        .then_some(match options.cert_key_file_path {
            None => Fault::Tls(tls::Fault::ClientCertificateMissing),
            Some(_) => Fault::ClosedAfterCertificate,
        })
}

/// One server's `hello`, which needs no credentials.
async fn ask(address: &ServerAddress, tls: Option<Tls>) -> Result<Document, Fault> {
    let members = Members::default();
    let mut options = ClientOptions::builder()
        .hosts(vec![address.clone()])
        .tls(tls)
        .build();
    options.direct_connection = Some(true);
    options.server_selection_timeout = Some(ANSWER_TIMEOUT);
    options.sdam_event_handler = Some(EventHandler::callback({
        let members = members.clone();
        move |event| members.note(&event)
    }));
    let client = Client::with_options(options).map_err(|error| Fault::of(&error))?;
    let admin = client.database("admin");
    let hello = admin.run_command(doc! { "hello": 1 }).await;
    hello.map_err(|_| {
        let known = members.faults().into_values().next();
        known.unwrap_or(Fault::TimedOut)
    })
}
