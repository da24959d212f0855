//! Where the broker is, and who we are there.

use std::fmt;

use lapin::{
    ErrorKind,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
    uri::AMQPUri,
};

use super::error::Error;

/// Seconds between heartbeats where the URI says nothing. Each side notices a dead connection after two to three.
const HEARTBEAT_SECONDS: u16 = 5;

/// Where the broker is, and who we are there. Never written out as a whole.
#[derive(Clone)]
pub struct Broker(AMQPUri);

impl Broker {
    /// Takes a URI; a heartbeat is added where it names none.
    pub fn new(mut uri: AMQPUri) -> Self {
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        Self(uri)
    }

    /// Host and port.
    pub fn address(&self) -> String {
        let authority = &self.0.authority;
        format!("{}:{}", authority.host, authority.port)
    }

    /// The virtual host.
    pub fn vhost(&self) -> String {
        self.0.vhost.clone()
    }

    pub(super) fn uri(&self) -> &AMQPUri {
        &self.0
    }

    fn user(&self) -> String {
        self.0.authority.userinfo.username.clone()
    }

    /// Gives the client library's error the names that a person needs.
    pub fn name(&self, source: lapin::Error) -> Error {
        if let Some((bytes, limit)) = oversize(&source) {
            return Error::Oversize { bytes, limit };
        }
        match refusal(&source) {
            Some(reason) => Error::Refused {
                address: self.address(),
                user: self.user(),
                vhost: self.0.vhost.clone(),
                reason,
            },
            None => Error::Broker {
                address: self.address(),
                source,
            },
        }
    }

    /// Says that `queue` is not there.
    pub fn no_queue(&self, queue: &str) -> Error {
        Error::NoQueue {
            queue: queue.to_owned(),
            vhost: self.0.vhost.clone(),
        }
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.vhost.as_str() {
            "/" => f.write_str(&self.address()),
            vhost => write!(f, "{} (virtual host {vhost:?})", self.address()),
        }
    }
}

/// The broker's text where it refuses the user: wrong credentials, no permission, no such virtual host.
fn refusal(error: &lapin::Error) -> Option<String> {
    let ErrorKind::ProtocolError(error) = error.kind() else {
        return None;
    };
    match error.kind() {
        // A limit of connections is no refusal of this user: it passes when another connection ends.
        AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
            if is_limit(error.get_message().as_str()) =>
        {
            None
        }
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
        | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => Some(error.get_message().to_string()),
        _ => None,
    }
}

/// The message's size and the broker's limit, in bytes, where the broker closed the channel because of the former:
/// `message size 20971520 is larger than configured max size 16777216`.
fn oversize(error: &lapin::Error) -> Option<(usize, usize)> {
    let ErrorKind::ProtocolError(error) = error.kind() else {
        return None;
    };
    let text = error.get_message().as_str();
    if !matches!(
        error.kind(),
        AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED)
    ) || !text.contains("message size")
    {
        return None;
    }
    let mut numbers = text.split(' ').filter_map(|word| word.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

/// `connection limit (N) is reached` and the like, for a user, a virtual host or a node.
pub(super) fn is_limit(text: &str) -> bool {
    text.contains("limit")
}
