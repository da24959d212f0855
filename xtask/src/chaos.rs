//! `cargo xtask chaos`: breaks everything around the engine and checks that nothing was lost.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    cargo::{self, Profile},
    child::Running,
    process,
    progress::Progress,
    project::Project,
    servers::{self, native::Native, stack::Stack},
    turn::Turn,
};

/// Past the time of the faults themselves.
const MARGIN: Duration = Duration::from_secs(15 * 60);

/// Options of `chaos`.
#[derive(Debug, Args)]
pub(crate) struct Chaos {
    /// How long faults happen, in minutes; a fraction is fine
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    minutes: f64,
    /// Seed of the faults and the changes [default: a new one, which is printed]
    #[arg(long)]
    seed: Option<u64>,
    /// Kinds of faults, separated by commas [default: all that break no promise by themselves]
    #[arg(long)]
    faults: Option<String>,
    /// How many engines run: 1 or 2
    #[arg(long)]
    engines: Option<u8>,
    /// Type of the queue: classic or quorum
    #[arg(long)]
    queue_type: Option<String>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    /// Compile the engine with optimisations
    #[arg(long)]
    release: bool,
    /// Download and install nothing; fail with what is missing
    #[arg(long)]
    offline: bool,
}

impl Chaos {
    /// A short one for `test`: the faults that take the most of the servers with them.
    pub(crate) fn short(offline: bool) -> Self {
        Self {
            minutes: 0.75,
            seed: Some(1),
            faults: Some("engine-kill,broker-kill,mongo-kill".to_owned()),
            engines: None,
            queue_type: None,
            json: false,
            release: false,
            offline,
        }
    }

    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        let progress = Progress::new();
        Turn::Chaos.take(project)?;
        // An earlier run that was killed may have left its servers behind.
        Site::new(project, self.offline).clear(Logs::Delete)?;
        let site = Site::new(project, self.offline);
        let outcome = self.break_everything(project, &progress, &site);
        site.clear(Logs::Keep)?;
        if site.logs().is_dir() {
            eprintln!("the logs are in {}", project.relative(&site.logs()));
        }
        outcome
    }

    fn break_everything(
        &self,
        project: &Project,
        progress: &Progress,
        site: &Site,
    ) -> Result<ExitCode> {
        let profile = Profile::from_flag(self.release);
        let builds = cargo::build(project, progress, profile)?;
        servers::start(project, progress, &site.servers, builds)?;
        fs::create_dir_all(site.logs()).context("make the folder for logs")?;
        let plan = site.servers.stack.folder.join("plan.json");
        fs::write(&plan, site.servers.plan(project, progress)?).context("write the plan")?;
        // A copy, so that a build during the run changes nothing, and for its path: it says whose it is.
        let engine = site.engine();
        fs::copy(cargo::engine(project, profile), &engine).context("copy the engine")?;
        let mut command = Command::new(cargo::workload(project));
        command
            .arg("chaos")
            .args(self.options())
            .current_dir(site.logs())
            .env("CDC_CHAOS_ENGINE", engine)
            .env("CDC_CHAOS_FOLDER", site.logs())
            .env("CDC_CHAOS_PLAN", plan)
            .env("CDC_CHAOS_MONGO_URI", site.servers.stack.mongo_uri())
            .env("CDC_CHAOS_AMQP_URI", site.servers.stack.amqp_uri());
        let limit = Duration::from_secs_f64(self.minutes * 60.0) + MARGIN;
        let status = Running::start(&mut command)?.wait(&project.interrupt, limit)?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(ExitCode::from(code.unwrap_or(crate::failure::FAILED)))
    }

    fn options(&self) -> Vec<String> {
        let mut options = vec![format!("--minutes={}", self.minutes)];
        options.extend(self.seed.map(|seed| format!("--seed={seed}")));
        options.extend(
            self.faults
                .iter()
                .map(|faults| format!("--faults={faults}")),
        );
        options.extend(self.engines.map(|engines| format!("--engines={engines}")));
        options.extend(
            self.queue_type
                .iter()
                .map(|name| format!("--queue-type={name}")),
        );
        options.extend(self.json.then(|| "--json".to_owned()));
        options
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(minutes) if 0.0 < minutes && minutes < 100_000.0 => Ok(minutes),
        _ => Err("a number of minutes above 0".to_owned()),
    }
}

/// Servers, engines and logs of a run.
struct Site {
    servers: Native,
}

/// What becomes of the logs in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Logs {
    Keep,
    Delete,
}

impl Site {
    fn new(project: &Project, offline: bool) -> Self {
        let stack = Stack::chaos(project);
        Self {
            servers: Native { stack, offline },
        }
    }

    fn logs(&self) -> PathBuf {
        self.servers.stack.folder.with_file_name("chaos-logs")
    }

    fn engine(&self) -> PathBuf {
        self.servers.stack.folder.join("cdc")
    }

    /// Ends every process of the run, whoever has started it, and deletes its data.
    fn clear(&self, logs: Logs) -> Result<()> {
        process::kill(&[format!("{} run", self.engine().display())])?;
        if logs == Logs::Keep {
            self.keep_server_logs();
        }
        self.servers.discard()?;
        if logs == Logs::Delete {
            // There may be none.
            let _ = fs::remove_dir_all(self.logs());
        }
        Ok(())
    }

    fn keep_server_logs(&self) {
        let folder = &self.servers.stack.folder;
        let keep = |from: &Path, to: &str| {
            // One that is not there cannot be kept.
            let _ = fs::copy(from, self.logs().join(to));
        };
        keep(&folder.join("rabbitmq/rabbitmq.log"), "rabbitmq.log");
        for member in ["mongo1", "mongo2", "mongo3"] {
            let log = folder.join(member).join("mongod.log");
            keep(&log, &format!("{member}.log"));
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        chaos: Chaos,
    }

    #[test]
    fn minutes_are_a_number_above_zero() {
        let parse = |minutes| Line::try_parse_from(["xtask", "--minutes", minutes]);
        assert!((parse("0.5").unwrap().chaos.minutes - 0.5).abs() < 1e-9);
        for bad in ["0", "NaN", "inf", "1e300", "x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_what_was_said_is_passed_on() {
        let line = Line::parse_from(["xtask", "--minutes=2", "--faults=net-cut", "--json"]);
        let options = line.chaos.options();
        assert_eq!(options, ["--minutes=2", "--faults=net-cut", "--json"]);
    }
}
