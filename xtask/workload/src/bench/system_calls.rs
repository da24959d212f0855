//! Counts the system calls of a process, where the machine has `perf` and lets us use it.

use std::{process::Command, time::Duration};

use anyhow::Result;
use harness::{Output, Process, Signal};

const EVENT: &str = "raw_syscalls:sys_enter";
/// Longest time for `perf` to end.
const LIMIT: Duration = Duration::from_secs(10);

/// A count that goes on.
#[derive(Debug)]
pub(super) struct SystemCalls(Process);

impl SystemCalls {
    /// Whether they can be counted here.
    pub(super) async fn can_be_counted() -> bool {
        let mut command = Command::new("perf");
        command.args(["stat", "-x", ",", "-e", EVENT, "true"]);
        let Ok(mut trial) = Process::start(&mut command, Output::Stderr) else {
            return false;
        };
        trial.ended(LIMIT).await.is_ok() && parse(&trial.output()).is_some()
    }

    /// Counts those of all threads of a process from now on.
    pub(super) fn count(pid: u32) -> Result<Self> {
        let mut command = Command::new("perf");
        command
            .args(["stat", "-x", ",", "-e", EVENT, "-p", &pid.to_string()])
            // In the language that we read.
            .env("LC_ALL", "C");
        Process::start(&mut command, Output::Stderr).map(Self)
    }

    /// Ends the count.
    pub(super) async fn finish(mut self) -> Result<Option<u64>> {
        self.0.signal(Signal::INT);
        self.0.ended(LIMIT).await?;
        Ok(parse(&self.0.output()))
    }
}

fn parse(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains(EVENT))?;
    line.split(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_the_first_field() {
        let text = "warning\n1234,,raw_syscalls:sys_enter,1000,100.00,,\n";
        assert_eq!(parse(text), Some(1234));
        let refused = "<not counted>,,raw_syscalls:sys_enter,0,0.00,,\n";
        assert_eq!(parse(refused), None);
    }
}
