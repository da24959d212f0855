//! The broker's nodes: where each one is, and how that is written.

use std::{fmt, net::IpAddr};

/// Host and port of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// A name or an address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// Why a text names no nodes. It holds nothing of the text, which may be part of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Nothing stands between two commas.
    #[error("a host is missing")]
    NoHost,
    /// White space, a slash and the like.
    #[error("a host is neither a name nor an address")]
    Host,
    /// Not a number, 0, or too large.
    #[error("a port is not a whole number from 1 to 65535")]
    Port,
    /// A colon may belong to the address or begin the port.
    #[error("an IPv6 address with a port needs brackets, as in [::1]:5672")]
    Brackets,
}

impl Node {
    /// Nodes with commas between them, each `host`, `host:port`, `address` or `[address]:port`; `port` is the port of
    /// those that name none.
    ///
    /// # Errors
    /// See [`Malformed`].
    pub fn list(text: &str, port: u16) -> Result<Vec<Self>, Malformed> {
        let nodes = text.split(',').map(|node| Self::parse(node.trim(), port));
        nodes.collect()
    }

    fn parse(text: &str, port: u16) -> Result<Self, Malformed> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(Malformed::Host)?;
                let port = match rest.strip_prefix(':') {
                    Some(digits) => number(digits)?,
                    None if rest.is_empty() => port,
                    None => return Err(Malformed::Host),
                };
                (is_ipv6(host).then_some(host).ok_or(Malformed::Host)?, port)
            }
            None if is_ipv6(text) => (text, port),
            None => match text.split_once(':') {
                Some((_, rest)) if rest.contains(':') => return Err(Malformed::Brackets),
                Some((host, digits)) => (host, number(digits)?),
                None => (text, port),
            },
        };
        if host.is_empty() {
            return Err(Malformed::NoHost);
        }
        if host.contains(|char: char| char.is_whitespace() || "/@?#[]\\".contains(char)) {
            return Err(Malformed::Host);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Whether this is an IPv6 address, with a zone or without.
fn is_ipv6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    matches!(address.parse(), Ok(IpAddr::V6(_)))
}

fn number(digits: &str) -> Result<u16, Malformed> {
    let port = digits.parse().ok().filter(|port| *port > 0);
    port.filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .ok_or(Malformed::Port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let nodes = Node::list(text, 5673).unwrap();
        let nodes: Vec<_> = nodes.iter().map(ToString::to_string).collect();
        assert_eq!(nodes, expected, "{text}");
    }

    #[test]
    fn a_host_may_have_a_port_of_its_own() {
        check("a", &["a:5673"]);
        check("a.example:5672", &["a.example:5672"]);
        check("10.0.0.1", &["10.0.0.1:5673"]);
        check(" a , b:1,c ", &["a:5673", "b:1", "c:5673"]);
    }

    #[test]
    fn an_ipv6_address_may_have_brackets_and_needs_them_for_a_port() {
        check("::1", &["[::1]:5673"]);
        check("[::1]", &["[::1]:5673"]);
        check(
            "[::1]:5672,fe80::1%eth0",
            &["[::1]:5672", "[fe80::1%eth0]:5673"],
        );
        assert_eq!(Node::list("[::1]", 1).unwrap()[0].host, "::1");
    }

    #[test]
    fn what_names_no_node_is_told_without_repeating_it() {
        for (text, expected) in [
            ("", Malformed::NoHost),
            ("a,,b", Malformed::NoHost),
            (":5672", Malformed::NoHost),
            ("a b", Malformed::Host),
            ("amqp://a", Malformed::Port),
            ("a/b", Malformed::Host),
            ("[a]", Malformed::Host),
            ("[::1", Malformed::Host),
            ("[::1]5672", Malformed::Host),
            ("a:0", Malformed::Port),
            ("a:+1", Malformed::Port),
            ("a:70000", Malformed::Port),
            ("a:", Malformed::Port),
            ("a:5672:5673", Malformed::Brackets),
            ("::1:56722", Malformed::Brackets),
        ] {
            assert_eq!(Node::list(text, 5673), Err(expected), "{text}");
        }
    }
}
