//! What the toolkit tells of the servers that it has started: how to find and start each one.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use serde::Deserialize;

/// The servers of a run.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Plan {
    pub(super) mongo: Vec<Launch>,
    /// The broker's nodes; one, or a cluster.
    pub(super) brokers: Vec<Launch>,
    /// The broker's administration program.
    pub(super) control: PathBuf,
}

/// How one server is found and started.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Launch {
    pub(super) name: String,
    /// Part of its command line that no other process has.
    pub(super) marker: String,
    pub(super) port: u16,
    pub(super) log: PathBuf,
    program: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    folder: PathBuf,
}

impl Plan {
    /// Reads the file that the toolkit has written.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let plan = serde_json::from_str(&text);
        plan.with_context(|| format!("{} is not a plan of servers", path.display()))
    }
}

impl Launch {
    /// The name by which Erlang knows it.
    pub(super) fn node_name(&self) -> &str {
        self.environment
            .get("RABBITMQ_NODENAME")
            .map_or("", String::as_str)
    }

    /// A command that starts it.
    pub(super) fn command(&self) -> Command {
        let mut command = self.beside(&self.program);
        command.args(&self.arguments);
        command
    }

    /// A command for another program with its environment.
    ///
    /// Ours may hold settings of other servers, so only what a program needs to be found passes.
    pub(super) fn beside(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let kept = ["PATH", "LD_LIBRARY_PATH"].into_iter();
        command
            .env_clear()
            .envs(kept.filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(&self.environment)
            .current_dir(&self.folder);
        command
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_without_a_marker_is_refused() {
        let mut server = json!({"name": "a", "marker": "m", "port": 1, "log": "l", "program": "p",
            "arguments": ["x"], "environment": {"K": "v"}, "folder": "f"});
        let plan = json!({"mongo": [server], "brokers": [server], "control": "c"});
        let read: Plan = serde_json::from_value(plan).unwrap();
        assert_eq!(read.mongo[0].marker, "m");
        assert_eq!(read.brokers[0].environment["K"], "v");
        server["marker"] = serde_json::Value::Null;
        let broken = json!({"mongo": [server], "brokers": [server], "control": "c"});
        assert!(serde_json::from_value::<Plan>(broken).is_err());
    }
}
