//! A server process of a test's own.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::process::{Output, Process, Signal};

/// Kills the server and removes its folder when the test program is gone, however it went.
const GUARD: &str = r#"read -r _; kill -9 "$1" 2>/dev/null; rm -rf "$2""#;
/// Longest wait for a greeting.
const GREETING_LIMIT: Duration = Duration::from_secs(2);

/// A running server. It is killed when dropped, and when the program that started it ends.
#[derive(Debug)]
pub struct Server {
    // Dropped first: from the server's end on its number may become another process's.
    _guard: Guard,
    process: Process,
}

#[derive(Debug)]
struct Guard(Child);

impl Server {
    /// Starts `command`, whose files all lie in `folder`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(command: &mut Command, folder: &Path) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let process = Process::start(command, Output::Stderr)?;
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard", &process.pid().to_string()]);
        let guard = guard.arg(folder).stdin(Stdio::piped()).spawn();
        Ok(Self {
            _guard: Guard(guard.context("start the guard of a server")?),
            process,
        })
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// SIGTERM, and the end.
    ///
    /// # Errors
    /// If it does not end within `limit`.
    pub async fn stop(mut self, limit: Duration) -> Result<()> {
        self.signal(Signal::TERM);
        self.process.ended(limit).await.map(drop)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a broker serves on this port of loopback. An open port is not enough: it listens before it can serve.
pub async fn is_broker_up(port: u16) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        stream.read_exact(&mut [0; 11]).await
    };
    matches!(timeout(GREETING_LIMIT, greeting).await, Ok(Ok(_)))
}
