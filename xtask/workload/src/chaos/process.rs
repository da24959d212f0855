//! Processes that live and die in a run: started, found, signalled, measured.

use std::{
    fs::{self, OpenOptions},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};
pub(super) use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// Starts `command` in a process group of its own, so that a Ctrl-C is ours alone, its output
/// appended to `log`.
pub(super) fn start(command: &mut Command, log: &Path) -> Result<Child> {
    let name = command.get_program().to_string_lossy().into_owned();
    let open = || OpenOptions::new().create(true).append(true).open(log);
    let file = open().with_context(|| format!("write {}", log.display()))?;
    let twin = file.try_clone().context("share the log")?;
    command
        .stdin(Stdio::null())
        .stdout(twin)
        .stderr(file)
        .process_group(0)
        .spawn()
        .with_context(|| format!("start {name}"))
}

/// Sends `signal`; a process that is gone already is fine.
pub(super) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process(pid, signal);
    }
}

/// Processes whose command line holds `marker`.
///
/// A pid that was noted may be someone else's by now; a command line cannot.
pub(super) fn find(marker: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let holds = |pid: &u32| {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
        line.contains(marker) && *pid != std::process::id()
    };
    pids.filter(holds).collect()
}

/// The most memory that the process has had resident, in bytes.
pub(super) fn peak_memory(pid: u32) -> Option<u64> {
    parse_peak(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn parse_peak(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_the_status() {
        let status = "Name:\tcdc\nVmPeak:\t  9000 kB\nVmHWM:\t    1500 kB\nVmRSS:\t 10 kB\n";
        assert_eq!(parse_peak(status), Some(1_536_000));
        assert_eq!(parse_peak("Name:\tcdc\n"), None);
    }

    #[test]
    fn our_own_memory_is_known() {
        assert!(peak_memory(std::process::id()).unwrap() > 100_000);
    }
}
