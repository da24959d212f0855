//! Faults of the engines and of their way to the broker.

use std::time::Duration;

use anyhow::Result;
use harness::{Proxy, Signal};
use tokio::time::sleep;

use super::{Injector, Return};
use crate::chaos::{
    engine::{Ending, Engine},
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
    pub(in crate::chaos) async fn kill_engine(&self, fault: Fault) -> Result<Return> {
        let (engine, was_leader) = self.choose_engine(fault).await;
        if fault.pick.is_multiple_of(WITH_HOST) {
            isolate(engine).await;
        }
        engine.kill(fault.lasts).await;
        Ok(self.wait_for_start(engine, was_leader, fault).await)
    }

    pub(in crate::chaos) async fn stop_engine(&self, fault: Fault) -> Result<Return> {
        let (engine, was_leader) = self.choose_engine(fault).await;
        let is_calm = self.record.recovery.borrow().is_measuring();
        let ending = if is_calm {
            Ending::Stop
        } else {
            Ending::StopInTrouble
        };
        engine.stop(ending, fault.lasts).await;
        Ok(self.wait_for_start(engine, was_leader, fault).await)
    }

    pub(in crate::chaos) async fn pause_engine(&self, fault: Fault) -> Result<Return> {
        let (engine, _) = self.choose_engine(fault).await;
        engine.signal(Signal::STOP);
        sleep(fault.lasts).await;
        engine.signal(Signal::CONT);
        Ok(self.back_now())
    }

    pub(in crate::chaos) async fn cut_network(&self, fault: Fault) -> Result<Return> {
        self.hit_network(fault, Proxy::down).await
    }

    pub(in crate::chaos) async fn stall_network(&self, fault: Fault) -> Result<Return> {
        self.hit_network(fault, Proxy::stall).await
    }

    async fn hit_network(&self, fault: Fault, begin: fn(&Proxy)) -> Result<Return> {
        let chosen = usize::from(fault.pick) % self.engines.len();
        let hit = |end: fn(&Proxy)| {
            for (index, engine) in self.engines.iter().enumerate() {
                if index == chosen || fault.pick.is_multiple_of(ALL_ENGINES) {
                    engine.ways.all().for_each(end);
                }
            }
        };
        hit(begin);
        sleep(fault.lasts).await;
        hit(Proxy::pass);
        Ok(self.back_now())
    }

    /// The node of the broker that the leader is connected to.
    pub(super) async fn connected_node(&self) -> usize {
        for engine in &self.engines {
            if engine.is_leader().await {
                return engine.ways.node();
            }
        }
        self.engines[0].ways.node()
    }

    /// Mostly the leader, since nothing happens when a standby ends; says whether it is.
    async fn choose_engine(&self, fault: Fault) -> (&Engine, bool) {
        // Of several shares, any.
        let first = usize::from(fault.pick) % self.engines.len();
        let (before, after) = self.engines.split_at(first);
        if !fault.pick.is_multiple_of(ANY_ENGINE) {
            for engine in after.iter().chain(before) {
                if engine.is_leader().await {
                    return (engine, true);
                }
            }
        }
        let engine = &self.engines[first];
        (engine, engine.is_leader().await)
    }

    /// Waits until an engine that has ended runs again.
    async fn wait_for_start(&self, engine: &Engine, was_leader: bool, fault: Fault) -> Return {
        let same = self.engines.iter().filter(|one| one.share == engine.share);
        let has_standby = 1 < same.count();
        if has_standby && was_leader {
            // Noted at once: the other engine does not wait for this one to be started again.
            let ended = engine.state.borrow().ended;
            let mut recovery = self.record.recovery.borrow_mut();
            recovery.back(fault.kind, Measure::Takeover, ended);
        }
        engine.wait_until_running().await;
        match (has_standby, was_leader) {
            (true, true) => Return::Noted,
            (true, false) => Return::NoMatter,
            (false, _) => Return::At(Measure::Recovery, engine.state.borrow().started),
        }
    }

    pub(super) fn back_now(&self) -> Return {
        Return::At(Measure::Recovery, self.record.now())
    }
}

/// Lets nothing out for a while and then loses it, as when a host falls off the network before it dies.
///
/// So what is sent and not confirmed is lost although the checkpoint was saved meanwhile.
async fn isolate(engine: &Engine) {
    let ways = || engine.ways.all();
    let is_passing = ways().all(Proxy::is_passing);
    if is_passing {
        // The last confirms still come, so that the first unconfirmed message is one that did not get out.
        ways().for_each(Proxy::mute);
        sleep(ISOLATION).await;
    }
    ways().for_each(Proxy::cut);
    if is_passing {
        ways().for_each(Proxy::pass);
    }
}
