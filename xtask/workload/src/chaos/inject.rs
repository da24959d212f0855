//! Lets the faults happen, one after the other and now and then two at once.

mod engines;
mod servers;

use std::{cell::RefCell, collections::HashSet, rc::Rc, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    fault::Target,
    ledger::Flaw,
    queue::Queue,
    recovery::Measure,
    schedule::{Fault, Schedule},
    world::World,
};

/// Pause between two looks at whether something has recovered.
const POLL: Duration = Duration::from_millis(20);
/// Longest time until changes arrive again after the last fault is over.
const RECOVERY_LIMIT: Duration = Duration::from_secs(60);

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
}
