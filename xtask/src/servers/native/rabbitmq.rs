//! The broker, on an Erlang node that shares nothing with the system's own broker.

use std::{
    env, fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};

use super::{
    programs::{self, Programs},
    server::Server,
};
use crate::{
    process,
    servers::{ports, stack::Stack},
};

/// Erlang passes over flags that it does not know; this one says whose broker it is.
pub(super) fn marker(stack: &Stack) -> String {
    format!("-cdc_folder {}", folder(stack).display())
}

/// The port mapper takes no flag of ours, so the name that it is called by says whose it is.
fn port_mapper_marker(stack: &Stack) -> String {
    format!("{} -port", port_mapper_name(stack).display())
}

/// The broker, and the port mapper in front of it unless there is one already.
pub(super) fn servers(stack: &Stack, programs: &Programs) -> Result<Vec<Server>> {
    write_configuration(stack)?;
    let program = programs
        .epmd
        .as_deref()
        .filter(|program| !mapper_answers(stack, program));
    let mapper = program.map(|program| port_mapper(stack, program));
    Ok(mapper
        .into_iter()
        .chain([broker(stack, &programs.rabbitmq_server)])
        .collect())
}

/// Ends the port mapper once the broker is gone, whoever has started it: ours may have been missing
/// when the broker needed it, and then Erlang starts one that stays.
pub(super) fn end_port_mapper(stack: &Stack, grace: Duration) -> Result<()> {
    process::end(&[port_mapper_marker(stack)], grace)?;
    let port = stack.epmd_port().to_string();
    if let Some(program) = programs::epmd().filter(|_| ports::accepts(stack.epmd_port())) {
        // It refuses while a node is known to it, and then it is not ours to end.
        let _ = quiet(&program).args(["-port", &port, "-kill"]).status();
    }
    Ok(())
}

fn mapper_answers(stack: &Stack, program: &Path) -> bool {
    let port = stack.epmd_port().to_string();
    let status = quiet(program).args(["-port", &port, "-names"]).status();
    status.is_ok_and(|status| status.success())
}

fn quiet(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Erlang starts a port mapper by itself and leaves it running; one of our own can be stopped.
fn port_mapper(stack: &Stack, program: &Path) -> Server {
    let port = stack.epmd_port();
    let mut command = Command::new(program);
    command.arg0(port_mapper_name(stack)).args([
        "-port",
        &port.to_string(),
        "-address",
        "127.0.0.1",
    ]);
    Server {
        name: "epmd".to_owned(),
        marker: port_mapper_marker(stack),
        ports: vec![port],
        log: folder(stack).join("epmd.log"),
        command,
        answers: Box::new(move || ports::accepts(port)),
        is_needed_by_next: true,
    }
}

fn broker(stack: &Stack, program: &Path) -> Server {
    let folder = folder(stack);
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
    Server {
        name: "rabbitmq".to_owned(),
        marker: marker(stack),
        ports: vec![amqp, management, stack.dist_port()],
        log: folder.join("rabbitmq.log"),
        command,
        answers: Box::new(move || ports::answers_amqp(amqp) && ports::accepts(management)),
        is_needed_by_next: false,
    }
}

fn environment(stack: &Stack) -> Vec<(&'static str, String)> {
    let folder = folder(stack);
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
            "-kernel inet_dist_use_interface {127,0,0,1}".to_owned(),
        ),
        ("ERL_EPMD_PORT", stack.epmd_port().to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
    ]
}

fn write_configuration(stack: &Stack) -> Result<()> {
    let folder = folder(stack);
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    write(&folder.join("enabled_plugins"), "[rabbitmq_management].\n")?;
    write(&folder.join("definitions.json"), &definitions(stack))?;
    write(&folder.join("rabbitmq.conf"), &configuration(stack))
}

fn configuration(stack: &Stack) -> String {
    let definitions = folder(stack).join("definitions.json");
    format!(
        "listeners.tcp.1 = 127.0.0.1:{}\n\
         management.tcp.ip = 127.0.0.1\n\
         management.tcp.port = {}\n\
         load_definitions = {}\n\
         log.console = true\n\
         log.console.level = info\n\
         log.file = false\n",
        stack.amqp_port,
        stack.management_port,
        definitions.display()
    )
}

/// Loaded at every start, so that a change in `.env` takes effect; guest is always there.
fn definitions(stack: &Stack) -> String {
    let (user, password) = (&stack.credentials.0, &stack.credentials.1);
    let guest = (user != "guest").then_some(("guest", "guest"));
    let users: Vec<_> = guest
        .into_iter()
        .chain([(user.as_str(), password.as_str())])
        .collect();
    let other_vhost = (stack.vhost != "/").then_some(stack.vhost.as_str());
    let vhosts: Vec<_> = ["/"].into_iter().chain(other_vhost).collect();
    let user_entries = users.iter().map(|(name, password)| {
        format!(
            r#"{{"name":{},"password":{},"tags":"administrator"}}"#,
            json(name),
            json(password)
        )
    });
    let vhost_entries = vhosts
        .iter()
        .map(|vhost| format!(r#"{{"name":{}}}"#, json(vhost)));
    let permissions = users
        .iter()
        .flat_map(|(user, _)| vhosts.iter().map(move |vhost| (user, vhost)));
    let permission_entries = permissions.map(|(user, vhost)| {
        format!(
            r#"{{"user":{},"vhost":{},"configure":".*","write":".*","read":".*"}}"#,
            json(user),
            json(vhost)
        )
    });
    format!(
        "{{\"users\":[{}],\"vhosts\":[{}],\"permissions\":[{}]}}\n",
        user_entries.collect::<Vec<_>>().join(","),
        vhost_entries.collect::<Vec<_>>().join(","),
        permission_entries.collect::<Vec<_>>().join(",")
    )
}

/// `text` as a JSON string.
fn json(text: &str) -> String {
    let escape = |character: char| match character {
        '"' | '\\' => format!("\\{character}"),
        control if control < ' ' => format!("\\u{:04x}", u32::from(control)),
        other => other.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// Only for the user's own eyes: a definition holds a password.
fn write(path: &Path, text: &str) -> Result<()> {
    let write = || format!("write {}", path.display());
    fs::write(path, "").with_context(write)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).with_context(write)?;
    fs::write(path, text).with_context(write)
}

fn folder(stack: &Stack) -> PathBuf {
    stack.folder.join("rabbitmq")
}

fn port_mapper_name(stack: &Stack) -> PathBuf {
    folder(stack).join("epmd")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awkward_characters_survive_as_json() {
        assert_eq!(json("a\"b\\c\nd\u{e9}"), "\"a\\\"b\\\\c\\u000ad\u{e9}\"");
    }
}
