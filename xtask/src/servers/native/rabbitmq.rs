//! The broker, on an Erlang node that shares nothing with the system's own broker.

use std::{env, path::Path, process::Command};

use anyhow::Result;

use super::{configuration, server::Server};
use crate::servers::{ports, stack::Stack};

/// Nothing but this machine reaches the node; new classic queues are of version 2, the only one since RabbitMQ 4.0. As a
/// flag, because a configuration file with this name in it stops a version that does not know it.
const ERLANG_FLAGS: &str =
    "-kernel inet_dist_use_interface {127,0,0,1} -rabbit classic_queue_default_version 2";

/// Erlang passes over flags that it does not know; this one says whose broker it is.
pub(super) fn marker(stack: &Stack) -> String {
    format!("-cdc_folder {}", stack.rabbitmq_folder().display())
}

pub(super) fn server(stack: &Stack, program: &Path) -> Result<Server> {
    configuration::write(stack)?;
    let folder = stack.rabbitmq_folder();
    let (amqp, management) = (stack.amqp_port, stack.management_port);
    let mut command = Command::new(program);
    // The caller's environment may hold settings of the system's broker.
    command
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)));
    command
        .envs(environment(stack))
        .arg("-cdc_folder")
        .arg(&folder)
        .current_dir(&folder);
    Ok(Server {
        name: "rabbitmq".to_owned(),
        marker: marker(stack),
        ports: vec![amqp, management, stack.dist_port()],
        log: folder.join("rabbitmq.log"),
        command,
        answers: Box::new(move || ports::answers_amqp(amqp) && ports::accepts(management)),
        is_needed_by_next: false,
    })
}

fn environment(stack: &Stack) -> Vec<(&'static str, String)> {
    let folder = stack.rabbitmq_folder();
    let path = |name: &str| folder.join(name).display().to_string();
    vec![
        ("HOME", path("")),
        ("LANG", "C.UTF-8".to_owned()),
        ("RABBITMQ_NODENAME", format!("cdc-{}@localhost", stack.name)),
        ("RABBITMQ_MNESIA_BASE", path("mnesia")),
        ("RABBITMQ_LOG_BASE", path("log")),
        ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
        // Names of files that do not exist: the system's are not ours to read.
        ("RABBITMQ_CONFIG_FILES", path("conf.d")),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", path("advanced.config")),
        ("RABBITMQ_CONF_ENV_FILE", path("rabbitmq-env.conf")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
        ("RABBITMQ_DIST_PORT", stack.dist_port().to_string()),
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            ERLANG_FLAGS.to_owned(),
        ),
        ("ERL_EPMD_PORT", stack.epmd_port().to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
    ]
}
