//! Why no node can be used: one failure for each that was tried.

use std::fmt;

use super::{Cause, Node};
use crate::retry::Disposition;

/// Why no node can be used; at least one failure.
#[derive(Debug)]
pub struct Failures(Vec<(Node, Cause)>);

impl Failures {
    pub(super) fn new(failures: Vec<(Node, Cause)>) -> Self {
        Self(failures)
    }

    /// Whether another attempt may help, at any node.
    pub fn disposition(&self) -> Disposition {
        let may_pass = |cause: &Cause| cause.disposition() == Disposition::Retry;
        if self.0.iter().any(|(_, cause)| may_pass(cause)) {
            Disposition::Retry
        } else {
            Disposition::Halt
        }
    }

    /// Host and port of each node, with commas between them.
    pub fn addresses(&self) -> String {
        let nodes: Vec<_> = self.0.iter().map(|(node, _)| node.to_string()).collect();
        nodes.join(",")
    }

    /// The cause that a person has to mend first: one that does not pass.
    pub fn gravest(&self) -> Option<&Cause> {
        let causes = || self.0.iter().map(|(_, cause)| cause);
        causes().max_by_key(|cause| (cause.disposition() == Disposition::Halt, cause.weight()))
    }
}

/// `a:5672, b:5672: connection refused`, or each with its own cause.
impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: Vec<(String, String)> = Vec::new();
        for (node, cause) in &self.0 {
            let text = cause.to_string();
            match groups.iter_mut().find(|(_, known)| *known == text) {
                Some((nodes, _)) => *nodes = format!("{nodes}, {node}"),
                None => groups.push((node.to_string(), text)),
            }
        }
        let groups: Vec<_> = groups
            .iter()
            .map(|(nodes, text)| format!("{nodes}: {text}"))
            .collect();
        f.write_str(&groups.join("; at "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(failures: Vec<(&str, Cause)>) -> Failures {
        let node = |name: &str| Node {
            host: name.to_owned(),
            port: 5672,
        };
        let failures = failures.into_iter();
        Failures::new(failures.map(|(name, cause)| (node(name), cause)).collect())
    }

    #[test]
    fn nodes_with_the_same_cause_are_told_together() {
        let three = failures(vec![
            ("a", Cause::Refused),
            ("b", Cause::UnknownIssuer),
            ("c", Cause::Refused),
        ]);
        assert_eq!(
            three.to_string(),
            "a:5672, c:5672: connection refused; at b:5672: the issuer of its certificate is not trusted"
        );
        assert_eq!(three.addresses(), "a:5672,b:5672,c:5672");
    }

    #[test]
    fn one_node_that_may_come_back_is_reason_to_try_again() {
        let two = failures(vec![("a", Cause::Refused), ("b", Cause::SpeaksTls)]);
        assert_eq!(two.disposition(), Disposition::Retry);
        assert!(matches!(two.gravest(), Some(Cause::SpeaksTls)));
        let one = failures(vec![("b", Cause::SpeaksTls)]);
        assert_eq!(one.disposition(), Disposition::Halt);
    }
}
