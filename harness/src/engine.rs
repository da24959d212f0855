//! The engine as a child process, with its admin port.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use tokio::time::sleep;

use crate::{
    http::{self, Reply},
    port,
    process::{Output, Process},
};

/// The setting of the admin port.
const ADMIN: &str = "CDC_ADMIN_ADDR";
/// Pause between two questions whether it works: short, since the bench measures with it.
const POLL: Duration = Duration::from_millis(2);
/// Longest wait for one answer; an engine that is paused gives none.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);

/// A running engine; it is killed when this is dropped.
#[derive(Debug)]
pub struct Engine {
    /// The process, whose log is read.
    pub process: Process,
    /// Its admin port.
    pub admin: Admin,
}

/// Where an engine answers questions.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Host and port.
    pub address: String,
}

impl Engine {
    /// Starts `command`, an engine with its settings, on an admin port that is free unless they name one.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let admin = Admin::free();
        if !command.get_envs().any(|(name, _)| name == ADMIN) {
            command.env(ADMIN, &admin.address);
        }
        let process = Process::start(command, Output::Stderr)?;
        Ok(Self { process, admin })
    }

    /// Waits until it works: its servers answer, the change stream is open, and it is the one that publishes. Returns
    /// when it said so.
    ///
    /// # Errors
    /// If it ends before, or it takes longer than `limit`.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn leads(&mut self, limit: Duration) -> Result<Instant> {
        let deadline = Instant::now() + limit;
        while !self.admin.is_leader().await {
            self.process.check_alive()?;
            if deadline < Instant::now() {
                let log = self.process.output();
                bail!(
                    "the engine does not work after {} s:\n{log}",
                    limit.as_secs()
                );
            }
            sleep(POLL).await;
        }
        Ok(Instant::now())
    }
}

impl Admin {
    /// An address of loopback that nobody listens on.
    pub fn free() -> Self {
        let address = format!("127.0.0.1:{}", port::free());
        Self { address }
    }

    /// What the engine answers to `GET path`.
    ///
    /// # Errors
    /// If it does not.
    pub async fn get(&self, path: &str) -> std::io::Result<Reply> {
        http::request(&self.address, ("GET", path), "", ANSWER_LIMIT).await
    }

    /// Whether it says that it is the one that publishes.
    pub async fn is_leader(&self) -> bool {
        let reply = self.get("/ready").await;
        reply.is_ok_and(|reply| reply.json()["role"] == "leader")
    }
}
