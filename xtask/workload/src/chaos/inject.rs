//! Lets the faults happen, one after the other and now and then two at once.

use std::{cell::RefCell, collections::HashSet, rc::Rc, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    consumer::Queue,
    engine::{Doom, Engine},
    fault::{Kind, Target},
    ledger::Flaw,
    process::Signal,
    proxy::Mode,
    recovery::Measure,
    schedule::{Fault, Schedule},
    servers::{Server, Servers},
    world::World,
};

/// Pause between two looks at whether something has recovered.
const POLL: Duration = Duration::from_millis(20);
/// Longest time until changes arrive again after the last fault is over.
const RECOVERY_LIMIT: Duration = Duration::from_secs(60);
/// A fault on the way to the engines hits all of them this often: once in so many times.
const ALL_ENGINES: u8 = 3;
/// A fault of an engine hits any, and not surely the leader, this often: once in so many times.
const ANY_ENGINE: u8 = 4;
/// An engine is killed together with its host this often: once in so many times.
const WITH_HOST: u8 = 2;
/// How long a host lives on without its network: longer than the engine waits between two checkpoints.
const ISOLATION: Duration = Duration::from_millis(1_300);

/// When what a fault hit is back.
#[derive(Debug, Clone, Copy)]
enum Return {
    /// At this moment.
    At(Measure, Duration),
    /// That is or will be noted elsewhere.
    Noted,
    /// Nobody misses it.
    NoMatter,
}

/// Injects faults into a world.
#[derive(Debug, Clone)]
pub(super) struct Injector {
    pub(super) world: Rc<World>,
    pub(super) queue: Rc<Queue>,
    busy: Rc<RefCell<HashSet<Target>>>,
}

impl Injector {
    pub(super) fn new(world: Rc<World>, queue: Queue) -> Self {
        Self {
            world,
            queue: Rc::new(queue),
            busy: Rc::default(),
        }
    }

    /// Lets faults happen for `length`, and returns when the last one is over.
    pub(super) async fn run(self, schedule: Schedule, length: Duration) -> Result<()> {
        let mut going_on = JoinSet::new();
        for fault in schedule {
            sleep(fault.after).await;
            if fault.is_alone {
                self.wait_for_recovery(length).await;
            }
            self.wait_for_target(fault.kind.target()).await;
            if length <= self.world.now() {
                break;
            }
            let injector = self.clone();
            going_on.spawn_local(async move { injector.inject(fault).await });
            while let Some(done) = going_on.try_join_next() {
                done.context("inject a fault")??;
            }
        }
        while let Some(done) = going_on.join_next().await {
            done.context("inject a fault")??;
        }
        Ok(())
    }

    /// Waits until a change arrives that was made after the last fault; not to is a violation.
    async fn wait_for_recovery(&self, length: Duration) {
        let has_ended = || self.busy.borrow().is_empty();
        while !has_ended() && self.world.now() < length {
            sleep(POLL).await;
        }
        let deadline = Instant::now() + RECOVERY_LIMIT;
        while !self.world.recovery.borrow().has_recovered() && self.world.now() < length {
            if deadline < Instant::now() {
                let seconds = RECOVERY_LIMIT.as_secs();
                let what = format!("no change arrived within {seconds} s after the last fault");
                self.world.blame(Flaw::Stuck, what);
                return;
            }
            sleep(POLL).await;
        }
    }

    async fn wait_for_target(&self, target: Target) {
        while self.busy.borrow().contains(&target) {
            sleep(POLL).await;
        }
    }

    async fn inject(&self, fault: Fault) -> Result<()> {
        let kind = fault.kind;
        self.busy.borrow_mut().insert(kind.target());
        *self.world.faults.borrow_mut().entry(kind).or_default() += 1;
        let begun = self.world.now();
        self.world.recovery.borrow_mut().begin(kind, begun);
        self.world.tell(&format!(
            "{} for {} ms",
            kind.name(),
            fault.lasts.as_millis()
        ));
        let outcome = match kind.target() {
            Target::Engine => self.hit_engine(fault).await,
            Target::Broker => self.hit_broker(fault).await,
            Target::Network => self.hit_network(fault).await,
            Target::Mongo => self.hit_mongo(fault).await.map(|()| Return::Noted),
        };
        self.busy.borrow_mut().remove(&kind.target());
        let mut recovery = self.world.recovery.borrow_mut();
        match outcome.with_context(|| format!("inject {}", kind.name()))? {
            Return::At(measure, at) => recovery.back(kind, measure, at),
            Return::Noted => {}
            Return::NoMatter => recovery.forget(kind),
        }
        recovery.end(self.world.now());
        Ok(())
    }

    async fn hit_engine(&self, fault: Fault) -> Result<Return> {
        let engine = self.choose_engine(fault).await;
        let was_leader = engine.is_leader().await;
        match fault.kind {
            Kind::EngineKill => {
                if fault.pick.is_multiple_of(WITH_HOST) {
                    self.isolate(engine).await;
                }
                engine.kill(fault.lasts).await;
            }
            Kind::EngineStop => {
                let is_calm = self.world.recovery.borrow().is_measuring();
                let doom = if is_calm {
                    Doom::Stop
                } else {
                    Doom::StopInTrouble
                };
                engine.stop(&self.world, doom, fault.lasts).await;
            }
            _ => {
                engine.signal(Signal::STOP);
                sleep(fault.lasts).await;
                engine.signal(Signal::CONT);
                return Ok(Return::At(Measure::Recovery, self.world.now()));
            }
        }
        let has_standby = 1 < self.world.engines.len();
        if has_standby && was_leader {
            // Noted at once: the other engine does not wait for this one to be started again.
            let mut recovery = self.world.recovery.borrow_mut();
            recovery.back(fault.kind, Measure::Takeover, engine.died.get());
        }
        engine.wait_until(Engine::is_running).await;
        Ok(match (has_standby, was_leader) {
            (true, true) => Return::Noted,
            (true, false) => Return::NoMatter,
            (false, _) => Return::At(Measure::Recovery, engine.born.get()),
        })
    }

