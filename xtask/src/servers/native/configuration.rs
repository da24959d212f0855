//! The broker's configuration, written anew at every start.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{Context, Result};

use crate::servers::stack::Stack;

/// Puts all that the broker reads into its folder.
pub(super) fn write(stack: &Stack) -> Result<()> {
    let folder = stack.rabbitmq_folder();
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    write_private(&folder.join("enabled_plugins"), "[rabbitmq_management].\n")?;
    write_private(&folder.join("definitions.json"), &definitions(stack))?;
    write_private(&folder.join("rabbitmq.conf"), &configuration(stack))
}

fn configuration(stack: &Stack) -> String {
    let definitions = stack.rabbitmq_folder().join("definitions.json");
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
    let policy_entries = vhosts.iter().map(|vhost| policy(vhost));
    format!(
        "{{\"users\":[{}],\"vhosts\":[{}],\"permissions\":[{}],\"policies\":[{}]}}\n",
        user_entries.collect::<Vec<_>>().join(","),
        vhost_entries.collect::<Vec<_>>().join(","),
        permission_entries.collect::<Vec<_>>().join(","),
        policy_entries.collect::<Vec<_>>().join(",")
    )
}

/// Keeps the messages of classic queues on disk, as RabbitMQ 3.12 and later do by themselves: an older one holds a
/// queue that nobody reads in memory, and collecting garbage there took half of its processor time (3.10, 200,000
/// messages). With the lowest priority, so that any other policy for a queue is the one that counts.
fn policy(vhost: &str) -> String {
    format!(
        r#"{{"vhost":{},"name":"messages-on-disk","pattern":".*","apply-to":"queues","priority":-1,"definition":{{"queue-mode":"lazy"}}}}"#,
        json(vhost)
    )
}

/// `text` as a JSON string.
pub(super) fn json(text: &str) -> String {
    let escape = |character: char| match character {
        '"' | '\\' => format!("\\{character}"),
        control if control < ' ' => format!("\\u{:04x}", u32::from(control)),
        other => other.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// Only for the user's own eyes: a definition holds a password.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let write = || format!("write {}", path.display());
    fs::write(path, "").with_context(write)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).with_context(write)?;
    fs::write(path, text).with_context(write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awkward_characters_survive_as_json() {
        assert_eq!(json("a\"b\\c\nd\u{e9}"), "\"a\\\"b\\\\c\\u000ad\u{e9}\"");
    }
}
