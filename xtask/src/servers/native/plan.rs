//! How to find and start the servers of a stack, written down for another program.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use super::server::Server;

/// The members, the broker's nodes and the broker's administration program.
pub(super) fn json(mongo: &[Server], brokers: &[Server], control: &Path) -> String {
    let all = |servers: &[Server]| servers.iter().map(server).collect::<Vec<_>>();
    format!(
        "{}\n",
        json!({"mongo": all(mongo), "brokers": all(brokers), "control": control})
    )
}

fn server(server: &Server) -> Value {
    let command = &server.command;
    let environment = command.get_envs().filter_map(|(name, value)| {
        let text = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
        Some((text(name), text(value?)))
    });
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy());
    json!({
        "name": server.name,
        "marker": server.marker,
        "port": server.ports[0],
        "log": server.log,
        "program": Path::new(command.get_program()),
        "arguments": arguments.collect::<Vec<_>>(),
        "environment": environment.collect::<BTreeMap<_, _>>(),
        "folder": command.get_current_dir().or(server.log.parent()),
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_server_is_written_with_all_that_starts_it() {
        let mut command = Command::new("/bin/mongod");
        command.args(["--port", "7"]).env("HOME", "/a \"b\"");
        let member = Server {
            name: "mongo1".to_owned(),
            marker: "--dbpath /d".to_owned(),
            ports: vec![7],
            log: "/l/mongod.log".into(),
            command,
            answers: Box::new(|| true),
            is_needed_by_next: false,
        };
        let expected = json!({
            "name": "mongo1",
            "marker": "--dbpath /d",
            "port": 7,
            "log": "/l/mongod.log",
            "program": "/bin/mongod",
            "arguments": ["--port", "7"],
            "environment": {"HOME": "/a \"b\""},
            "folder": "/l",
        });
        assert_eq!(server(&member), expected);
    }
}
