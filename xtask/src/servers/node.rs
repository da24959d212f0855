//! One node of a stack's broker: its name, its ports and its folder.

use std::path::PathBuf;

use super::stack::Stack;

/// How many nodes a broker has at most.
pub(crate) const NODES_MAX: u16 = 3;

/// A node. A broker alone is one node too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// For people.
    pub(crate) label: String,
    /// For Erlang.
    pub(crate) name: String,
    pub(crate) amqp_port: u16,
    pub(crate) management_port: u16,
    /// Of streams in their own protocol.
    pub(crate) stream_port: u16,
    /// Everything that it reads and writes. No other node's folder begins with this one's name.
    pub(crate) folder: PathBuf,
}

impl Node {
    /// The node of this number, from 1 on. The first one is what a broker alone is, and the ports of the others follow.
    pub(crate) fn of(stack: &Stack, number: u16) -> Self {
        let (label, folder, suffix) = match number {
            1 => (
                "rabbitmq".to_owned(),
                stack.rabbitmq_folder(),
                String::new(),
            ),
            _ => (
                format!("rabbitmq{number}"),
                nodes_folder(stack).join(number.to_string()),
                format!("-{number}"),
            ),
        };
        Self {
            label,
            name: format!("cdc-{}{suffix}@localhost", stack.name),
            amqp_port: stack.amqp_port + (number - 1),
            management_port: stack.management_port + (number - 1),
            stream_port: stack.stream_port + (number - 1),
            folder,
        }
    }

    /// Between Erlang nodes; RabbitMQ puts it 20000 above its own port too.
    pub(crate) fn dist_port(&self) -> u16 {
        let above = self.amqp_port.checked_add(20_000);
        above.unwrap_or_else(|| self.amqp_port - 20_000)
    }

    /// All ports, the one that clients use in front.
    pub(crate) fn ports(&self) -> [u16; 4] {
        [
            self.amqp_port,
            self.management_port,
            self.stream_port,
            self.dist_port(),
        ]
    }
}

/// Folders of all nodes but the first; there if the broker is a cluster.
pub(super) fn nodes_folder(stack: &Stack) -> PathBuf {
    stack.folder.join("nodes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_node_is_taken_for_another() {
        let stack = Stack::bare("test", "/x".as_ref());
        let nodes: Vec<_> = (1..=NODES_MAX)
            .map(|number| Node::of(&stack, number))
            .collect();
        for one in &nodes {
            for other in nodes.iter().filter(|other| *other != one) {
                let (one_folder, other_folder) = (one.folder.display(), other.folder.display());
                let is_prefix = other_folder
                    .to_string()
                    .starts_with(&one_folder.to_string());
                assert!(!is_prefix, "{one_folder}, {other_folder}");
                assert!(!one.ports().iter().any(|port| other.ports().contains(port)));
                assert_ne!(one.name, other.name);
            }
        }
    }
}
