//! What the toolkit tells of the servers that it has started: how to find and start each one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use serde_json::Value;

/// The servers of a run.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) mongo: Vec<Launch>,
    pub(super) broker: Launch,
    /// The broker's administration program.
    pub(super) control: PathBuf,
}

/// How one server is found and started.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub(super) name: String,
    /// Part of its command line that no other process has.
    pub(super) marker: String,
    pub(super) port: u16,
    pub(super) log: PathBuf,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    folder: PathBuf,
}

impl Plan {
    /// Reads the file that the toolkit has written.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let plan: Value = serde_json::from_str(&text).context("read the plan")?;
        parse(&plan).with_context(|| format!("{} is not a plan of servers", path.display()))
    }
}

impl Launch {
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
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder);
        command
    }
}

fn parse(plan: &Value) -> Option<Plan> {
    let mongo = plan["mongo"].as_array()?.iter().map(launch);
    Some(Plan {
        mongo: mongo.collect::<Option<_>>()?,
        broker: launch(&plan["broker"])?,
        control: plan["control"].as_str()?.into(),
    })
}

fn launch(server: &Value) -> Option<Launch> {
    let text = |name: &str| Some(server[name].as_str()?.to_owned());
    let arguments = server["arguments"].as_array()?.iter();
    let environment = server["environment"].as_object()?.iter();
    Some(Launch {
        name: text("name")?,
        marker: text("marker")?,
        port: u16::try_from(server["port"].as_u64()?).ok()?,
        log: text("log")?.into(),
        program: text("program")?.into(),
        arguments: arguments
            .map(|argument| Some(argument.as_str()?.to_owned()))
            .collect::<Option<_>>()?,
        environment: environment
            .map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect::<Option<_>>()?,
        folder: text("folder")?.into(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_without_a_marker_is_refused() {
        let mut server = json!({"name": "a", "marker": "m", "port": 1, "log": "l", "program": "p",
            "arguments": ["x"], "environment": {"K": "v"}, "folder": "f"});
        let plan = json!({"mongo": [server], "broker": server, "control": "c"});
        let read = parse(&plan).unwrap();
        assert_eq!(read.mongo[0].marker, "m");
        assert_eq!(read.broker.environment, [("K".to_owned(), "v".to_owned())]);
        server["marker"] = Value::Null;
        let broken = json!({"mongo": [server], "broker": server, "control": "c"});
        assert!(parse(&broken).is_none());
    }
}
