//! Connecting to whichever node can be used: the nodes in random order, and each address of a name.
//!
//! Each attempt has its share of the time, so that one node that swallows everything does not use up that of others.

use std::{
    future::pending,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    net::SocketAddr,
    time::Duration,
};

use lapin::ConnectionProperties;
use tokio::{
    net::lookup_host,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    Broker, Cause, Failures, Node, external::External, probe, scheduling::in_batch,
    transport::Transport,
};

/// Longest wait for what a server says of its own accord.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// A way to speak to a node.
pub(super) trait Dial {
    /// What comes of it.
    type Connection;

    /// Connects and authenticates at one of the addresses of `host`, within `limit`. Dropping it ends what it has begun.
    fn dial(
        &self,
        host: &str,
        address: SocketAddr,
        limit: Duration,
    ) -> impl Future<Output = Result<Self::Connection, Cause>> + Send;
}

/// Connects and authenticates to one of `nodes` within `limit`, and says to which.
///
/// # Errors
/// What failed at each node.
///
/// # Cancel safety
/// Cancel safe: dropping it ends what it has begun.
pub(super) async fn to_any<D: Dial>(
    dial: &D,
    nodes: &[Node],
    limit: Duration,
) -> Result<(D::Connection, Node), Failures> {
    let deadline = Instant::now() + limit;
    let order = shuffled(nodes);
    let mut failures = Vec::new();
    for (index, node) in order.iter().enumerate() {
        let until = share(deadline, order.len() - index);
        let cause = match to_node(dial, node, until).await {
            Ok(connection) => return Ok((connection, node.clone())),
            Err(cause) => cause,
        };
        let is_final = cause.is_final();
        failures.push((node.clone(), cause));
        if is_final {
            failures.drain(..index);
            break;
        }
    }
    // Told in the order in which they were given.
    failures.sort_by_key(|(node, _)| nodes.iter().position(|known| known == node));
    Err(Failures::new(failures))
}

/// Tries each address of a node, until then.
async fn to_node<D: Dial>(dial: &D, node: &Node, until: Instant) -> Result<D::Connection, Cause> {
    let limit = until.saturating_duration_since(Instant::now());
    let found = timeout_at(until, lookup_host((node.host.as_str(), node.port))).await;
    let found = found.map_err(|_| Cause::Silent(limit))?;
    let addresses: Vec<_> = found.map_err(|error| Cause::of_name(&error))?.collect();
    let mut worst = Cause::Name("it has no address".to_owned());
    for (index, address) in addresses.iter().enumerate() {
        let until = share(until, addresses.len() - index);
        let limit = until.saturating_duration_since(Instant::now());
        match dial.dial(&node.host, *address, limit).await {
            Ok(connection) => return Ok(connection),
            Err(cause) if cause.weight() >= worst.weight() => worst = cause,
            Err(_) => {}
        }
    }
    Err(worst)
}

/// By AMQP.
pub(super) struct Amqp<'a> {
    pub(super) broker: &'a Broker,
    /// The connection's name.
    pub(super) name: &'a str,
}

impl Dial for Amqp<'_> {
    type Connection = lapin::Connection;

    async fn dial(
        &self,
        host: &str,
        address: SocketAddr,
        limit: Duration,
    ) -> Result<lapin::Connection, Cause> {
        let broker = self.broker;
        let attempt = Attempt {
            broker,
            host,
            address,
        };
        attempt.within(self.name, limit).await
    }
}

/// One attempt at one address.
struct Attempt<'a> {
    broker: &'a Broker,
    host: &'a str,
    address: SocketAddr,
}

impl Attempt<'_> {
    /// Half of the time without an answer is reason to look what is there.
    async fn within(&self, name: &str, limit: Duration) -> Result<lapin::Connection, Cause> {
        let other = async {
            sleep(limit / 2).await;
            match self.mismatch().await {
                Some(cause) => cause,
                None => pending().await,
            }
        };
        let cause = tokio::select! {
            connected = self.connect(name) => match connected {
                Ok(connection) => return Ok(connection),
                Err(cause) => cause,
            },
            cause = other => return Err(cause),
            () = sleep(limit) => return Err(Cause::Silent(limit)),
        };
        Err(self.explained(cause).await)
    }

    /// The same, or what another look tells.
    async fn explained(&self, cause: Cause) -> Cause {
        let found = match cause {
            Cause::Cut(Some(_)) => self.refusal().await,
            _ if cause.is_unclear() => self.mismatch().await,
            _ => None,
        };
        found.unwrap_or(cause)
    }

    /// What the server says where we say nothing: with bytes of ours unread, its last word may be lost.
    async fn refusal(&self) -> Option<Cause> {
        let open = Transport::open(self.address, self.host, self.broker.tls());
        let refusal = async {
            match open.await {
                Ok(transport) => transport.refusal().await,
                Err(cause) => Some(cause),
            }
        };
        timeout(REFUSAL_TIMEOUT, refusal).await.ok()?
    }

    async fn connect(&self, name: &str) -> Result<lapin::Connection, Cause> {
        let broker = self.broker;
        let transport = Transport::open(self.address, self.host, broker.tls()).await?;
        let (stream, guard, client) = transport.into_parts();
        let external = External::default();
        let mut properties = ConnectionProperties::default().with_connection_name(name.into());
        if broker.login().mechanism == External::NAME {
            properties = properties.with_auth_provider(external.clone());
        }
        let connect = async {
            let (uri, runtime) = (broker.uri().clone(), lapin::runtime::default_runtime()?);
            let take = async move |_, _| stream.take().map_err(lapin::Error::from);
            lapin::Connection::connector(uri, runtime, take, properties).await
        };
        let connection = in_batch(connect).await.map_err(|error| {
            let asked = client.and_then(|client| client.asked());
            match Cause::of_handshake(error, broker.login(), asked) {
                Cause::Cut(_) if external.was_asked() => Cause::Mechanism(External::NAME),
                cause => cause,
            }
        })?;
        guard.keep();
        Ok(connection)
    }

    async fn mismatch(&self) -> Option<Cause> {
        probe::mismatch(self.address, self.broker.tls().is_some()).await
    }
}

/// When the next of `left` attempts has to be over, so that each has the same share of what is left.
fn share(deadline: Instant, left: usize) -> Instant {
    let now = Instant::now();
    let all = deadline.saturating_duration_since(now);
    now + all / u32::try_from(left).unwrap_or(u32::MAX).max(1)
}

fn shuffled(nodes: &[Node]) -> Vec<Node> {
    let mut nodes = nodes.to_vec();
    // Each state has keys of its own, so that it hashes even nothing to a number of its own.
    nodes.sort_by_cached_key(|_| RandomState::new().build_hasher().finish());
    nodes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_node_is_the_first_sometimes() {
        let nodes = Node::list("a,b,c", 5672).unwrap();
        let first: BTreeSet<_> = (0..200).map(|_| shuffled(&nodes)[0].host.clone()).collect();
        assert_eq!(first.len(), 3);
        assert_eq!(shuffled(&nodes).len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_attempt_leaves_is_for_the_others() {
        let deadline = Instant::now() + Duration::from_secs(9);
        assert_eq!(share(deadline, 3), Instant::now() + Duration::from_secs(3));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(share(deadline, 2), Instant::now() + Duration::from_secs(4));
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(share(deadline, 1), Instant::now());
    }
}
