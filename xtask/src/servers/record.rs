//! What the local stack was started with, so that a start with other settings can say so at once.
//!
//! Servers that run keep their settings, and so does some of their data: a member of a replica set is known to the
//! others by its port, and a broker in a container takes user and virtual host only while it has no data.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{choice::Backend, stack::Stack};
use crate::{
    failure::{BAD_CONFIGURATION, Failure},
    project::Project,
};

const SECRET: &str = "RABBITMQ_DEFAULT_PASSWORD";

/// The record of one backend.
#[derive(Debug)]
pub(super) struct Record {
    backend: Backend,
    path: PathBuf,
}

/// A setting that was other than it is to be now.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Difference {
    name: &'static str,
    old: String,
    new: String,
    /// Whether the servers' data keeps the old value.
    in_data: bool,
}

impl Record {
    pub(super) fn of(project: &Project, backend: Backend) -> Self {
        let folder = project.target.join("local");
        let path = folder.join(format!("{backend}-settings.json"));
        Self { backend, path }
    }

    /// Writes down what the stack runs with now.
    pub(super) fn write(&self, stack: &Stack) -> Result<()> {
        let context = || format!("write {}", self.path.display());
        fs::create_dir_all(self.path.parent().unwrap_or(Path::new(""))).with_context(context)?;
        let mut options = OpenOptions::new();
        // For the user's own eyes: there is a password among them.
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&self.path).with_context(context)?;
        let settings = BTreeMap::from(settings(stack));
        let text = serde_json::to_string_pretty(&settings).with_context(context)?;
        writeln!(file, "{text}").with_context(context)
    }

    /// Forgets it, as the servers' data is gone.
    pub(super) fn delete(&self) -> Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("delete {}", self.path.display()))
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    /// When the servers that run, or the data of those that do not, keep other settings than those of `stack`.
    pub(super) fn compare(&self, project: &Project, stack: &Stack, is_running: bool) -> Result<()> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            text => text.with_context(|| format!("read {}", self.path.display()))?,
        };
        // One that cannot be read tells nothing, and the next start writes it anew.
        let recorded = serde_json::from_str(&text).unwrap_or_default();
        let mut differences = differences(self.backend, &recorded, stack);
        differences.retain(|difference| is_running || difference.in_data);
        if differences.is_empty() {
            return Ok(());
        }
        Err(failure(&differences, is_running, |name| project.origin(name)).into())
    }
}

fn differences(
    backend: Backend,
    recorded: &BTreeMap<String, String>,
    stack: &Stack,
) -> Vec<Difference> {
    let difference = |(name, new): (&'static str, String)| {
        let old = recorded.get(name).filter(|old| **old != new)?.clone();
        let is_members = name.starts_with("MONGO_PORT_");
        let in_data = is_members || backend == Backend::Docker && !name.ends_with("_PORT");
        Some(Difference {
            name,
            old,
            new,
            in_data,
        })
    };
    settings(stack).into_iter().filter_map(difference).collect()
}

/// The variables that say how the local stack is, with their values in `stack`.
fn settings(stack: &Stack) -> [(&'static str, String); 9] {
    let [first, second, third] = stack.mongo_ports.map(|port| port.to_string());
    let (user, password) = stack.credentials.clone();
    [
        ("MONGO_PORT_1", first),
        ("MONGO_PORT_2", second),
        ("MONGO_PORT_3", third),
        ("RABBITMQ_PORT", stack.amqp_port.to_string()),
        (
            "RABBITMQ_MANAGEMENT_PORT",
            stack.management_port.to_string(),
        ),
        ("RABBITMQ_STREAM_PORT", stack.stream_port.to_string()),
        ("RABBITMQ_DEFAULT_USERNAME", user),
        (SECRET, password),
        ("RABBITMQ_VHOST", stack.vhost.clone()),
    ]
}

/// Says what was and what is to be, and what to do.
fn failure(
    differences: &[Difference],
    is_running: bool,
    origin: impl Fn(&str) -> &'static str,
) -> Failure {
    let what = if is_running {
        "the local servers run with"
    } else {
        "the data of the local servers is of a start with"
    };
    let told = differences.iter();
    let told = told.map(|difference| difference.told(origin(difference.name)));
    let told = told.collect::<Vec<_>>().join(", ");
    let hint = if differences.iter().any(|difference| difference.in_data) {
        "their data is bound to the old values: `cargo xtask local-stop --volumes` deletes it, then this command takes \
         the new ones; to keep it, set the old ones"
    } else {
        "`cargo xtask local-stop` and this command again take the new values; to go on with what runs, set the old ones"
    };
    Failure::new(format!("{what} {told}"))
        .hint(hint)
        .code(BAD_CONFIGURATION)
}

impl Difference {
    /// What was and what is to be, without a secret.
    fn told(&self, origin: &str) -> String {
        let Self { name, old, new, .. } = self;
        if *name == SECRET {
            format!("another {name} than {origin}")
        } else {
            format!("{name}={old} where {origin} {new}")
        }
    }
}

#[cfg(test)]
mod tests;
