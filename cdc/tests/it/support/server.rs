//! A server process of the tests' own.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use super::eventually;

/// Kills the server and removes its folder when the test program is gone, however it went.
const GUARD: &str = r#"read -r _; kill -9 "$1" 2>/dev/null; rm -rf "$2""#;

/// A running server. It is killed when dropped, and when the test program ends.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    guard: Child,
}

impl Server {
    /// Starts `command`, whose files all lie in `folder`.
    pub(crate) fn start(command: &mut Command, folder: &Path) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard", &child.id().to_string()]);
        let guard = guard.arg(folder).stdin(Stdio::piped()).spawn().unwrap();
        Self { child, guard }
    }

    /// Sends a signal by its name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// SIGKILL, and the end.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// SIGTERM, and the end.
    pub(crate) async fn stop(mut self) {
        self.signal("TERM");
        eventually("the server has stopped", async || {
            self.child.try_wait().unwrap().is_some()
        })
        .await;
    }

    fn end(&mut self) {
        // The guard first: from now on the number may become another process's.
        for process in [&mut self.guard, &mut self.child] {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Sends a signal by its name.
pub(crate) fn signal(process: &Child, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &process.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success(), "kill -{name}");
}
