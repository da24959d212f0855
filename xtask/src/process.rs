//! Finds our processes among all of the machine's, and signals them.
//!
//! A process is ours if its command line holds our marker, which names a folder of ours.
//! A pid from a file may belong to someone else by now; a command line cannot.

use std::{
    collections::BTreeMap,
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

const POLL: Duration = Duration::from_millis(50);
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// The machine's processes: command line by pid, arguments joined by a space.
pub(crate) type Table = BTreeMap<u32, String>;

/// All processes that we may see.
pub(crate) fn table() -> Result<Table> {
    if let Ok(entries) = fs::read_dir("/proc") {
        let pids = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        return Ok(pids
            .filter_map(|pid| Some((pid, command_line(pid)?)))
            .collect());
    }
    let output = Command::new("ps")
        .args(["-axww", "-o", "pid=,args="])
        .output()
        .context("run `ps`")?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(parse_ps_line)
        .collect())
}

/// The processes whose command line holds `marker`.
pub(crate) fn find<'a>(table: &'a Table, marker: &'a str) -> impl Iterator<Item = u32> + 'a {
    let ours = std::process::id();
    table
        .iter()
        .filter(move |(pid, line)| **pid != ours && line.contains(marker))
        .map(|(pid, _)| *pid)
}

/// Asks every process that holds one of `markers` to end, and waits until they are gone.
///
/// Returns the markers of those that did not end within `grace` and were killed.
pub(crate) fn end(markers: &[String], grace: Duration) -> Result<Vec<String>> {
    signal_all(&table()?, markers, Signal::TERM);
    let stubborn = wait_until_gone(markers, grace)?;
    kill(&stubborn)?;
    Ok(stubborn)
}

/// Kills every process that holds one of `markers`, and waits until they are gone.
pub(crate) fn kill(markers: &[String]) -> Result<()> {
    signal_all(&table()?, markers, Signal::KILL);
    match wait_until_gone(markers, KILL_LIMIT)?.as_slice() {
        [] => Ok(()),
        left => bail!("these processes cannot be killed: {}", left.join(", ")),
    }
}

/// Returns the markers of those that are still there after `limit`.
fn wait_until_gone(markers: &[String], limit: Duration) -> Result<Vec<String>> {
    let deadline = Instant::now() + limit;
    loop {
        let table = table()?;
        let is_left = |marker: &&String| find(&table, marker).next().is_some();
        let left: Vec<String> = markers.iter().filter(is_left).cloned().collect();
        if left.is_empty() || deadline < Instant::now() {
            return Ok(left);
        }
        thread::sleep(POLL);
    }
}

/// Signals the process group that `leader` leads.
pub(crate) fn signal_group(leader: u32, signal: Signal) {
    // It may be gone already.
    let _ = id(leader).map(|leader| kill_process_group(leader, signal));
}

fn signal_all(table: &Table, markers: &[String], signal: Signal) {
    for pid in markers.iter().flat_map(|marker| find(table, marker)) {
        let _ = id(pid).map(|pid| kill_process(pid, signal));
    }
}

fn id(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

fn command_line(pid: u32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
    Some(line.trim_end().to_owned())
}

fn parse_ps_line(line: &str) -> Option<(u32, String)> {
    let (pid, command_line) = line.trim_start().split_once(' ')?;
    Some((pid.parse().ok()?, command_line.trim_start().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _};

    use super::*;

    /// A shell that keeps its own arguments and ignores being asked to end, if told so. It has its name when this returns.
    fn start(marker: &str, trap: &str) -> std::process::Child {
        let script = format!("{trap} echo ready; while :; do sleep 0.05; done");
        let mut child = Command::new("sh")
            .args(["-c", &script, marker])
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = BufReader::new(child.stdout.take().unwrap());
        output.take(6).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        child
    }

    #[test]
    fn only_processes_with_the_marker_end() {
        let ours_marker = format!("xtask-test-ours-{}", std::process::id());
        let mut ours = start(&ours_marker, "");
        let mut other = start("xtask-test-other", "");
        let reaper = thread::spawn(move || ours.wait().unwrap());
        let stubborn = end(&[ours_marker], Duration::from_secs(10)).unwrap();
        assert!(!reaper.join().unwrap().success());
        assert!(stubborn.is_empty());
        assert_eq!(other.try_wait().unwrap(), None);
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn a_process_that_will_not_end_is_killed_and_named() {
        let marker = "xtask-test-stubborn".to_owned();
        let mut child = start(&marker, "trap '' TERM;");
        let reaper = thread::spawn(move || child.wait().unwrap());
        let stubborn = end(std::slice::from_ref(&marker), Duration::from_millis(300)).unwrap();
        assert_eq!(stubborn, [marker]);
        assert!(!reaper.join().unwrap().success());
    }

    #[test]
    fn ps_lines_are_split_into_pid_and_command() {
        assert_eq!(
            parse_ps_line("  12 mongod --port 1"),
            Some((12, "mongod --port 1".to_owned()))
        );
        assert_eq!(parse_ps_line("PID ARGS"), None);
    }
}
