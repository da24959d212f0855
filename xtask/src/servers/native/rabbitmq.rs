//! The broker, on an Erlang node that shares nothing with the system's own broker.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use super::{broker::Broker, configuration, cookie, server::Server};
use crate::servers::{node::Node, ports, stack::Stack};

/// Nothing but this machine reaches the node; new classic queues are of version 2, the only one since RabbitMQ 4.0. As a
/// flag, because a configuration file with this name in it stops a version that does not know it.
const ERLANG_FLAGS: &str =
    "-kernel inet_dist_use_interface {127,0,0,1} -rabbit classic_queue_default_version 2";
/// Nodes that share a machine do not wait for work in a loop.
const SHARED_FLAGS: &str = "+sbwt none +sbwtdcpu none +sbwtdio none";

/// Erlang passes over flags that it does not know; this one says whose node it is.
pub(super) fn marker(node: &Node) -> String {
    format!("-cdc_folder {}", node.folder.display())
}

pub(super) fn server(stack: &Stack, node: &Node, broker: &Broker) -> Result<Server> {
    configuration::write(stack, node, broker)?;
    if 1 < stack.brokers {
        cookie::share(stack, node)?;
    }
    let (amqp, management) = (node.amqp_port, node.management_port);
    let mut command = command(stack, node, broker, &broker.server);
    command.arg("-cdc_folder").arg(&node.folder);
    Ok(Server {
        name: node.label.clone(),
        marker: marker(node),
        ports: node.ports().into(),
        log: node.folder.join("rabbitmq.log"),
        command,
        answers: Box::new(move || ports::answers_amqp(amqp) && ports::accepts(management)),
        is_needed_by_next: false,
    })
}

/// A program of the broker with the environment of `node` and nothing else: the caller's may hold settings of the
/// system's broker.
pub(super) fn command(stack: &Stack, node: &Node, broker: &Broker, program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)))
        .envs(environment(stack, node, broker))
        .current_dir(&node.folder);
    command
}

/// The data of `node` that this broker does not read, where it has none of its own yet.
pub(super) fn unread_data(node: &Node, broker: &Broker) -> Option<PathBuf> {
    let has_own = node.folder.join(broker.data_folder()).exists();
    let other = node.folder.join(broker.other_data_folder());
    (!has_own && other.exists()).then_some(other)
}

fn environment(stack: &Stack, node: &Node, broker: &Broker) -> Vec<(&'static str, String)> {
    let path = |name: &str| node.folder.join(name).display().to_string();
    let mut erlang_flags = ERLANG_FLAGS.to_owned();
    if 1 < stack.brokers {
        erlang_flags = format!("{erlang_flags} {SHARED_FLAGS}");
    }
    vec![
        ("HOME", path("")),
        ("LANG", "C.UTF-8".to_owned()),
        ("RABBITMQ_NODENAME", node.name.clone()),
        ("RABBITMQ_MNESIA_BASE", path(broker.data_folder())),
        ("RABBITMQ_LOG_BASE", path("log")),
        ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
        // Names of files that do not exist: the system's are not ours to read.
        ("RABBITMQ_CONFIG_FILES", path("conf.d")),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", path("advanced.config")),
        ("RABBITMQ_CONF_ENV_FILE", path("rabbitmq-env.conf")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
        ("RABBITMQ_DIST_PORT", node.dist_port().to_string()),
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", erlang_flags),
        ("ERL_EPMD_PORT", stack.epmd_port().to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
    ]
}
