//! How to find and start the servers of a stack, written down for another program.

use std::{ffi::OsStr, path::Path};

use super::{configuration::json as text, server::Server};

/// The members, the broker and the broker's administration program.
pub(super) fn json(mongo: &[Server], broker: &Server, control: &Path) -> String {
    format!(
        "{{\"mongo\":{},\"broker\":{},\"control\":{}}}\n",
        list(mongo.iter().map(server)),
        server(broker),
        os(control.as_os_str())
    )
}

fn server(server: &Server) -> String {
    let command = &server.command;
    let environment = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}:{}", os(name), os(value?))));
    let environment: Vec<_> = environment.collect();
    let folder = command.get_current_dir().or(server.log.parent());
    let fields = [
        ("name", text(&server.name)),
        ("marker", text(&server.marker)),
        ("port", server.ports[0].to_string()),
        ("log", os(server.log.as_os_str())),
        ("program", os(command.get_program())),
        ("arguments", list(command.get_args().map(os))),
        ("environment", format!("{{{}}}", environment.join(","))),
        ("folder", os(folder.unwrap_or(Path::new("/")).as_os_str())),
    ];
    let fields = fields.map(|(name, value)| format!("{}:{value}", text(name)));
    format!("{{{}}}", fields.join(","))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn os(value: &OsStr) -> String {
    text(&value.to_string_lossy())
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
        let expected = r#"{"name":"mongo1","marker":"--dbpath /d","port":7,"log":"/l/mongod.log","program":"/bin/mongod","arguments":["--port","7"],"environment":{"HOME":"/a \"b\""},"folder":"/l"}"#;
        assert_eq!(server(&member), expected);
        assert_eq!(list([].into_iter()), "[]");
    }
}
