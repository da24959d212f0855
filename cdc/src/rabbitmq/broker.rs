//! Where the broker is, and who we are there.

use std::{fmt, sync::Arc, time::Duration};

use lapin::{
    ErrorKind,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
    uri::AMQPUri,
};

use super::{
    Node, Tls,
    cause::Login,
    error::{Error, is_limit, soft_error},
    external::External,
    permissions::{self, Action, Denied, Needs, Permission, Resource},
};

/// Seconds between heartbeats where the URI says nothing. Each side notices a dead connection after two to three.
const HEARTBEAT_SECONDS: u16 = 5;

/// Bytes of a frame where the URI says nothing. The client library keeps 64 frames of memory for each connection, and
/// larger frames are not faster (measured from 4 KiB to 128 KiB).
const FRAME_BYTES: u32 = 32 << 10;

/// Longest wait for a connection, or for the answer to a declaration.
const ANSWER_TIMEOUT_MAX: Duration = Duration::from_secs(10);

/// However short the wait at the start is, a connection has this long.
const CONNECT_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// Where the broker is, and who we are there. Never written out as a whole.
#[derive(Clone)]
pub struct Broker {
    nodes: Vec<Node>,
    /// All but host, port and scheme.
    uri: AMQPUri,
    tls: Option<Tls>,
    /// Longest wait for an answer.
    answer_timeout: Duration,
    /// Longest wait for a connection to one of the nodes.
    connect_timeout: Duration,
    /// What the user needs to be allowed, for the error that says what is missing.
    needs: Arc<Needs>,
}

impl Broker {
    /// Takes the nodes, at least one, and a URI for all but host, port and scheme; a heartbeat and a frame's size are
    /// added where it names none. Without `tls` nothing is encrypted.
    pub fn new(nodes: Vec<Node>, mut uri: AMQPUri, tls: Option<Tls>) -> Self {
        uri.query.frame_max.get_or_insert(FRAME_BYTES);
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let connect_timeout = uri.query.connection_timeout.map(Duration::from_millis);
        Self {
            nodes,
            uri,
            tls,
            answer_timeout: ANSWER_TIMEOUT_MAX,
            connect_timeout: connect_timeout.unwrap_or(ANSWER_TIMEOUT_MAX),
            needs: Arc::default(),
        }
    }

    /// Tells what the user needs there, where a permission is missing.
    #[must_use]
    pub fn needing(mut self, needs: Needs) -> Self {
        self.needs = Arc::new(needs);
        self
    }

    /// Waits at most this long for an answer, where that is shorter than usual.
    #[must_use]
    pub fn answer_within(mut self, timeout: Duration) -> Self {
        self.answer_timeout = timeout.min(ANSWER_TIMEOUT_MAX);
        self.connect_within(timeout)
    }

    /// Waits at most this long for a connection, where that is shorter than usual; a second at least.
    #[must_use]
    pub fn connect_within(mut self, timeout: Duration) -> Self {
        let timeout = timeout.max(CONNECT_TIMEOUT_MIN);
        self.connect_timeout = self.connect_timeout.min(timeout);
        self
    }

    /// The same broker, of which only one node is known.
    #[must_use]
    pub(crate) fn at(&self, node: Node) -> Self {
        Self {
            nodes: vec![node],
            ..self.clone()
        }
    }

    /// The same broker where its nodes listen on `port`.
    #[must_use]
    pub fn on_port(&self, port: u16) -> Self {
        let nodes = self.nodes.iter().cloned();
        Self {
            nodes: nodes.map(|node| Node { port, ..node }).collect(),
            ..self.clone()
        }
    }

    /// Host and port of each node, with commas between them.
    pub fn address(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().map(ToString::to_string).collect();
        nodes.join(",")
    }

    /// Whether what goes over the network is encrypted.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The virtual host.
    pub fn vhost(&self) -> String {
        self.uri.vhost.clone()
    }

    /// How it is spoken to, for people.
    pub(super) fn way(&self) -> String {
        let login = self.login();
        let user = match login.mechanism {
            External::NAME => "the client certificate's user".to_owned(),
            _ => format!("user `{}`", login.user),
        };
        let tls = if self.tls.is_some() {
            "with"
        } else {
            "without"
        };
        format!("{user}, virtual host `{}`, {tls} TLS", login.vhost)
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn uri(&self) -> &AMQPUri {
        &self.uri
    }

    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub(super) fn answer_timeout(&self) -> Duration {
        self.answer_timeout
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    pub(super) fn login(&self) -> Login<'_> {
        Login {
            user: &self.uri.authority.userinfo.username,
            vhost: &self.uri.vhost,
            mechanism: self.uri.query.auth_mechanism.unwrap_or_default().name(),
            needs: &self.needs,
        }
    }

    /// The SASL mechanism and what is said by it.
    pub(super) fn sasl(&self) -> (&'static str, Vec<u8>) {
        let login = self.login();
        if login.mechanism == External::NAME {
            return (External::NAME, Vec::new());
        }
        let password = &self.uri.authority.userinfo.password;
        let login = format!("\0{}\0{password}", login.user);
        ("PLAIN", login.into_bytes())
    }

    /// Seconds between heartbeats that are wanted; 0 for none.
    pub(super) fn heartbeat_seconds(&self) -> u32 {
        u32::from(self.uri.query.heartbeat.unwrap_or(HEARTBEAT_SECONDS))
    }

    fn user(&self) -> String {
        self.uri.authority.userinfo.username.clone()
    }

    /// What the user needs to be allowed there, as far as it was told.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Gives the client library's error the names that a person needs.
    pub fn name(&self, source: lapin::Error) -> Error {
        self.name_after(source, Action::DeclareOrPublish)
    }

    /// As [`Broker::name`], where a missing permission depends on what was asked.
    pub(super) fn name_after(&self, source: lapin::Error, action: Action) -> Error {
        if let Some(denied) = self.denied(&source, action) {
            return Error::Denied(Box::new(denied));
        }
        if let Some((bytes, limit)) = oversize(&source) {
            return Error::Oversize { bytes, limit };
        }
        match refusal(&source) {
            Some(reason) => Error::Refused {
                address: self.address(),
                user: self.user(),
                vhost: self.uri.vhost.clone(),
                reason,
            },
            None => Error::Broker {
                address: self.address(),
                source,
            },
        }
    }

    fn denied(&self, source: &lapin::Error, action: Action) -> Option<Denied> {
        let (AMQPSoftError::ACCESSREFUSED, text) = soft_error(source)? else {
            return None;
        };
        let (resource, permissions) = permissions::parse(&text, action)?;
        Some(self.missing(resource, permissions))
    }

    fn missing(&self, resource: Resource, permissions: Vec<Permission>) -> Denied {
        let denied = Denied {
            address: self.address(),
            user: self.user(),
            vhost: self.vhost(),
            resource,
            permissions,
            needs: Needs::clone(&self.needs),
        };
        denied.complete()
    }

    /// Says that `permission` on the stream `name` is missing.
    pub(super) fn denied_on_stream(&self, name: &str, permission: Permission) -> Error {
        let resource = Resource::Queue(name.to_owned());
        Error::Denied(Box::new(self.missing(resource, vec![permission])))
    }

    /// Says that `queue` is not there.
    pub fn no_queue(&self, queue: &str) -> Error {
        Error::NoQueue {
            queue: queue.to_owned(),
            vhost: self.uri.vhost.clone(),
        }
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.uri.vhost.as_str() {
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
