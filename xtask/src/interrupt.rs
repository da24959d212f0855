//! Ctrl-C and its kin: the first one asks every wait to end, a later one ends the process at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

use crate::failure::{Failure, INTERRUPTED};

const POLL: Duration = Duration::from_millis(100);
/// How long after the first signal another one is taken for the same.
const ECHO: Duration = Duration::from_millis(500);

/// Whether someone asked us to stop.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over SIGINT, SIGTERM and SIGHUP.
    pub(crate) fn install() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let is_repeat_final = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let at_once = Arc::clone(&is_repeat_final);
            flag::register_conditional_shutdown(signal, INTERRUPTED.into(), at_once)
                .and_then(|_| flag::register(signal, Arc::clone(&asked)))
                .with_context(|| format!("watch for signal {signal}"))?;
        }
        let interrupt = Self(asked);
        let watched = interrupt.clone();
        // Some callers signal a process and its group, so one request may arrive twice.
        thread::spawn(move || {
            while !watched.happened() {
                thread::sleep(POLL);
            }
            thread::sleep(ECHO);
            is_repeat_final.store(true, Ordering::Relaxed);
        });
        Ok(interrupt)
    }

    /// One that never happens: for cleaning up after one that did.
    pub(crate) fn never() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sleeps for `duration`, unless someone asked us to stop.
    pub(crate) fn pause(&self, duration: Duration) -> Result<()> {
        self.check()?;
        thread::sleep(duration);
        self.check()
    }

    /// # Errors
    /// When someone asked us to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.happened() {
            return Err(Failure::new("interrupted").code(INTERRUPTED).into());
        }
        Ok(())
    }
}
