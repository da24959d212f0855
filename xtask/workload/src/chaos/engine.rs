//! The engine under test: kept running whatever ends it, and watched.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};

use super::{
    admin::Admin,
    ledger::Flaw,
    logs::Log,
    process::{self, Signal},
    proxy::Proxy,
    world::{Stage, World},
};

/// Pause between two looks at the process.
const POLL: Duration = Duration::from_millis(10);
/// Looks between two measurements of its memory.
const MEASURE_EVERY: u32 = 10;
/// Pause before an engine that ended by itself is started again.
const REST: Duration = Duration::from_millis(500);
/// Longest time to end when asked to: the drain's limit and some more.
pub(super) const STOP_LIMIT: Duration = Duration::from_secs(15);

/// One engine over all of its starts.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) name: String,
    program: PathBuf,
    settings: Vec<(&'static str, String)>,
    folder: PathBuf,
    pub(super) proxy: Proxy,
    pub(super) log: Log,
    admin: Admin,
    pid: Cell<Option<u32>>,
    /// How often it has ended.
    deaths: Cell<u32>,
    /// Moment of the latest end.
    pub(super) died: Cell<Duration>,
    /// Moment of the latest start.
    pub(super) born: Cell<Duration>,
    doom: Cell<Doom>,
    /// How long it stays away after it was ended.
    away: Cell<Duration>,
    pub(super) peak_memory: Cell<u64>,
    /// How often it ended how.
    pub(super) exits: RefCell<BTreeMap<String, usize>>,
}

/// What a fault has in store for the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doom {
    /// Nothing: it has to run.
    None,
    /// It is killed.
    Kill,
    /// It is asked to end, with all that it needs at hand.
    Stop,
    /// It is asked to end while something else fails, so it may not manage to drain.
    StopInTrouble,
}

/// A process that does not outlive us.
struct Mortal(Child);

impl Drop for Mortal {
    fn drop(&mut self) {
        // It is gone if this fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Engine {
    pub(super) fn new(
        name: String,
        program: PathBuf,
        settings: Vec<(&'static str, String)>,
        folder: PathBuf,
        proxy: Proxy,
        admin: Admin,
    ) -> Self {
        Self {
            log: Log::new(folder.join(format!("{name}.log"))),
            name,
            program,
            admin,
            settings,
            folder,
            proxy,
            pid: Cell::new(None),
            deaths: Cell::default(),
            died: Cell::default(),
            born: Cell::default(),
            doom: Cell::new(Doom::None),
            away: Cell::default(),
            peak_memory: Cell::default(),
            exits: RefCell::default(),
        }
    }

    /// Keeps it running until the run is over.
    pub(super) async fn keep(&self, world: &World) -> Result<()> {
        while world.stage.get() < Stage::Over {
            self.doom.set(Doom::None);
            let status = self.live(world).await?;
            self.judge(world, status);
            sleep(self.away.replace(REST)).await;
        }
        Ok(())
    }

    /// Whether it runs now.
    pub(super) fn is_running(&self) -> bool {
        self.pid.get().is_some()
    }

    /// Whether it is the one that publishes, as far as it says so.
    pub(super) async fn is_leader(&self) -> bool {
        self.is_running() && self.admin.gauge("cdc_leader").await == Some(1.0)
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid.get() {
            process::signal(pid, signal);
        }
    }

    /// Kills it; returns when it has ended.
    pub(super) async fn kill(&self, away: Duration) {
        self.end(Doom::Kill, away, Signal::KILL).await;
    }

    /// Asks it to end; returns when it has.
    pub(super) async fn stop(&self, world: &World, doom: Doom, away: Duration) {
        let asked = Instant::now();
        let deaths = self.deaths.get();
        let ending = self.end(doom, away, Signal::TERM);
        if tokio::time::timeout(STOP_LIMIT, ending).await.is_ok() {
            return;
        }
        if self.deaths.get() == deaths {
            let seconds = asked.elapsed().as_secs();
            let text = format!("{} did not end within {seconds} s of SIGTERM", self.name);
            world.blame(Flaw::EngineFailed, text);
            self.kill(away).await;
        }
    }

    /// Returns when it runs, also after it was ended.
    pub(super) async fn wait_until(&self, state: impl Fn(&Self) -> bool) {
        while !state(self) {
            sleep(POLL).await;
        }
    }

    /// Sends a signal that ends it; returns when it is gone.
    async fn end(&self, doom: Doom, away: Duration, signal: Signal) {
        // It may have ended by itself just now: the signal is for the next one then.
        self.wait_until(Self::is_running).await;
        let before = self.deaths.get();
        self.doom.set(doom);
        self.away.set(away);
        self.signal(signal);
        self.wait_until(|engine| before < engine.deaths.get()).await;
    }

    /// One life of the process.
    async fn live(&self, world: &World) -> Result<ExitStatus> {
        let mut command = Command::new(&self.program);
        command
            .arg("run")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder);
        let mut process = Mortal(process::start(&mut command, &self.log.path)?);
        let pid = process.0.id();
        self.born.set(world.now());
        self.pid.set(Some(pid));
        let mut looks = 0;
        loop {
            if let Some(status) = process.0.try_wait().context("wait for the engine")? {
                self.pid.set(None);
                self.deaths.set(self.deaths.get() + 1);
                self.died.set(world.now());
                self.log.mark(world.now());
                return Ok(status);
            }
            if looks % MEASURE_EVERY == 0 {
                let peak = process::peak_memory(pid).unwrap_or_default();
                self.peak_memory.set(self.peak_memory.get().max(peak));
                self.log.mark(world.now());
            }
            looks += 1;
            sleep(POLL).await;
        }
    }

    fn judge(&self, world: &World, status: ExitStatus) {
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "unknown".to_owned(),
        };
        let doom = self.doom.get();
        let is_fine = match doom {
            Doom::None => false,
            Doom::Kill => status.signal() == Some(Signal::KILL.as_raw()),
            Doom::Stop => status.success(),
            Doom::StopInTrouble => matches!(status.code(), Some(0 | 1)),
        };
        if !is_fine {
            let when = match doom {
                Doom::None => "by itself",
                Doom::Kill => "before it was killed",
                Doom::Stop | Doom::StopInTrouble => "when asked to end",
            };
            let text = format!("{} ended {when}: {how}", self.name);
            world.blame(Flaw::EngineFailed, text);
        }
        let key = match doom {
            Doom::None => format!("{how} by itself"),
            Doom::Kill => format!("{how} on SIGKILL"),
            Doom::Stop | Doom::StopInTrouble => format!("{how} on SIGTERM"),
        };
        *self.exits.borrow_mut().entry(key).or_default() += 1;
    }
}
