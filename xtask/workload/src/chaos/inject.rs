//! Lets the faults happen, one after the other and now and then two at once.

mod cluster;
mod engines;
mod servers;

use std::{cell::RefCell, collections::HashSet, rc::Rc, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    engine::Engine,
    fault::Target,
    ledger::Flaw,
    queue::Queue,
    record::Record,
    recovery::Measure,
    schedule::{Fault, Schedule},
    servers::Servers,
};

/// Pause between two looks at whether something has recovered.
const POLL: Duration = Duration::from_millis(20);
/// Longest time until changes arrive again after the last fault is over.
const RECOVERY_LIMIT: Duration = Duration::from_secs(60);

/// When what a fault hit is back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Return {
    /// At this moment.
    At(Measure, Duration),
    /// That is or will be noted elsewhere.
    Noted,
    /// Nobody misses it.
    NoMatter,
}

/// Injects faults.
#[derive(Debug, Clone)]
pub(super) struct Injector {
    record: Rc<Record>,
    engines: Vec<Rc<Engine>>,
    /// None where the servers belong to somebody else.
    servers: Option<Rc<Servers>>,
    queue: Queue,
    busy: Rc<RefCell<HashSet<Target>>>,
}

impl Injector {
    pub(super) fn new(
        record: Rc<Record>,
        engines: Vec<Rc<Engine>>,
        servers: Option<Rc<Servers>>,
        queue: Queue,
    ) -> Self {
        Self {
            record,
            engines,
            servers,
            queue,
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
            if length <= self.record.now() {
                break;
            }
            let injector = self.clone();
            going_on.spawn_local(injector.inject(fault));
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
        while !has_ended() && self.record.now() < length {
            sleep(POLL).await;
        }
        let deadline = Instant::now() + RECOVERY_LIMIT;
        while !self.record.recovery.borrow().has_recovered() && self.record.now() < length {
            if deadline < Instant::now() {
                let seconds = RECOVERY_LIMIT.as_secs();
                let what = format!("no change arrived within {seconds} s after the last fault");
                self.record.violation(Flaw::Stuck, what);
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

    async fn inject(self, fault: Fault) -> Result<()> {
        let kind = fault.kind;
        self.busy.borrow_mut().insert(kind.target());
        *self.record.faults.borrow_mut().entry(kind).or_default() += 1;
        let begun = self.record.now();
        self.record.recovery.borrow_mut().begin(kind, begun);
        self.record.tell(&format!(
            "{} for {} ms",
            kind.name(),
            fault.lasts.as_millis()
        ));
        let outcome = kind.inject(&self, fault).await;
        self.busy.borrow_mut().remove(&kind.target());
        let mut recovery = self.record.recovery.borrow_mut();
        match outcome.with_context(|| format!("inject {}", kind.name()))? {
            Return::At(measure, at) => recovery.back(kind, measure, at),
            Return::Noted => {}
            Return::NoMatter => recovery.forget(kind),
        }
        recovery.end(self.record.now());
        Ok(())
    }
}