    /// Lets nothing out for a while and then loses it, as when a host falls off the network before it dies.
    ///
    /// So what is sent and not confirmed is lost although the checkpoint was saved meanwhile.
    async fn isolate(&self, engine: &Engine) {
        if engine.proxy.mode() == Mode::Pass {
            engine.proxy.set(Mode::Stall);
            sleep(ISOLATION).await;
            engine.proxy.cut();
            engine.proxy.set(Mode::Pass);
        } else {
            engine.proxy.cut();
        }
    }

    /// Mostly the leader, since nothing happens when a standby ends.
    async fn choose_engine(&self, fault: Fault) -> &Engine {
        let engines = &self.world.engines;
        if !fault.pick.is_multiple_of(ANY_ENGINE) {
            for engine in engines {
                if engine.is_leader().await {
                    return engine;
                }
            }
        }
        &engines[usize::from(fault.pick) % engines.len()]
    }

    async fn hit_network(&self, fault: Fault) -> Result<Return> {
        let engines = &self.world.engines;
        let chosen = usize::from(fault.pick) % engines.len();
        let is_hit = |index: usize| index == chosen || fault.pick.is_multiple_of(ALL_ENGINES);
        let set = |mode: Mode| {
            let hit = engines
                .iter()
                .enumerate()
                .filter(|(index, _)| is_hit(*index));
            hit.for_each(|(_, engine)| engine.proxy.set(mode));
        };
        set(match fault.kind {
            Kind::NetCut => Mode::Down,
            _ => Mode::Stall,
        });
        sleep(fault.lasts).await;
        set(Mode::Pass);
        Ok(Return::At(Measure::Recovery, self.world.now()))
    }

    async fn hit_broker(&self, fault: Fault) -> Result<Return> {
        if fault.kind == Kind::Unroutable {
            self.queue.unbind().await?;
            sleep(fault.lasts).await;
            self.queue.bind().await?;
        } else {
            self.hit_broker_process(fault).await?;
        }
        Ok(Return::At(Measure::Recovery, self.world.now()))
    }

    async fn hit_broker_process(&self, fault: Fault) -> Result<()> {
        let broker = &self.servers()?.broker;
        match fault.kind {
            Kind::BrokerKill => {
                broker.server.kill().await?;
                sleep(fault.lasts).await;
                broker.server.start().await
            }
            Kind::BrokerRestart => {
                broker.server.stop().await?;
                sleep(fault.lasts).await;
                broker.server.start().await
            }
            Kind::BrokerClose => {
                broker
                    .control(&["close_all_connections", "closed by chaos"])
                    .await
            }
            Kind::BrokerAlarm => {
                const COMMAND: &str = "set_vm_memory_high_watermark";
                broker.control(&[COMMAND, "0.000001"]).await?;
                sleep(fault.lasts).await;
                broker.control(&[COMMAND, "0.4"]).await
            }
            _ => {
                let full = r#"{"max-length": 0, "overflow": "reject-publish"}"#;
                let queues = ["--apply-to", "queues"];
                let set = ["set_policy", queues[0], queues[1], "chaos", ".*", full];
                broker.control(&set).await?;
                sleep(fault.lasts).await;
                broker.control(&["clear_policy", "chaos"]).await
            }
        }
    }

    async fn hit_mongo(&self, fault: Fault) -> Result<()> {
        let servers = self.servers()?;
        let primary = servers.primary().await;
        let member = |offset: usize| &servers.mongo[(primary + offset) % servers.mongo.len()];
        let strike = || {
            let now = self.world.now();
            self.world.recovery.borrow_mut().strike(fault.kind, now);
        };
        strike();
        match fault.kind {
            Kind::MongoKill => restart(&[member(0)], fault.lasts, End::Kill).await,
            // A primary that is asked to go goes when it is ready.
            Kind::MongoStepdown => {
                servers.step_down().await?;
                strike();
                Ok(())
            }
            Kind::MongoPause => {
                member(0).signal(Signal::STOP);
                sleep(fault.lasts).await;
                member(0).signal(Signal::CONT);
                Ok(())
            }
            // The primary and one of the others, or both others.
            Kind::MongoMajority => {
                let two = [member(usize::from(fault.pick % 2)), member(2)];
                restart(&two, fault.lasts, End::Kill).await
            }
            _ => {
                let all: Vec<_> = servers.mongo.iter().collect();
                restart(&all, fault.lasts, End::Stop).await?;
                strike();
                Ok(())
            }
        }
    }

    fn servers(&self) -> Result<&Servers> {
        let servers = self.world.servers.as_ref();
        servers.context("this fault needs servers of our own")
    }
}

/// How a server ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Kill,
    Stop,
}

/// Ends `servers` and starts them again.
async fn restart(servers: &[&Server], away: Duration, end: End) -> Result<()> {
    for server in servers {
        match end {
            End::Kill => server.kill().await?,
            End::Stop => server.stop().await?,
        }
    }
    sleep(away).await;
    let starting = servers.iter().map(|server| server.start());
    futures_util::future::try_join_all(starting).await?;
    Ok(())
}
