//! What the parts of a run share: the clock, the stage, and all that is noted.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    copy::{Audit, Copy},
    fault::Kind,
    ledger::{Flaw, Ledger},
    recovery::Recovery,
};

/// How far the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Writers write and faults happen.
    Running,
    /// Everything comes to rest.
    Settling,
    /// The engines end.
    Over,
}

/// Shared by all parts of a run, which take turns on one thread. Knows none of them.
#[derive(Debug)]
pub(super) struct Record {
    started: Instant,
    pub(super) stage: Cell<Stage>,
    pub(super) ledger: RefCell<Ledger>,
    /// Only where the engines make snapshots.
    pub(super) copy: Option<RefCell<Copy>>,
    pub(super) audit: Audit,
    pub(super) recovery: RefCell<Recovery>,
    pub(super) faults: RefCell<BTreeMap<Kind, usize>>,
}

impl Record {
    pub(super) fn new(ledger: Ledger, copy: Option<Copy>) -> Self {
        Self {
            started: Instant::now(),
            stage: Cell::new(Stage::Running),
            ledger: RefCell::new(ledger),
            copy: copy.map(RefCell::new),
            audit: Audit::default(),
            recovery: RefCell::default(),
            faults: RefCell::default(),
        }
    }

    /// Time since the start of the run.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn is_running(&self) -> bool {
        self.stage.get() == Stage::Running
    }

    pub(super) fn is_over(&self) -> bool {
        self.stage.get() == Stage::Over
    }

    /// How many messages have arrived.
    pub(super) fn received_count(&self) -> u64 {
        let copied = self.copy.as_ref().map_or(0, |copy| copy.borrow().received);
        self.ledger.borrow().received_count() + copied
    }

    /// Whether everything that was acknowledged has arrived, no snapshot is under way and no comparison waits.
    pub(super) fn is_settled(&self) -> bool {
        let copy = self.copy.as_ref();
        self.ledger.borrow().is_settled()
            && self.audit.is_idle()
            && copy.is_none_or(|copy| copy.borrow().runs.all_done())
    }

    /// Tells a person what happens.
    pub(super) fn tell(&self, what: &str) {
        eprintln!("{:8.2} s  {what}", self.now().as_secs_f64());
    }

    /// Counts a violation that is seen from outside the ledger, and tells of it.
    pub(super) fn violation(&self, flaw: Flaw, what: String) {
        self.tell(&format!("VIOLATION {}: {what}", flaw.name()));
        self.ledger.borrow_mut().violation(flaw, self.now(), what);
    }
}
