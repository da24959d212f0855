//! The broker's configuration, written anew at every start.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::broker::Broker;
use crate::servers::{node::Node, stack::Stack};

/// On which nobody listens.
const NOBODYS_PORT: u16 = 1;

/// The default before RabbitMQ 4.0, whose own is 16 MiB: a change event may be larger.
const MESSAGE_BYTES_MAX: u32 = 128 * 1024 * 1024;

/// Puts all that a node of the broker reads into its folder.
pub(super) fn write(stack: &Stack, node: &Node, broker: &Broker) -> Result<()> {
    let folder = &node.folder;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let plugins = if broker.has_streams() {
        "[rabbitmq_management,rabbitmq_stream].\n"
    } else {
        "[rabbitmq_management].\n"
    };
    write_private(&folder.join("enabled_plugins"), plugins)?;
    write_private(&folder.join("definitions.json"), &definitions(stack))?;
    write_private(
        &folder.join("rabbitmq.conf"),
        &configuration(stack, node, broker),
    )
}

fn configuration(stack: &Stack, node: &Node, broker: &Broker) -> String {
    let node_itself = format!(
        "listeners.tcp.1 = 127.0.0.1:{}\n\
         management.tcp.ip = 127.0.0.1\n\
         management.tcp.port = {}\n\
         max_message_size = {MESSAGE_BYTES_MAX}\n\
         log.console = true\n\
         log.console.level = info\n\
         log.file = false\n",
        node.amqp_port, node.management_port,
    );
    // One node's definitions are every node's.
    let definitions = stack.rabbitmq_folder().join("definitions.json");
    let definitions = (node.amqp_port == stack.amqp_port)
        .then(|| format!("load_definitions = {}\n", definitions.display()));
    let streams = broker.has_streams().then(|| streams(stack, node));
    let cluster = (1 < stack.brokers).then(|| cluster(stack));
    [Some(node_itself), streams, definitions, cluster]
        .into_iter()
        .flatten()
        .collect()
}

/// Where streams are offered in their own protocol, and where a node tells its clients that it is.
fn streams(stack: &Stack, node: &Node) -> String {
    let port = node.stream_port;
    let told = if stack.hides_streams {
        NOBODYS_PORT
    } else {
        port
    };
    format!(
        "stream.listeners.tcp.1 = 127.0.0.1:{port}\n\
         stream.advertised_host = localhost\n\
         stream.advertised_port = {told}\n"
    )
}

/// Has the nodes find each other. A node whose connection to another one is silent gives it up after the tick's time,
/// which is a minute by default; a node in the smaller part of a divided cluster stops until it is whole again.
fn cluster(stack: &Stack) -> String {
    let head = "cluster_formation.peer_discovery_backend = classic_config\n\
         cluster_partition_handling = pause_minority\n\
         net_ticktime = 10\n";
    let nodes = stack.nodes().enumerate().map(|(index, node)| {
        let key = format!("cluster_formation.classic_config.nodes.{}", index + 1);
        format!("{key} = {}\n", node.name)
    });
    [head.to_owned()].into_iter().chain(nodes).collect()
}

/// Loaded at every start, so that a change in `.env` takes effect; guest is always there.
fn definitions(stack: &Stack) -> String {
    let mut users = vec![("guest", "guest")];
    let (user, password) = (stack.credentials.0.as_str(), stack.credentials.1.as_str());
    users.retain(|(guest, _)| *guest != user);
    users.push((user, password));
    let mut vhosts = vec!["/", &stack.vhost];
    vhosts.dedup();
    let entries = users.iter().map(
        |(name, password)| json!({"name": name, "password": password, "tags": "administrator"}),
    );
    let pairs = users
        .iter()
        .flat_map(|(user, _)| vhosts.iter().map(move |vhost| (user, vhost)));
    let permissions = pairs.map(
        |(user, vhost)| json!({"user": user, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"}),
    );
    let definitions = json!({
        "users": entries.collect::<Vec<_>>(),
        "vhosts": vhosts.iter().map(|vhost| json!({"name": vhost})).collect::<Vec<_>>(),
        "permissions": permissions.collect::<Vec<_>>(),
        "policies": vhosts.iter().map(|vhost| policy(vhost)).collect::<Vec<_>>(),
    });
    format!("{definitions}\n")
}

/// Keeps the messages of classic queues on disk, as RabbitMQ 3.12 and later do by themselves: an older one holds a
/// queue that nobody reads in memory, and collecting garbage there took half of its processor time (3.10, 200,000
/// messages). With the lowest priority, so that any other policy for a queue is the one that counts.
fn policy(vhost: &str) -> Value {
    json!({
        "vhost": vhost,
        "name": "messages-on-disk",
        "pattern": ".*",
        "apply-to": "queues",
        "priority": -1,
        "definition": {"queue-mode": "lazy"},
    })
}

/// Only for the user's own eyes: a definition holds a password.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let write = || format!("write {}", path.display());
    fs::write(path, "").with_context(write)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).with_context(write)?;
    fs::write(path, text).with_context(write)
}
