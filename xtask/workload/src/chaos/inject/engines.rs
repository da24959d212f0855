//! Faults of the engines and of their way to the broker.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::{Injector, Return};
use crate::chaos::{
    engine::{Doom, Engine},
    fault::Kind,
    process::Signal,
    proxy::Mode,
    recovery::Measure,
    schedule::Fault,
};

/// A fault on the way to the engines hits all of them this often: once in so many times.
const ALL_ENGINES: u8 = 3;
/// A fault of an engine hits any, and not surely the leader, this often: once in so many times.
const ANY_ENGINE: u8 = 4;
/// An engine is killed together with its host this often: once in so many times.
const WITH_HOST: u8 = 2;
/// How long a host lives on without its network: longer than the engine waits between two checkpoints.
const ISOLATION: Duration = Duration::from_millis(1_300);

impl Injector {
    pub(super) async fn hit_engine(&self, fault: Fault) -> Result<Return> {
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
            // The last confirms still come, so that the first unconfirmed message is one that did not get out.
            engine.proxy.set(Mode::Mute);
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

    pub(super) async fn hit_network(&self, fault: Fault) -> Result<Return> {
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
}
