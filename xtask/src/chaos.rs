//! `cargo xtask chaos`: breaks everything around the engine and checks that nothing was lost.

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    cargo::{self, Profile},
    child,
    local_start::brokers,
    progress::Progress,
    project::Project,
    servers::{
        self,
        native::{Native, broker::Broker},
        stack::Stack,
    },
    turn::Turn,
};

/// Past the time of the faults themselves.
const MARGIN: Duration = Duration::from_secs(15 * 60);

/// Known here too, so that a wrong one is refused before servers are started.
const FAULTS: [&str; 22] = [
    "engine-kill",
    "engine-stop",
    "engine-pause",
    "broker-kill",
    "broker-restart",
    "broker-alarm",
    "broker-close",
    "net-cut",
    "net-stall",
    "mongo-kill",
    "mongo-stepdown",
    "mongo-pause",
    "mongo-majority",
    "mongo-restart-all",
    "queue-node-kill",
    "broker-pause",
    "broker-rolling",
    "split-pause",
    "split-autoheal",
    "split-ignore",
    "unroutable",
    "nack",
];

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
    #[arg(long, value_delimiter = ',', value_parser = FAULTS)]
    faults: Vec<String>,
    /// How many engines run: 1 or 2
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    engines: Option<u8>,
    /// Nodes of the broker: 1 or 3
    #[arg(long, default_value_t = 1, value_parser = brokers)]
    brokers: u16,
    /// Type of the queue [default: classic, and quorum with several nodes]
    #[arg(long, value_parser = ["classic", "quorum", "stream"])]
    queue_type: Option<String>,
    /// Over how many queues the engine spreads the changes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    partitions: u16,
    /// Among how many engines the documents are divided, each with a queue of its own
    #[arg(long, default_value_t = 1, conflicts_with = "partitions", value_parser = clap::value_parser!(u16).range(1..=8))]
    shares: u16,
    /// Have the engines snapshot so many documents again and again, 20000 without a number, and check the copy that the
    /// messages make
    #[arg(long, value_name = "DOCUMENTS", num_args = 0..=1, require_equals = true, default_missing_value = "20000",
        conflicts_with_all = ["partitions", "shares"], value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    snapshot: Option<u32>,
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
            faults: ["engine-kill", "broker-kill", "mongo-kill"]
                .map(str::to_owned)
                .into(),
            engines: None,
            brokers: 1,
            queue_type: None,
            partitions: 1,
            shares: 1,
            snapshot: None,
            json: false,
            release: false,
            offline,
        }
    }

    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        self.run_in(&Turn::take(project, "chaos")?, project)
    }

    /// For who has taken the turn of `chaos`.
    pub(crate) fn run_in(&self, _: &Turn, project: &Project) -> Result<ExitCode> {
        let progress = Progress::new();
        let servers = Native::for_run(|| Stack::chaos(project, self.brokers), self.offline)?;
        let logs = servers.stack.folder.with_file_name("chaos-logs");
        // There may be none.
        let _ = fs::remove_dir_all(&logs);
        let outcome = self.break_everything(project, &progress, &servers, &logs);
        keep_server_logs(&servers.stack, &logs);
        servers.discard()?;
        if logs.is_dir() {
            eprintln!("the logs are in {}", project.relative(&logs));
        }
        outcome
    }

    fn break_everything(
        &self,
        project: &Project,
        progress: &Progress,
        servers: &Native,
        logs: &Path,
    ) -> Result<ExitCode> {
        let profile = Profile::from_flag(self.release);
        let builds = cargo::build(project, progress, profile)?;
        servers::start(project, progress, servers, builds)?;
        fs::create_dir_all(logs).context("make the folder for logs")?;
        let plan = servers.stack.folder.join("plan.json");
        fs::write(&plan, servers.plan(project, progress)?).context("write the plan")?;
        let engine = servers.program("cdc");
        fs::copy(cargo::engine(project, profile), &engine).context("copy the engine")?;
        let mut command = Command::new(cargo::workload(project));
        command
            .arg("chaos")
            .args(self.options())
            .current_dir(logs)
            .env("CDC_CHAOS_ENGINE", engine)
            .env("CDC_CHAOS_FOLDER", logs)
            .env("CDC_CHAOS_PLAN", plan)
            .env("CDC_CHAOS_MONGO_URI", servers.stack.mongo_uri())
            .env("CDC_CHAOS_AMQP_URI", servers.stack.amqp_uris().join(","));
        if Broker::find(project, progress, self.offline)?.has_streams() {
            let addresses = servers.stack.stream_addresses().join(",");
            command.env("CDC_CHAOS_STREAM_ADDRESS", addresses);
        }
        let limit = Duration::from_secs_f64(self.minutes * 60.0) + MARGIN;
        child::exit_code(command, &project.interrupt, limit)
    }

    fn options(&self) -> Vec<String> {
        let queue_type = self.queue_type.clone();
        let quorum = (1 < self.brokers).then(|| "quorum".to_owned());
        let faults = (!self.faults.is_empty()).then(|| self.faults.join(","));
        let partitions = (1 < self.partitions).then(|| self.partitions.to_string());
        let shares = (1 < self.shares).then(|| self.shares.to_string());
        let options = [
            ("seed", self.seed.map(|seed| seed.to_string())),
            ("faults", faults),
            ("engines", self.engines.map(|engines| engines.to_string())),
            ("queue-type", queue_type.or(quorum)),
            ("partitions", partitions),
            ("shares", shares),
            ("snapshot", self.snapshot.map(|count| count.to_string())),
        ];
        let options = options.into_iter();
        let options = options.filter_map(|(name, value)| Some(format!("--{name}={}", value?)));
        let minutes = format!("--minutes={}", self.minutes);
        let json = self.json.then(|| "--json".to_owned());
        [minutes].into_iter().chain(options).chain(json).collect()
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(minutes) if 0.0 < minutes && minutes < 100_000.0 => Ok(minutes),
        _ => Err("a number of minutes above 0".to_owned()),
    }
}

/// Copies the servers' logs; one that is not there cannot be kept.
fn keep_server_logs(stack: &Stack, logs: &Path) {
    for node in stack.nodes() {
        let log = node.folder.join("rabbitmq.log");
        let _ = fs::copy(log, logs.join(node.label).with_extension("log"));
    }
    for member in ["mongo1", "mongo2", "mongo3"] {
        let log = stack.folder.join(member).join("mongod.log");
        let _ = fs::copy(log, logs.join(member).with_extension("log"));
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
        let said = [
            "--minutes=2",
            "--faults=net-cut",
            "--partitions=8",
            "--json",
        ];
        for said in [&said[..], &["--minutes=5"]] {
            let line = Line::parse_from(["xtask"].iter().chain(said));
            assert_eq!(line.chaos.options(), said);
        }
    }

    #[test]
    fn the_kinds_of_faults_are_those_of_the_program() {
        let source = include_str!("../workload/src/chaos/fault.rs");
        let rows = source
            .lines()
            .filter_map(|line| line.trim().strip_prefix("row(\""));
        let kinds = rows.filter_map(|row| Some(row.split_once('"')?.0));
        assert_eq!(kinds.collect::<Vec<_>>(), FAULTS);
        assert!(Line::try_parse_from(["xtask", "--faults=nack,foo"]).is_err());
    }
}
