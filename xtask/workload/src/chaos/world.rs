//! What all parts of a run share.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    engine::Engine,
    fault::Kind,
    ledger::{Flaw, Ledger},
    recovery::Recovery,
    servers::Servers,
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

/// Shared by all parts of a run, which take turns on one thread.
#[derive(Debug)]
pub(super) struct World {
    started: Instant,
    pub(super) stage: Cell<Stage>,
    pub(super) ledger: RefCell<Ledger>,
    pub(super) recovery: RefCell<Recovery>,
    pub(super) faults: RefCell<BTreeMap<Kind, usize>>,
    pub(super) engines: Vec<Rc<Engine>>,
    /// None where the servers belong to somebody else.
    pub(super) servers: Option<Servers>,
}

impl World {
    pub(super) fn new(ledger: Ledger, engines: Vec<Engine>, servers: Option<Servers>) -> Self {
        Self {
            started: Instant::now(),
            stage: Cell::new(Stage::Running),
            ledger: RefCell::new(ledger),
            recovery: RefCell::default(),
            faults: RefCell::default(),
            engines: engines.into_iter().map(Rc::new).collect(),
            servers,
        }
    }

    /// Time since the start of the run.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Tells a person what happens.
    pub(super) fn tell(&self, what: &str) {
        eprintln!("{:8.2} s  {what}", self.now().as_secs_f64());
    }

    /// Counts a violation that is seen from outside the ledger, and tells of it.
    pub(super) fn blame(&self, flaw: Flaw, what: String) {
        self.tell(&format!("VIOLATION {}: {what}", flaw.name()));
        self.ledger.borrow_mut().blame(flaw, self.now(), what);
    }
}
