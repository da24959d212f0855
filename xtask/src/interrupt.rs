//! Ctrl-C and its kin: the first one asks every wait to end, the second one ends the process.

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

/// Whether someone asked us to stop.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over SIGINT, SIGTERM and SIGHUP.
    pub(crate) fn install() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // The order matters: the shutdown looks at the flag before this very signal sets it.
            flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&asked))
                .and_then(|_| flag::register(signal, Arc::clone(&asked)))
                .with_context(|| format!("watch for signal {signal}"))?;
        }
        Ok(Self(asked))
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
