//! The binary as a child process.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use super::{DEADLINE, eventually, server::signal};

/// A running `cdc`. It is killed when dropped.
pub(crate) struct Engine {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

/// A `cdc` that ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Exit code; absent after a signal.
    pub(crate) code: Option<i32>,
    /// Everything it wrote to stderr.
    pub(crate) log: String,
}

impl Engine {
    /// Starts `cdc ARGUMENTS` in an empty folder with only `settings` in its environment.
    pub(crate) fn spawn(arguments: &[&str], settings: &[(String, String)]) -> Self {
        Self::spawn_with(arguments, settings, |_| {})
    }

    /// The same, after `prepare` changed the command or filled the folder.
    pub(crate) fn spawn_with(
        arguments: &[&str],
        settings: &[(String, String)],
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdc"));
        command
            .args(arguments)
            .env_clear()
            .current_dir(folder.path());
        // Many engines run at once.
        command.env("CDC_ADMIN_ADDR", "off");
        command.envs(settings.iter().map(|(variable, value)| (variable, value)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let reader = {
            let (stderr, log) = (child.stderr.take().unwrap(), Arc::clone(&log));
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let mut log = log.lock().unwrap();
                    log.push_str(&line);
                    log.push('\n');
                }
            })
        };
        Self {
            child,
            log,
            reader: Some(reader),
            _folder: folder,
        }
    }

    /// What it wrote to stderr so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> usize {
        self.tasks().count()
    }

    /// Its threads' scheduling policies by the threads' names, in the numbers of sched(7).
    pub(crate) fn policies(&self) -> HashMap<String, u32> {
        let policy = |task: std::io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).ok()?;
            let (name, fields) = stat.split_once('(')?.1.rsplit_once(") ")?;
            // The 41st field of proc_pid_stat(5), of which the first two are gone.
            let policy = fields.split(' ').nth(41 - 3)?.parse().ok()?;
            Some((name.to_owned(), policy))
        };
        self.tasks().filter_map(policy).collect()
    }

    fn tasks(&self) -> std::fs::ReadDir {
        std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap()
    }

    /// Waits until its log contains `text`.
    pub(crate) async fn wait_for(&self, text: &str) {
        self.wait_for_times(text, 1).await;
    }

    /// Waits until its log contains `text` so often.
    pub(crate) async fn wait_for_times(&self, text: &str, times: usize) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while self.log().matches(text).count() < times {
            assert!(
                tokio::time::Instant::now() < deadline,
                "`{text}` is not {times} times in the log:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where its admin port is, by its log.
    pub(crate) async fn admin(&self) -> String {
        self.wait_for("admin port open").await;
        let log = self.log();
        let (_, rest) = log.split_once("address=").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    }

    /// The most memory that it has had, in KiB.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.unwrap().trim().trim_end_matches(" kB");
        peak.parse().unwrap()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits for its end.
    pub(crate) async fn finish(mut self) -> Finished {
        let mut status: Option<ExitStatus> = None;
        eventually("the engine ends", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        self.reader.take().unwrap().join().unwrap();
        Finished {
            code: status.unwrap().code(),
            log: self.log(),
        }
    }

    /// SIGTERM, and the end.
    pub(crate) async fn stop(self) -> Finished {
        self.signal("TERM");
        self.finish().await
    }

    /// SIGKILL, and the end.
    pub(crate) async fn kill(self) -> Finished {
        self.signal("KILL");
        self.finish().await
    }
}

impl Drop for Engine {
    #[expect(clippy::print_stderr, reason = "a failed test shows its log")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the engine's log:\n{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `cdc` to its end with these settings alone.
pub(crate) async fn run(settings: &[(&str, &str)]) -> Finished {
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Engine::spawn(&[], &settings).finish().await
}

/// Asserts how `cdc` ended, and that its log has all of `parts`.
pub(crate) fn check(finished: &Finished, code: i32, parts: &[&str]) {
    assert_eq!(finished.code, Some(code), "{}", finished.log);
    for part in parts {
        assert!(
            finished.log.contains(part),
            "no `{part}` in:\n{}",
            finished.log
        );
    }
}
