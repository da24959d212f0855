//! What a process has used, as Linux counts it.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// Linux counts processor time in hundredths of a second, whatever its own clock is.
const TICKS_PER_SECOND: u32 = 100;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in user mode.
    pub user: Duration,
    /// Processor time in the kernel.
    pub system: Duration,
    /// Peak resident memory in KiB.
    pub peak_memory_kib: u64,
    /// Resident memory now in KiB.
    pub memory_kib: u64,
}

impl Usage {
    /// Looks at a process that still runs.
    ///
    /// # Errors
    /// If it has ended.
    pub fn of(pid: u32) -> Result<Self> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_to_string(&path).with_context(|| format!("read {path}"))
        };
        let usage = parse(&read("stat")?, &read("status")?);
        usage.with_context(|| format!("what process {pid} has used cannot be read"))
    }
}

fn parse(stat: &str, status: &str) -> Option<Usage> {
    // The name in front may hold anything, also a closing parenthesis.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut time = || {
        let ticks: u32 = fields.next()?.parse().ok()?;
        Some(Duration::from_secs(1) * ticks / TICKS_PER_SECOND)
    };
    Some(Usage {
        user: time()?,
        system: time()?,
        peak_memory_kib: kib(status, "VmHWM:")?,
        memory_kib: kib(status, "VmRSS:")?,
    })
}

fn kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_an_odd_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 123 45 0 0 20 0 3 0 9 1 2";
        let status = "Name:\ta\nVmPeak:\t  9000 kB\nVmHWM:\t    1500 kB\nVmRSS:\t     700 kB\n";
        let usage = parse(stat, status).unwrap();
        assert_eq!(usage.user, Duration::from_millis(1230));
        assert_eq!(usage.system, Duration::from_millis(450));
        assert_eq!((usage.peak_memory_kib, usage.memory_kib), (1500, 700));
        assert_eq!(parse("7 (a) S 1", status), None);
    }

    #[test]
    fn our_own_usage_is_known() {
        assert!(Usage::of(std::process::id()).unwrap().memory_kib > 100);
    }
}
