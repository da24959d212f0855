//! Waits for several things at once; the first that fails or is late is named with its log.

use std::{
    fmt, fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{
    child::Running,
    failure::Failure,
    interrupt::Interrupt,
    progress::{Line, Progress},
};

const POLL: Duration = Duration::from_millis(100);
const PROGRAM_LIMIT: Duration = Duration::from_secs(30 * 60);
/// Lines of a program's output that are shown when it fails.
const LINES_KEPT: usize = 60;

/// What a check found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not there yet; what it is doing.
    Waiting(String),
    /// There; what was reached.
    Ready(String),
    /// There all along, and not worth a line.
    NothingToDo,
}

/// Something that becomes ready by itself.
pub(crate) struct Awaited<'a> {
    pub(crate) line: Line,
    pub(crate) name: String,
    /// What it says about itself, for the case that it is late.
    pub(crate) evidence: Box<dyn Fn() -> Option<String> + 'a>,
    pub(crate) limit: Duration,
    pub(crate) check: Box<dyn FnMut() -> Result<State> + 'a>,
}

impl fmt::Debug for Awaited<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Awaited")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Returns once all of `awaited` are ready.
///
/// # Errors
/// With the first that fails or passes its limit, or when someone asks us to stop.
pub(crate) fn all_ready(mut awaited: Vec<Awaited<'_>>, interrupt: &Interrupt) -> Result<()> {
    let started = Instant::now();
    loop {
        let mut waiting = Vec::new();
        for mut item in awaited {
            match item.check()? {
                State::Ready(reached) => item.line.done(&reached),
                State::NothingToDo => item.line.vanish(),
                State::Waiting(doing) if started.elapsed() < item.limit => {
                    item.line.note(&doing);
                    waiting.push(item);
                }
                State::Waiting(doing) => return Err(item.late(&doing)),
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        awaited = waiting;
        interrupt.pause(POLL)?;
    }
}

/// How far a program is whose output has the lines that are given: on its way, and when it has succeeded.
pub(crate) type Reading = (fn(&str) -> String, fn(&str) -> State);

impl Awaited<'_> {
    /// A program that is ready when it has ended, started now, its output in `log`.
    pub(crate) fn program(
        progress: &Progress,
        name: &str,
        command: &mut Command,
        log: PathBuf,
        (doing, reached): Reading,
    ) -> Result<Self> {
        let line = progress.line(name);
        let mut running = Running::start_logged(command, &log)?;
        let check = move || {
            let status = running.poll()?;
            let output = fs::read(&log).with_context(|| format!("read {}", log.display()))?;
            let output = String::from_utf8_lossy(&output);
            match status {
                None => Ok(State::Waiting(doing(&output))),
                Some(status) if status.success() => Ok(reached(&output)),
                Some(status) => {
                    let lines: Vec<&str> = output.lines().collect();
                    let last = &lines[lines.len().saturating_sub(LINES_KEPT)..];
                    Err(Failure::new(format!("it failed ({status})"))
                        .evidence(last.join("\n"))
                        .into())
                }
            }
        };
        Ok(Self {
            line,
            name: name.to_owned(),
            evidence: Box::new(|| None),
            limit: PROGRAM_LIMIT,
            check: Box::new(check),
        })
    }

    fn check(&mut self) -> Result<State> {
        (self.check)().with_context(|| self.name.clone())
    }

    fn late(&self, doing: &str) -> anyhow::Error {
        let text = format!(
            "{} is not ready after {} s: {doing}",
            self.name,
            self.limit.as_secs()
        );
        let failure = Failure::new(text).hint("`cargo xtask local-stop`, then start again");
        match (self.evidence)() {
            Some(evidence) => failure.evidence(evidence).into(),
            None => failure.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, limit: Duration, ready_after: usize) -> Awaited<'static> {
        let mut checks = 0;
        let check = move || {
            checks += 1;
            let state = if ready_after < checks {
                State::Ready
            } else {
                State::Waiting
            };
            Ok(state(format!("check {checks}")))
        };
        let line = Progress::new().line(name);
        Awaited {
            line,
            name: name.to_owned(),
            evidence: Box::new(|| Some("its log".to_owned())),
            limit,
            check: Box::new(check),
        }
    }

    #[test]
    fn the_late_one_is_named_with_what_it_was_doing() {
        let items = vec![
            item("quick", Duration::from_secs(9), 0),
            item("slow", Duration::ZERO, 9),
        ];
        let error = all_ready(items, &Interrupt::never()).unwrap_err();
        assert_eq!(error.to_string(), "slow is not ready after 0 s: check 1");
    }

    #[test]
    fn waiting_goes_on_until_all_are_ready() {
        let items = vec![
            item("one", Duration::from_secs(9), 0),
            item("two", Duration::from_secs(9), 2),
        ];
        all_ready(items, &Interrupt::never()).unwrap();
    }
}
