//! A set of servers: its name, its ports, its folder and its addresses.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{
    failure::{BAD_CONFIGURATION, Failure},
    project::Project,
    servers::{
        node::{self, NODES_MAX, Node},
        ports,
    },
};

/// Name of the replica set, the same in every stack.
pub(crate) const REPLICA_SET: &str = "my-replica-set";

/// How many test stacks find a place, and how far apart their ports are.
const TEST_STACKS: u16 = 20;
const TEST_OFFSET: u16 = 10;
/// Ports of the chaos stacks begin this far above those of the test stacks, and those of the bench stacks further.
const CHAOS_OFFSET: u16 = 300;
const BENCH_OFFSET: u16 = 600;

/// One replica set and one broker of one node or three, on ports of 127.0.0.1 and with a folder of their own.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    pub(crate) name: &'static str,
    /// Everything the servers write is below it.
    pub(crate) folder: PathBuf,
    /// The three members' ports.
    pub(crate) mongo_ports: [u16; 3],
    /// Of the broker's first node.
    pub(crate) amqp_port: u16,
    pub(crate) management_port: u16,
    pub(crate) stream_port: u16,
    /// Whether the nodes tell clients of streams of a port on which nobody listens, so that these stay where they
    /// connected, behind a proxy.
    pub(crate) hides_streams: bool,
    /// How many nodes the broker has.
    pub(crate) brokers: u16,
    /// User and password of the broker beside guest.
    pub(crate) credentials: (String, String),
    /// Virtual host of the broker beside `/`.
    pub(crate) vhost: String,
    /// Room of each member of the replica set.
    pub(crate) room: Room,
}

/// Room of one member of the replica set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Cache in GB; MongoDB's default is half of the machine's memory, three times over.
    pub(crate) cache_gb: &'static str,
    /// Oplog in MB; MongoDB's default is 5 % of the disk.
    pub(crate) oplog_mb: &'static str,
}

impl Room {
    /// Enough for some millions of small changes.
    const USUAL: Self = Self {
        cache_gb: "0.25",
        oplog_mb: "1024",
    };
    /// Enough to read a backlog of a million changes from memory.
    const AMPLE: Self = Self {
        cache_gb: "1",
        oplog_mb: "4096",
    };
}

impl Stack {
    /// The one that people work with; `docker-compose.yaml` reads the same variables.
    ///
    /// Its broker has as many nodes as its data says.
    ///
    /// # Errors
    /// When a variable does not hold a port.
    pub(crate) fn local(project: &Project) -> Result<Self> {
        let port = |name: &str, default: u16| match project.setting(name) {
            None => Ok(default),
            Some(text) => parse_port(name, &text),
        };
        let setting = |name: &str| project.setting(name).unwrap_or_else(|| "guest".to_owned());
        let mongo_ports = [
            port("MONGO_PORT_1", 30001)?,
            port("MONGO_PORT_2", 30002)?,
            port("MONGO_PORT_3", 30003)?,
        ];
        let bare = Self::bare("local", &project.target.join("local"));
        let is_cluster = node::nodes_folder(&bare).is_dir();
        Ok(Self {
            mongo_ports,
            brokers: if is_cluster { NODES_MAX } else { 1 },
            amqp_port: port("RABBITMQ_PORT", 5673)?,
            management_port: port("RABBITMQ_MANAGEMENT_PORT", 15673)?,
            stream_port: port("RABBITMQ_STREAM_PORT", 5552)?,
            credentials: (
                setting("RABBITMQ_DEFAULT_USERNAME"),
                setting("RABBITMQ_DEFAULT_PASSWORD"),
            ),
            vhost: project.setting("RABBITMQ_VHOST").unwrap_or("/".to_owned()),
            ..bare
        })
    }

    /// With a broker of so many nodes.
    ///
    /// # Errors
    /// When its data is that of more: the nodes that are left would wait for the others.
    pub(crate) fn with_brokers(self, brokers: u16) -> Result<Self> {
        if self.brokers <= brokers {
            return Ok(Self { brokers, ..self });
        }
        let text = format!("the broker here is a cluster of {} nodes", self.brokers);
        Err(Failure::new(text)
            .hint("`cargo xtask local-stop --volumes` deletes it with its data")
            .into())
    }

