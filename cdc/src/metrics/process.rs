//! What the process uses, by the names that every Prometheus client gives it. Linux tells all of it, other systems less.

use std::{fs, sync::OnceLock, time::SystemTime};

use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

/// Time that the processors spent on it.
#[expect(
    clippy::unnecessary_wraps,
    clippy::cast_precision_loss,
    reason = "a source of seconds"
)]
pub(super) fn cpu_seconds() -> Option<f64> {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Some(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

/// Memory that it has in use.
pub(super) fn resident_bytes() -> Option<f64> {
    pages(1)
}

/// Addresses that it has in use.
pub(super) fn virtual_bytes() -> Option<f64> {
    pages(0)
}

/// Open files and connections.
#[expect(clippy::cast_precision_loss, reason = "there are not so many")]
pub(super) fn open_files() -> Option<f64> {
    let listed = fs::read_dir("/proc/self/fd").ok()?.count();
    // The list itself is an open file.
    Some(listed.saturating_sub(1) as f64)
}

/// Most open files and connections that the system allows; infinite where it allows any number.
#[expect(
    clippy::unnecessary_wraps,
    clippy::cast_precision_loss,
    reason = "a source, and there are not so many"
)]
pub(super) fn most_files() -> Option<f64> {
    let limit = getrlimit(Resource::Nofile).current;
    Some(limit.map_or(f64::INFINITY, |limit| limit as f64))
}

/// When it started, in seconds since 1970.
pub(super) fn start_seconds() -> Option<f64> {
    static START: OnceLock<Option<f64>> = OnceLock::new();
    *START.get_or_init(|| {
        let age = age_seconds()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Some(now.ok()?.as_secs_f64() - age)
    })
}

/// How long ago it started.
#[expect(clippy::cast_precision_loss, reason = "seconds for people")]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn age_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may have any character.
    let (_, rest) = stat.rsplit_once(')')?;
    let started: u64 = rest.split_whitespace().nth(19)?.parse().ok()?;
    let booted = clock_gettime(ClockId::Boottime);
    let now = booted.tv_sec as f64 + booted.tv_nsec as f64 / 1e9;
    Some(now - started as f64 / clock_ticks_per_second() as f64)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn age_seconds() -> Option<f64> {
    None
}

/// A field of the process's memory, in bytes.
#[expect(clippy::cast_precision_loss, reason = "bytes for people")]
fn pages(field: usize) -> Option<f64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(field)?.parse().ok()?;
    Some(pages as f64 * page_size() as f64)
}
