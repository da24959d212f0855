//! `RABBITMQ_URI`: `amqp://user:password@host:port/vhost?parameters`, where several hosts stand with commas between
//! them.

use std::str::FromStr;

use lapin::uri::{AMQPScheme, AMQPUri, SASLMechanism};

use super::kind::{Kind, optional};
use crate::rabbitmq::Node;

const FORM: &str = "not an amqp:// or amqps:// URI";
/// The parameters that are used.
const PARAMETERS: [&str; 5] = [
    "auth_mechanism",
    "channel_max",
    "connection_timeout",
    "frame_max",
    "heartbeat",
];
/// Parameters of other clients, and what is to be done here.
const ELSEWHERE: [(&str, &str); 8] = [
    ("cacertfile", "set RABBITMQ_CA_FILE"),
    ("certfile", "set RABBITMQ_CERT_FILE"),
    ("keyfile", "set RABBITMQ_KEY_FILE"),
    ("password", "RABBITMQ_KEY_FILE takes a key without one"),
    ("verify", "the broker's certificate is always verified"),
    ("fail_if_no_peer_cert", "it is a server's"),
    ("server_name_indication", "the host's name is sent"),
    ("depth", "chains of any usual length are taken"),
];
/// Most edits that lead from one name to another that may have been meant.
const FAR: usize = 3;

/// A URI and its nodes.
#[derive(Debug, Clone)]
pub(super) struct Uri {
    pub(super) nodes: Vec<Node>,
    /// Its host and port mean nothing.
    pub(super) uri: AMQPUri,
}

pub(super) fn amqp_uri() -> Kind<Option<Uri>> {
    optional(Kind::new("", str::parse))
}

impl Uri {
    pub(super) fn is_tls(&self) -> bool {
        self.uri.scheme == AMQPScheme::AMQPS
    }
}

impl FromStr for Uri {
    type Err = String;

    /// The texts of faults hold nothing of what may be user or password.
    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or(FORM)?;
        let scheme: AMQPScheme = scheme.parse().map_err(|_| FORM)?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if rest.contains('@') {
            let fault = "an @ after the hosts; in user and password, / ? # and @ are written %2F %3F %23 and %40";
            return Err(format!("{FORM} ({fault})"));
        }
        parameters(rest)?;
        let hosts = authority.rsplit('@').next().unwrap_or_default();
        let user = &authority[..authority.len() - hosts.len()];
        let nodes = match hosts {
            "" => "localhost".to_owned(),
            // In a URI, the % before a zone is written so.
            hosts => hosts.replace("%25", "%"),
        };
        let nodes = Node::list(&nodes, scheme.default_port());
        let nodes = nodes.map_err(|fault| format!("{FORM} ({fault})"))?;
        // The parser takes one host, and no IPv6 address.
        let uri = format!("{scheme}://{user}localhost{rest}").parse();
        let mut uri: AMQPUri = uri.map_err(|reason| format!("{FORM} ({reason})"))?;
        if uri.vhost.is_empty() {
            uri.vhost.push('/');
        }
        Ok(Self { nodes, uri })
    }
}

/// Checks the parameters' names and values.
fn parameters(rest: &str) -> Result<(), String> {
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let mut seen = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if let Some((_, advice)) = ELSEWHERE.iter().find(|(known, _)| *known == name) {
            return Err(format!("its parameter `{name}` is not taken: {advice}"));
        }
        if !PARAMETERS.contains(&name) {
            return Err(unknown(name));
        }
        if seen.contains(&name) {
            return Err(format!("its parameter `{name}` stands there twice"));
        }
        if !is_value(name, value) {
            return Err(format!("its parameter `{name}` does not take `{value}`"));
        }
        seen.push(name);
    }
    Ok(())
}

fn is_value(name: &str, value: &str) -> bool {
    match name {
        "auth_mechanism" => value.parse::<SASLMechanism>().is_ok(),
        "connection_timeout" => value.parse::<u64>().is_ok_and(|limit| limit > 0),
        "frame_max" => value.parse::<u32>().is_ok(),
        _ => value.parse::<u16>().is_ok(),
    }
}

