//! Whether the connection to RabbitMQ is encrypted, and with which files.

use std::path::PathBuf;

use lapin::uri::SASLMechanism;

use super::{
    Faults,
    kind::{Kind, optional},
    settings::Rabbit,
};
use crate::rabbitmq::{File, Identity, Tls};

/// Ways to authenticate.
pub(super) const AUTH: [(&str, SASLMechanism); 2] = [
    ("plain", SASLMechanism::Plain),
    ("external", SASLMechanism::External),
];

/// `on` and `off`, or none.
pub(super) fn switch() -> Kind<Option<bool>> {
    optional(Kind::new("on, off", |text| match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("`{text}` is neither on nor off")),
    }))
}

/// A file's path, or none. The file is not looked at.
pub(super) fn file() -> Kind<Option<PathBuf>> {
    optional(Kind::new("", |text| Ok(PathBuf::from(text))))
}

fn variable(file: File) -> &'static str {
    match file {
        File::Ca => "RABBITMQ_CA_FILE",
        File::Certificate => "RABBITMQ_CERT_FILE",
        File::Key => "RABBITMQ_KEY_FILE",
    }
}

impl Rabbit {
    /// How to encrypt; none for not at all. Whoever gives a file wants TLS: it is never left out in silence.
    pub(super) fn tls(&self, faults: &mut Faults) -> Option<Tls> {
        let identity = self.identity(faults);
        let is_tls = self.is_tls(faults);
        if self.mechanism() == SASLMechanism::External && !(is_tls && self.cert_file.is_some()) {
            let text = "`external` is a login by client certificate: it needs TLS, RABBITMQ_CERT_FILE and RABBITMQ_KEY_FILE";
            faults.add("RABBITMQ_AUTH", text);
        }
        let tls = Tls {
            ca: self.ca_file.clone(),
            identity,
        };
        let tls = is_tls.then_some(tls)?;
        for fault in tls.faults() {
            faults.add(variable(fault.file), fault);
        }
        Some(tls)
    }

    fn is_tls(&self, faults: &mut Faults) -> bool {
        let files = [
            self.ca_file.as_ref().map(|_| File::Ca),
            self.cert_file.as_ref().map(|_| File::Certificate),
            self.key_file.as_ref().map(|_| File::Key),
        ];
        let file = files.into_iter().flatten().next().map(variable);
        match &self.uri {
            Some(uri) if uri.is_tls() => true,
            Some(_) => {
                let switch = (self.tls == Some(true)).then_some("RABBITMQ_TLS");
                if let Some(variable) = file.or(switch) {
                    let text = "is for TLS, and RABBITMQ_URI begins with amqp://, which has none; write amqps://";
                    faults.add(variable, text);
                }
                false
            }
            None => {
                if let (Some(false), Some(variable)) = (self.tls, file) {
                    faults.add(variable, "is for TLS, and RABBITMQ_TLS is off");
                }
                self.tls.unwrap_or(file.is_some())
            }
        }
    }

    fn identity(&self, faults: &mut Faults) -> Option<Identity> {
        match (&self.cert_file, &self.key_file) {
            (Some(certificate), Some(key)) => Some(Identity {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            (Some(_), None) => {
                faults.add(
                    "RABBITMQ_KEY_FILE",
                    "has to be set where RABBITMQ_CERT_FILE is",
                );
                None
            }
            (None, Some(_)) => {
                faults.add(
                    "RABBITMQ_CERT_FILE",
                    "has to be set where RABBITMQ_KEY_FILE is",
                );
                None
            }
            (None, None) => None,
        }
    }

    /// The URI's word counts.
    pub(super) fn mechanism(&self) -> SASLMechanism {
        let uri = self.uri.as_ref();
        uri.and_then(|uri| uri.uri.query.auth_mechanism)
            .unwrap_or(self.auth)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Given, Value};

    fn faults(values: &[(&'static str, &str)]) -> String {
        let given: Given = values
            .iter()
            .map(|(variable, value)| (*variable, Value::from_flag(*value)))
            .collect();
        let checked = Config::check(&given);
        checked
            .err()
            .map_or(String::new(), |faults| faults.to_string())
    }

    const FILES: [(&str, &str); 3] = [
        ("RABBITMQ_CA_FILE", "/nowhere/ca.pem"),
        ("RABBITMQ_CERT_FILE", "/nowhere/client.pem"),
        ("RABBITMQ_KEY_FILE", "/nowhere/client.key"),
    ];

    #[test]
    fn files_mean_tls_and_are_looked_at() {
        let text = faults(&FILES);
        for part in [
            "RABBITMQ_CA_FILE: /nowhere/ca.pem: No such file or directory",
            "RABBITMQ_CERT_FILE: /nowhere/client.pem: No such file or directory",
        ] {
            assert!(text.contains(part), "no `{part}` in:\n{text}");
        }
    }

    #[test]
    fn whoever_gives_a_file_never_goes_without_tls_in_silence() {
        for (file, _) in FILES {
            let text = faults(&[(file, "/x"), ("RABBITMQ_URI", "amqp://a")]);
            assert!(text.contains(&format!("{file}: is for TLS")), "{text}");
            let text = faults(&[(file, "/x"), ("RABBITMQ_TLS", "off")]);
            assert!(text.contains(&format!("{file}: is for TLS")), "{text}");
        }
        let text = faults(&[("RABBITMQ_TLS", "on"), ("RABBITMQ_URI", "amqp://a")]);
        assert!(text.contains("RABBITMQ_TLS: is for TLS"), "{text}");
    }

    #[test]
    fn a_certificate_needs_its_key_and_the_other_way_round() {
        let text = faults(&FILES[1..2]);
        assert!(text.contains("RABBITMQ_KEY_FILE: has to be set"), "{text}");
        let text = faults(&FILES[2..]);
        assert!(text.contains("RABBITMQ_CERT_FILE: has to be set"), "{text}");
    }

    #[test]
    fn a_login_by_certificate_needs_one() {
        for settings in [
            &[("RABBITMQ_AUTH", "external")][..],
            &[("RABBITMQ_AUTH", "external"), ("RABBITMQ_TLS", "on")],
            &[("RABBITMQ_URI", "amqp://a?auth_mechanism=external")],
        ] {
            let text = faults(settings);
            assert!(text.contains("RABBITMQ_AUTH: `external`"), "{text}");
        }
    }
}