    /// The broker's nodes, the first one in front.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = Node> + '_ {
        (1..=self.brokers).map(|number| Node::of(self, number))
    }

    /// Also those that a broker of fewer nodes does not have.
    pub(crate) fn all_nodes(&self) -> impl Iterator<Item = Node> + '_ {
        (1..=NODES_MAX).map(|number| Node::of(self, number))
    }

    /// The one that tests use and then throw away, out of the local one's way.
    ///
    /// Its ports are the first that are free: another checkout may be testing too.
    pub(crate) fn test(project: &Project) -> Self {
        Self::first_free("test", &project.target.join("test-servers"), 0)
    }

    /// The one that `chaos` breaks and then throws away, out of the tests' way.
    pub(crate) fn chaos(project: &Project, brokers: u16) -> Self {
        let folder = project.target.join("chaos-servers");
        Self {
            brokers,
            hides_streams: true,
            ..Self::first_free("chaos", &folder, CHAOS_OFFSET)
        }
    }

    /// The one that `bench` measures on and then throws away, out of everyone's way.
    pub(crate) fn bench(project: &Project) -> Self {
        let folder = project.target.join("bench-servers");
        Self {
            room: Room::AMPLE,
            ..Self::first_free("bench", &folder, BENCH_OFFSET)
        }
    }

    fn first_free(name: &'static str, folder: &Path, first: u16) -> Self {
        let offsets = (0..TEST_STACKS).map(|number| first + number * TEST_OFFSET);
        let free = offsets
            .map(|offset| Self::at(name, folder, offset))
            .find(|stack| stack.ports().iter().all(|port| ports::is_free(*port)));
        // If none is, starting the first one says who holds its ports.
        free.unwrap_or_else(|| Self::at(name, folder, first))
    }

    /// On the first ports.
    pub(super) fn bare(name: &'static str, folder: &Path) -> Self {
        Self::at(name, folder, 0)
    }

    fn at(name: &'static str, folder: &Path, offset: u16) -> Self {
        Self {
            name,
            folder: folder.to_owned(),
            mongo_ports: [30011, 30012, 30013].map(|port: u16| port + offset),
            amqp_port: 5683 + offset,
            management_port: 15683 + offset,
            // No other one ends on the same digit, a node's of a cluster neither.
            stream_port: 5556 + offset,
            hides_streams: false,
            brokers: 1,
            credentials: ("guest".to_owned(), "guest".to_owned()),
            vhost: "/".to_owned(),
            room: Room::USUAL,
        }
    }

    /// Everything of the broker.
    pub(crate) fn rabbitmq_folder(&self) -> PathBuf {
        self.folder.join("rabbitmq")
    }

    /// Of Erlang's port mapper, which would be 4369 for every broker of the machine.
    pub(crate) fn epmd_port(&self) -> u16 {
        let below = self
            .amqp_port
            .checked_sub(1300)
            .filter(|port| 1024 <= *port);
        below.unwrap_or(self.amqp_port + 1300)
    }

    fn ports(&self) -> Vec<u16> {
        let nodes = self.all_nodes().flat_map(|node| node.ports());
        let members = self.mongo_ports.into_iter();
        members.chain([self.epmd_port()]).chain(nodes).collect()
    }

    pub(crate) fn mongo_uri(&self) -> String {
        let members = self
            .mongo_ports
            .map(|port| format!("localhost:{port}"))
            .join(",");
        format!("mongodb://{members}/?replicaSet={REPLICA_SET}")
    }

    /// Address of the broker for a person to read: a password that is not the well-known one stays out.
    pub(crate) fn amqp_uri_shown(&self) -> String {
        self.shown("amqp", self.amqp_port)
    }

    /// The same for streams in their own protocol.
    pub(crate) fn stream_uri_shown(&self) -> String {
        self.shown("rabbitmq-stream", self.stream_port)
    }

    fn shown(&self, scheme: &str, port: u16) -> String {
        let (user, password) = &self.credentials;
        let password = if password == "guest" { "guest" } else { "***" };
        format!("{scheme}://{user}:{password}@localhost:{port}")
    }

    /// Address of the broker, by its first node, for a program.
    pub(crate) fn amqp_uri(&self) -> String {
        self.node_uri(self.amqp_port)
    }

    /// Host and port of streams in their own protocol, of a broker that has them.
    pub(crate) fn stream_address(&self) -> String {
        format!("127.0.0.1:{}", self.stream_port)
    }

    /// The same of all nodes.
    pub(crate) fn stream_addresses(&self) -> Vec<String> {
        let ports = self.nodes().map(|node| node.stream_port);
        ports.map(|port| format!("127.0.0.1:{port}")).collect()
    }

    /// Addresses of all nodes of the broker, for a program.
    pub(crate) fn amqp_uris(&self) -> Vec<String> {
        self.nodes()
            .map(|node| self.node_uri(node.amqp_port))
            .collect()
    }

    /// Hosts and ports of all nodes, as the engine takes them.
    pub(crate) fn amqp_hosts(&self) -> String {
        let hosts: Vec<_> = self
            .nodes()
            .map(|node| format!("localhost:{}", node.amqp_port))
            .collect();
        hosts.join(",")
    }

    fn node_uri(&self, port: u16) -> String {
        let (user, password) = (
            percent_encoded(&self.credentials.0),
            percent_encoded(&self.credentials.1),
        );
        let path = if self.vhost == "/" {
            String::new()
        } else {
            format!("/{}", percent_encoded(&self.vhost))
        };
        format!("amqp://{user}:{password}@127.0.0.1:{port}{path}")
    }

    pub(crate) fn management_uri(&self) -> String {
        format!("http://127.0.0.1:{}", self.management_port)
    }
}

/// `text` as a part of a URI.
fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn parse_port(name: &str, text: &str) -> Result<u16> {
    match text.parse() {
        Ok(port) if 0 < port => Ok(port),
        _ => Err(Failure::new(format!("{name} is not a port: `{text}`"))
            .hint("a port is a number from 1 to 65535")
            .code(BAD_CONFIGURATION)
            .into()),
    }
}

#[cfg(test)]
impl Stack {
    pub(super) fn example() -> Self {
        Self::at("local", Path::new("target/local"), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_with_any_character_fits_into_a_uri() {
        assert_eq!(percent_encoded("p@ss:w/rd é"), "p%40ss%3Aw%2Frd%20%C3%A9");
    }

    #[test]
    fn a_port_is_a_number_in_range() {
        assert_eq!(parse_port("RABBITMQ_PORT", "5673").unwrap(), 5673);
        for bad in ["0", "65536", "-1", "amqp", "5673 "] {
            let error = parse_port("RABBITMQ_PORT", bad).unwrap_err().to_string();
            assert!(error.contains("RABBITMQ_PORT"), "{error}");
        }
    }
}
