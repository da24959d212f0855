//! Makes one replica set of three running members.

use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{
    cargo,
    child::Running,
    failure::Failure,
    progress::{Line, Progress},
    project::Project,
    servers::stack::{REPLICA_SET, Stack},
};

const LIMIT: Duration = Duration::from_secs(60);
/// Past the program's own limit, so that it can say which member is the culprit.
const MARGIN: Duration = Duration::from_secs(15);
/// Half of MongoDB's default: everything is on one machine, and people wait for the first election.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(100);

/// Initiates the set if it is not yet, and waits for one PRIMARY and two SECONDARYs.
pub(crate) fn initiate(project: &Project, progress: &Progress, stack: &Stack) -> Result<()> {
    let line = progress.line("replica set");
    line.note("waiting for the members");
    let program = cargo::workload(project);
    let (uri, limit_ms) = (stack.mongo_uri(), LIMIT.as_millis().to_string());
    let election_ms = ELECTION_TIMEOUT.as_millis().to_string();
    let command = cmd!(
        project.shell,
        "{program} replica-set --uri {uri} --name {REPLICA_SET} --timeout-ms {limit_ms} --election-timeout-ms {election_ms}"
    );
    let mut command = project.command(command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(&mut command)?;
    follow(project, &mut running, stack, &line)?;
    line.done("one PRIMARY and two SECONDARYs");
    Ok(())
}

fn follow(project: &Project, running: &mut Running, stack: &Stack, line: &Line) -> Result<()> {
    let stdout = running
        .child()
        .stdout
        .take()
        .context("read the members' states")?;
    let mut stderr = running
        .child()
        .stderr
        .take()
        .context("read the members' states")?;
    let (sender, changes) = mpsc::channel();
    thread::spawn(move || {
        BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .try_for_each(|state| sender.send(state))
    });
    loop {
        match changes.recv_timeout(POLL) {
            Ok(state) if state == "ready" => {}
            Ok(state) => line.say(&with_member_name(stack, &state)),
            Err(RecvTimeoutError::Timeout) => project.interrupt.check()?,
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = running.wait(&project.interrupt, LIMIT + MARGIN)?;
    if status.success() {
        return Ok(());
    }
    let mut complaint = String::new();
    stderr
        .read_to_string(&mut complaint)
        .context("read the members' states")?;
    Err(Failure::new("the replica set did not come up")
        .evidence(complaint.trim())
        .into())
}

/// `localhost:30001 PRIMARY` becomes `mongo1 PRIMARY`.
fn with_member_name(stack: &Stack, state: &str) -> String {
    let named = || {
        let (address, state) = state.split_once(' ')?;
        let port = address.rsplit(':').next()?.parse().ok()?;
        Some(format!("{} {state}", stack.member(port)?))
    };
    named().unwrap_or_else(|| state.to_owned())
}
