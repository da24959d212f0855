//! The engine as a child, beside whatever tests it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{child::Running, failure::Failure, progress::Progress, project::Project};

/// Past the engine's own limit for reaching its servers, so that it can say which it cannot reach.
const READY_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// A running engine, its output in a log.
#[derive(Debug)]
pub(crate) struct Engine {
    running: Running,
    pub(crate) log: PathBuf,
}

impl Engine {
    /// Starts `command` and returns when the engine watches.
    pub(crate) fn start(project: &Project, mut command: Command, log: &Path) -> Result<Self> {
        let line = Progress::new().line("engine");
        line.note("starting");
        let mut engine = Self {
            running: Running::start_logged(&mut command, log)?,
            log: log.to_owned(),
        };
        engine.wait_until_watching(project)?;
        line.done(&format!("watching, its log is {}", project.relative(log)));
        Ok(engine)
    }

    /// Lets it drain.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let status = self.running.stop()?;
        if status.success() {
            return Ok(());
        }
        Err(self.failure(&format!("the engine failed ({status})")))
    }

    fn wait_until_watching(&mut self, project: &Project) -> Result<()> {
        let deadline = Instant::now() + READY_LIMIT;
        while !is_watching(&self.log) {
            if let Some(status) = self.running.poll()? {
                return Err(self.failure(&format!("the engine ended early ({status})")));
            }
            if deadline < Instant::now() {
                let text = format!(
                    "the engine does not watch after {} s",
                    READY_LIMIT.as_secs()
                );
                return Err(self.failure(&text));
            }
            project.interrupt.pause(POLL)?;
        }
        Ok(())
    }

    fn failure(&self, text: &str) -> anyhow::Error {
        Failure::new(text).log(&self.log).into()
    }
}

fn is_watching(log: &Path) -> bool {
    // A standby is as good: the engine that has the lock watches.
    let is_up = |text: String| text.contains("watching") || text.contains("standing by");
    fs::read_to_string(log).is_ok_and(is_up)
}
