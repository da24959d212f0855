//! What a user needs to be allowed, and what the broker says is missing of it.
//! <https://www.rabbitmq.com/docs/access-control#authorisation>

use std::{collections::BTreeSet, fmt};

/// The name under which permissions know the default exchange.
const DEFAULT_EXCHANGE: &str = "amq.default";

/// What a user may do with a queue or an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Declare and delete it.
    Configure,
    /// Publish to it, or bind to it where it is a queue.
    Write,
    /// Consume from it, or bind from it where it is an exchange.
    Read,
}

/// What a permission is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A queue.
    Queue(String),
    /// An exchange.
    Exchange(String),
    /// The routing keys of a topic exchange, which may have permissions of their own.
    Topic {
        /// The exchange.
        exchange: String,
        /// The routing key.
        key: String,
    },
}

/// What a user needs to be allowed on a virtual host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    names: BTreeSet<(Permission, String)>,
    /// The lock of a pipeline that is divided: what is needed on it, or on that of a share, is needed on all of them.
    divided: Option<String>,
}

/// A permission that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Host and port of the broker.
    pub address: String,
    /// The user.
    pub user: String,
    /// The virtual host.
    pub vhost: String,
    /// What it is for.
    pub resource: Resource,
    /// What is missing; one of these, where the broker does not tell them apart.
    pub permissions: Vec<Permission>,
    /// All that the user needs.
    pub needs: Needs,
}

/// What the engine did when it said that a permission is missing: older releases do not say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To declare a queue, or to publish.
    DeclareOrPublish,
    /// To declare an exchange.
    DeclareExchange,
    /// To declare an exchange that hands what it cannot route to another one.
    Alternate,
    /// To declare a queue whose dead letters go to an exchange.
    DeadLetters,
    /// To bind a queue to an exchange.
    Bind,
    /// To consume from a queue.
    Consume,
}

impl Needs {
    /// Adds `permission` on the queue or exchange `name`, which is empty for the default exchange.
    #[must_use]
    pub fn and(mut self, permission: Permission, name: &str) -> Self {
        let name = if name.is_empty() {
            DEFAULT_EXCHANGE
        } else {
            name
        };
        self.names.insert((permission, name.to_owned()));
        self
    }

    /// Adds all of `other`.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.names.extend(other.names.iter().cloned());
        self.divided = self.divided.or_else(|| other.divided.clone());
        self
    }

    /// What is needed on `lock`, which is a pipeline's, or on that of a share of it, is needed on those of all shares: a
    /// user whose engines have one each needs all of them.
    #[must_use]
    pub fn of_all_shares(mut self, lock: &str) -> Self {
        self.divided = Some(lock.to_owned());
        self
    }

    /// The regular expression for `permission`: all names that are needed, and no others.
    pub fn pattern(&self, permission: Permission) -> String {
        let names = self.names.iter().filter(|(one, _)| *one == permission);
        let mut names: Vec<String> = names.map(|(_, name)| self.expression(name)).collect();
        names.dedup();
        match &names[..] {
            [] => "^$".to_owned(),
            [name] => format!("^{name}$"),
            names => format!("^({})$", names.join("|")),
        }
    }

    fn expression(&self, name: &str) -> String {
        let divided = self.divided.as_deref().filter(|lock| {
            let end = name.strip_prefix(*lock);
            end.is_some_and(|end| end.is_empty() || is_of_share(end))
        });
        divided.map_or_else(
            || escaped(name),
            |lock| format!(r"{}(\.[0-9]+of[0-9]+)?", escaped(lock)),
        )
    }
}

/// Whether `end` is what the name of a share's lock has behind the pipeline's: `.1of4`.
fn is_of_share(end: &str) -> bool {
    let numbers = end.strip_prefix('.').and_then(|end| end.split_once("of"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|one| one.is_ascii_digit());
    numbers.is_some_and(|(index, count)| is_number(index) && is_number(count))
}

/// `text` as a regular expression that matches it and nothing else.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if r"\^$.|?*+()[]{}".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

impl Action {
    /// What may be missing for it on `resource`.
    fn permissions(self, resource: &Resource) -> Vec<Permission> {
        use Permission::{Configure, Read, Write};
        match (self, resource) {
            (Self::Bind, Resource::Queue(_)) => vec![Write],
            (Self::Bind | Self::Consume, _) => vec![Read],
            (Self::DeadLetters, Resource::Queue(_)) => vec![Configure, Read],
            (_, Resource::Queue(_)) | (Self::DeclareExchange, _) => vec![Configure],
            (Self::Alternate, _) => vec![Configure, Read, Write],
            (Self::DeadLetters | Self::DeclareOrPublish, _) => vec![Write],
        }
    }
}

/// What is missing, where `text` says so: `access to queue 'q' in vhost '/' refused for user 'ada'`, or later
/// `configure access to queue …`.
pub(super) fn parse(text: &str, action: Action) -> Option<(Resource, Vec<Permission>)> {
    let (before, rest) = text.split_once("access to ")?;
    let (rest, _) = rest.split_once("' in vhost '")?;
    let resource = if let Some(rest) = rest.strip_prefix("topic '") {
        let (key, exchange) = rest.rsplit_once("' in exchange ")?;
        let exchange = exchange.trim_start_matches("exchange ");
        Resource::Topic {
            exchange: exchange.trim_start_matches('\'').to_owned(),
            key: key.to_owned(),
        }
    } else if let Some(name) = rest.strip_prefix("queue '") {
        Resource::Queue(name.to_owned())
    } else {
        Resource::Exchange(rest.strip_prefix("exchange '")?.to_owned())
    };
    let told = match before.trim_end().rsplit(' ').next() {
        Some("configure") => Some(Permission::Configure),
        Some("write") => Some(Permission::Write),
        Some("read") => Some(Permission::Read),
        _ => None,
    };
    let permissions = told.map_or_else(|| action.permissions(&resource), |told| vec![told]);
    Some((resource, permissions))
}

impl Denied {
    /// Whether it is missing for a routing key alone.
    pub(super) fn is_about_a_key(&self) -> bool {
        matches!(self.resource, Resource::Topic { .. })
    }

    /// Keeps of what may be missing what is needed; where that is none of it, it is added to what is needed.
    pub(super) fn complete(mut self) -> Self {
        let (Resource::Queue(name) | Resource::Exchange(name)) = &self.resource else {
            return self;
        };
        let needed =
            |permission: &Permission| self.needs.names.contains(&(*permission, name.clone()));
        let known: Vec<_> = self.permissions.iter().copied().filter(needed).collect();
        if known.is_empty() {
            for permission in &self.permissions {
                self.needs = self.needs.and(*permission, name);
            }
        } else {
            self.permissions = known;
        }
        self
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let permissions: Vec<_> = self.permissions.iter().map(Permission::as_str).collect();
        write!(
            f,
            "rabbitmq at {}: user `{}` lacks the {} permission on {} in virtual host `{}`",
            self.address,
            self.user,
            permissions.join(" or "),
            self.resource,
            self.vhost
        )
    }
}

impl Permission {
    /// Its name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::Write => "write",
            Self::Read => "read",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "queue `{name}`"),
            Self::Exchange(name) => write!(f, "exchange `{name}`"),
            Self::Topic { exchange, key } => {
                write!(f, "routing key `{key}` of topic exchange `{exchange}`")
            }
        }
    }
}

#[cfg(test)]
mod tests;
