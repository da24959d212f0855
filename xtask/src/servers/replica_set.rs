//! Makes one replica set of three running members.

use std::time::Duration;

use anyhow::Result;
use xshell::cmd;

use super::{
    stack::{REPLICA_SET, Stack},
    wait::{self, Awaited, State},
};
use crate::{cargo, progress::Progress, project::Project};

const LIMIT: Duration = Duration::from_secs(60);
/// Half of MongoDB's default: everything is on one machine, and people wait for the first election.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// Initiates the set if it is not yet, and waits for one PRIMARY and two SECONDARYs.
pub(crate) fn initiate(project: &Project, progress: &Progress, stack: &Stack) -> Result<()> {
    let program = cargo::workload(project);
    let (uri, limit_ms) = (stack.mongo_uri(), LIMIT.as_millis().to_string());
    let election_ms = ELECTION_TIMEOUT.as_millis().to_string();
    let command = cmd!(
        project.shell,
        "{program} replica-set --uri {uri} --name {REPLICA_SET} --timeout-ms {limit_ms} --election-timeout-ms {election_ms}"
    );
    let mut command = project.command(command);
    let log = stack.folder.join("replica-set.log");
    let doing = |output: &str| {
        let last = output.lines().next_back();
        last.unwrap_or("waiting for the members").to_owned()
    };
    let reached = |_: &str| State::Ready("one PRIMARY and two SECONDARYs".to_owned());
    let program = Awaited::program(progress, "replica set", &mut command, log, (doing, reached))?;
    wait::all_ready(vec![program], &project.interrupt)
}
