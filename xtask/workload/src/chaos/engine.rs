//! The engine under test: kept running whatever ends it, and watched.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, ExitStatus},
    rc::Rc,
    time::Duration,
};

use anyhow::Result;
use harness::{Process, Signal, Usage, engine::Admin};
use tokio::time::{sleep, timeout};

use super::{ledger::Flaw, logs::Log, record::Record, ways::Ways};

/// Pause between two looks at the process.
const POLL: Duration = Duration::from_millis(10);
/// Pause before an engine that ended by itself is started again.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest time to end when asked to: the drain's limit and some more.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// One engine over all of its starts.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) name: String,
    /// The share of the documents that it has, alone or with others.
    pub(super) share: u16,
    pub(super) program: PathBuf,
    pub(super) settings: Vec<(&'static str, String)>,
    pub(super) folder: PathBuf,
    /// Its ways to the broker.
    pub(super) ways: Ways,
    pub(super) admin: Admin,
    pub(super) log: Log,
    pub(super) record: Rc<Record>,
    pub(super) state: RefCell<State>,
}

/// What changes from start to start.
#[derive(Debug, Default)]
pub(super) struct State {
    process: Option<Process>,
    /// The end that it was asked for, and how long it then stays away.
    asked: Option<(Ending, Duration)>,
    /// Moments of the latest start and the latest end.
    pub(super) started: Duration,
    pub(super) ended: Duration,
    /// How often it has ended.
    ends: usize,
    pub(super) peak_memory_kib: u64,
    /// How often it ended how.
    pub(super) exits: BTreeMap<String, usize>,
}

/// How a process is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// SIGKILL.
    Kill,
    /// SIGTERM, with all that it needs at hand.
    Stop,
    /// SIGTERM while something else fails, so it may not manage to drain.
    StopInTrouble,
}

impl Engine {
    /// Keeps it running until the run is over.
    pub(super) async fn keep(&self) -> Result<()> {
        while !self.record.is_over() {
            self.start()?;
            let status = loop {
                match self.look()? {
                    Some(status) => break status,
                    None => sleep(POLL).await,
                }
            };
            sleep(self.note_end(status)).await;
        }
        Ok(())
    }

    /// Whether it runs now.
    pub(super) fn is_running(&self) -> bool {
        self.state.borrow().process.is_some()
    }

    /// Whether it is the one that publishes, as far as it says so.
    pub(super) async fn is_leader(&self) -> bool {
        self.is_running() && self.admin.is_leader().await
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Some(process) = &self.state.borrow().process {
            process.signal(signal);
        }
    }

    /// Kills it, to be started again after `away`; returns when it has ended.
    pub(super) async fn kill(&self, away: Duration) {
        self.end(Ending::Kill, away).await;
    }

    /// Asks it to end, to be started again after `away`; returns when it has ended.
    pub(super) async fn stop(&self, ending: Ending, away: Duration) {
        let before = self.state.borrow().ends;
        let in_time = timeout(STOP_LIMIT, self.end(ending, away)).await.is_ok();
        if !in_time && self.state.borrow().ends == before {
            let seconds = STOP_LIMIT.as_secs();
            let text = format!("{} did not end within {seconds} s of SIGTERM", self.name);
            self.record.violation(Flaw::EngineFailed, text);
            self.kill(away).await;
        }
    }

    /// Returns when it runs, also after it was ended.
    pub(super) async fn wait_until_running(&self) {
        while !self.is_running() {
            sleep(POLL).await;
        }
    }

    async fn end(&self, ending: Ending, away: Duration) {
        // It may have ended by itself just now: the signal is for the next one then.
        self.wait_until_running().await;
        let before = self.state.borrow().ends;
        self.state.borrow_mut().asked = Some((ending, away));
        self.signal(ending.signal());
        while self.state.borrow().ends == before {
            sleep(POLL).await;
        }
    }

    fn start(&self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command
            .arg("run")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder);
        let process = Process::start_logged(&mut command, &self.log.path)?;
        let mut state = self.state.borrow_mut();
        state.started = self.record.now();
        state.process = Some(process);
        Ok(())
    }

    /// Looks at the process: how it has ended, or what it uses.
    fn look(&self) -> Result<Option<ExitStatus>> {
        self.log.mark(self.record.now());
        let mut state = self.state.borrow_mut();
        let Some(process) = &mut state.process else {
            return Ok(None);
        };
        let status = process.exit()?;
        if status.is_none() {
            // None of a process that is ending just now.
            let usage = Usage::of(process.pid()).unwrap_or_default();
            state.peak_memory_kib = state.peak_memory_kib.max(usage.peak_memory_kib);
        }
        Ok(status)
    }

    /// Judges how it ended; returns how long it stays away.
    fn note_end(&self, status: ExitStatus) -> Duration {
        let mut state = self.state.borrow_mut();
        state.process = None;
        state.ends += 1;
        state.ended = self.record.now();
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "unknown".to_owned(),
        };
        let asked = state.asked.take();
        let why = match asked {
            Some((Ending::Kill, _)) => "on SIGKILL",
            Some(_) => "on SIGTERM",
            None => "by itself",
        };
        let text = format!("{how} {why}");
        if !asked.is_some_and(|(ending, _)| ending.allows(status)) {
            let text = format!("{} ended: {text}", self.name);
            self.record.violation(Flaw::EngineFailed, text);
        }
        *state.exits.entry(text).or_default() += 1;
        asked.map_or(PAUSE, |(_, away)| away)
    }
}

impl Ending {
    fn signal(self) -> Signal {
        match self {
            Self::Kill => Signal::KILL,
            Self::Stop | Self::StopInTrouble => Signal::TERM,
        }
    }

    fn allows(self, status: ExitStatus) -> bool {
        match self {
            Self::Kill => status.signal() == Some(Signal::KILL.as_raw()),
            Self::Stop => status.success(),
            Self::StopInTrouble => matches!(status.code(), Some(0 | 1)),
        }
    }
}