fn unknown(name: &str) -> String {
    let edits = |known: &&str| strsim::osa_distance(name, known);
    let nearest = PARAMETERS.iter().copied().min_by_key(edits);
    match nearest.filter(|known| edits(known) <= FAR) {
        Some(known) => format!("it has no parameter `{name}`; did you mean {known}?"),
        None => format!(
            "it has no parameter `{name}`, only {}",
            PARAMETERS.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(text: &str) -> String {
        let uri: Uri = text.parse().unwrap();
        let nodes: Vec<_> = uri.nodes.iter().map(ToString::to_string).collect();
        nodes.join(" ")
    }

    fn fault(text: &str) -> String {
        text.parse::<Uri>().unwrap_err()
    }

    #[test]
    fn several_hosts_stand_with_commas_between_them() {
        assert_eq!(
            nodes("amqp://u:p@a:5673,b,[::1]:1/v"),
            "a:5673 b:5672 [::1]:1"
        );
        assert_eq!(nodes("amqps://a,b"), "a:5671 b:5671");
        assert_eq!(nodes("amqp://"), "localhost:5672");
        assert_eq!(nodes("amqp://[fe80::1%25eth0]"), "[fe80::1%eth0]:5672");
    }

    #[test]
    fn user_password_virtual_host_and_parameters_stay() {
        let uri: Uri = "amqps://ada:p%40ss@a,b/%2fgames?heartbeat=7&auth_mechanism=external"
            .parse()
            .unwrap();
        assert!(uri.is_tls());
        let Uri { uri, .. } = uri;
        assert_eq!(uri.authority.userinfo.username, "ada");
        assert_eq!(uri.authority.userinfo.password, "p@ss");
        assert_eq!(
            (uri.vhost.as_str(), uri.query.heartbeat),
            ("/games", Some(7))
        );
        assert_eq!(uri.query.auth_mechanism, Some(SASLMechanism::External));
        let root: Uri = "amqp://a/".parse().unwrap();
        assert_eq!(root.uri.vhost, "/");
    }

    #[test]
    fn a_mistyped_parameter_is_answered_with_the_one_that_was_meant() {
        for (name, meant) in [
            ("hartbeat", "heartbeat"),
            ("heart_beat", "heartbeat"),
            ("frame-max", "frame_max"),
            ("connect_timeout", "connection_timeout"),
            ("auth_mechanisms", "auth_mechanism"),
        ] {
            let expected = format!("it has no parameter `{name}`; did you mean {meant}?");
            assert_eq!(fault(&format!("amqp://a?{name}=7")), expected);
        }
        assert!(fault("amqp://a/v?ssl=true").contains("only auth_mechanism, channel_max"));
    }

    #[test]
    fn parameters_of_other_clients_lead_to_the_setting() {
        let fault = fault("amqps://a?cacertfile=/ca.pem");
        assert_eq!(
            fault,
            "its parameter `cacertfile` is not taken: set RABBITMQ_CA_FILE"
        );
    }

    #[test]
    fn values_and_repetitions_are_checked() {
        for query in [
            "heartbeat=5s",
            "heartbeat",
            "heartbeat=70000",
            "connection_timeout=0",
            "auth_mechanism=kerberos",
        ] {
            assert!(
                fault(&format!("amqp://a?{query}")).contains("does not take"),
                "{query}"
            );
        }
        assert!(fault("amqp://a?heartbeat=5&heartbeat=6").contains("twice"));
    }

    #[test]
    fn a_fault_repeats_nothing_of_a_password() {
        for text in [
            "amqp://u:hunter2/x@a",
            "amqp://u:1?hunter2@a",
            "amqp://u:1#hunter2@a",
            "amqp://u:hunter2",
            "amqp://u:x@hunter2@a b",
        ] {
            let fault = fault(text);
            assert!(!fault.contains("hunter2"), "{fault}");
        }
    }
}
