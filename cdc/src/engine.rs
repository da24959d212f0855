//! The engine as a library: what a program puts together, runs and stops.

mod builder;
mod error;
mod handle;

use tracing::{info, warn};

use self::handle::Ends;
pub use self::{builder::EngineBuilder, error::Error, handle::Handle};
use crate::{app, config::Config, metrics::Metrics};

/// An engine whose settings are checked, and which does nothing until it [runs](Engine::run).
#[derive(Debug)]
pub struct Engine {
    config: Config,
    handle: Handle,
    ends: Ends,
}

impl Engine {
    /// Begins to put an engine together.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    fn new(config: Config) -> Self {
        let (handle, ends) = Handle::new(Metrics::new(&config.checkpoint.pipeline));
        Self {
            config,
            handle,
            ends,
        }
    }

    /// What stops the engine and tells how it is, from anywhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Works until [`Handle::stop`], or until only a person can help.
    ///
    /// It needs a Tokio runtime with time and I/O. It installs no signal handler, logger or allocator, opens no port unless
    /// `CDC_ADMIN_ADDR` says so, and logs through `tracing`.
    ///
    /// After `stop` it reads no more and waits, at most for `CDC_SHUTDOWN_GRACE_MS`, until everything that it has read is taken
    /// and the checkpoint saved. Where the future is dropped instead, it ends as by a crash: nothing is lost, and the next start
    /// delivers again what is after the checkpoint.
    ///
    /// # Errors
    /// Why it stopped, or that not everything was taken and saved in time. Nothing is lost: the next start goes on from the
    /// checkpoint. Failures that may pass, such as a server that is away, are no errors, once the engine has begun to work:
    /// it tries again for as long as it takes.
    pub async fn run(self) -> Result<(), Error> {
        for doubt in &self.config.doubts {
            warn!("{doubt}");
        }
        for note in &self.config.notes {
            info!("{note}");
        }
        let (vitals, shutdown) = self.handle.parts();
        let _ends = self.ends;
        Ok(Box::pin(app::embedded(self.config, vitals, shutdown)).await?)
    }
}

#[cfg(test)]
mod tests;
