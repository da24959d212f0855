//! The command that grants what a user of RabbitMQ lacks, ready to be pasted into a shell.

use cdc::rabbitmq::{Denied, Needs, Permission, Resource};

/// For `rabbitmqctl`, whose patterns replace those that the user had.
pub(in crate::cli) fn command(denied: &Denied) -> String {
    let Denied { user, vhost, .. } = denied;
    match &denied.resource {
        Resource::Topic { exchange, .. } => {
            rabbitmqctl("set_topic_permissions", vhost, user, [exchange, ".*", ".*"])
        }
        Resource::Queue(_) | Resource::Exchange(_) => all(vhost, user, &denied.needs),
    }
}

/// Grants all of `needs`.
pub(in crate::cli) fn all(vhost: &str, user: &str, needs: &Needs) -> String {
    let all = [Permission::Configure, Permission::Write, Permission::Read];
    let patterns = all.map(|permission| needs.pattern(permission));
    let patterns = patterns.each_ref().map(String::as_str);
    rabbitmqctl("set_permissions", vhost, user, patterns)
}

fn rabbitmqctl(what: &str, vhost: &str, user: &str, patterns: [&str; 3]) -> String {
    let arguments = [vhost, user].into_iter().chain(patterns);
    let quoted: Vec<String> = arguments.map(quoted).collect();
    format!("rabbitmqctl {what} -p {}", quoted.join(" "))
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "_-./".contains(character);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(resource: Resource) -> Denied {
        Denied {
            address: "localhost:5672".to_owned(),
            user: "o'hara".to_owned(),
            vhost: "/".to_owned(),
            resource,
            permissions: vec![Permission::Write],
            needs: Needs::default()
                .and(Permission::Configure, "cdc.lock.default")
                .and(Permission::Write, ""),
        }
    }

    #[test]
    fn every_word_survives_the_shell() {
        let queue = Resource::Queue("q".to_owned());
        assert_eq!(
            command(&denied(queue)),
            r"rabbitmqctl set_permissions -p / 'o'\''hara' '^cdc\.lock\.default$' '^amq\.default$' '^$'"
        );
    }

    #[test]
    fn a_topic_has_a_command_of_its_own() {
        let topic = Resource::Topic {
            exchange: "changes".to_owned(),
            key: "a.b".to_owned(),
        };
        assert_eq!(
            command(&denied(topic)),
            r"rabbitmqctl set_topic_permissions -p / 'o'\''hara' changes '.*' '.*'"
        );
    }
}
