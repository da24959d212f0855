//! The binary as a child process.

use std::{
    collections::HashMap,
    io::{Read as _, Seek as _},
    path::Path,
    process::{Command, Stdio},
};

use harness::{Signal, Usage, http::Reply};

use super::{DEADLINE, eventually, setting};

const CONFIRMED: &str = "cdc_messages_confirmed_total";

/// A running `cdc`. It is killed when dropped.
pub(crate) struct Engine {
    engine: harness::Engine,
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
    /// Starts `cdc ARGUMENTS` in an empty folder with only `settings` in its environment, and an admin port. What is measured
    /// may be another build of it, which `CDC_TEST_ENGINE` names.
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
        let program = setting("CDC_TEST_ENGINE");
        let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_cdc").to_owned());
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .current_dir(folder.path())
            .envs(settings.iter().map(|(variable, value)| (variable, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        prepare(&mut command);
        Self {
            engine: harness::Engine::start(&mut command).unwrap(),
            _folder: folder,
        }
    }

    /// What it wrote to stderr so far.
    pub(crate) fn log(&self) -> String {
        self.engine.process.output()
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
        let pid = self.engine.process.pid();
        std::fs::read_dir(format!("/proc/{pid}/task")).unwrap()
    }

    /// The most memory that it has had, in KiB.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let usage = Usage::of(self.engine.process.pid());
        usage.unwrap().peak_memory_kib
    }

    /// Waits until it is the one that publishes, and its change stream is open.
    pub(crate) async fn leads(&mut self) {
        self.engine.leads(DEADLINE).await.unwrap();
    }

    /// Waits until it says that another one publishes.
    pub(crate) async fn stands_by(&self) {
        eventually("the engine stands by", async || {
            self.get("/ready").await.json()["role"] == "standby"
        })
        .await;
    }

    /// Waits until its log contains `text`.
    pub(crate) async fn wait_for(&self, text: &str) {
        self.wait_for_times(text, 1).await;
    }

    /// Waits until its log contains `text` in so many lines.
    pub(crate) async fn wait_for_times(&self, text: &str, times: usize) {
        let process = &self.engine.process;
        process.wait_for(text, times, DEADLINE).await.unwrap();
    }

    /// What its admin port answers to `GET path`, as soon as it does.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        let mut reply = None;
        eventually("the admin port answers", async || {
            reply = self.engine.admin.get(path).await.ok();
            reply.is_some()
        })
        .await;
        reply.unwrap()
    }

    /// Host and port of its admin port.
    pub(crate) fn admin(&self) -> &str {
        &self.engine.admin.address
    }

    /// Waits until `/ready` names `cause`.
    pub(crate) async fn is_held_up_by(&self, cause: &str) {
        eventually(&format!("{cause} is in the way"), async || {
            let report = self.get("/ready").await.json();
            let obstacles = report["obstacles"].as_array();
            obstacles.is_some_and(|all| all.iter().any(|obstacle| obstacle["cause"] == cause))
        })
        .await;
    }

    /// Waits until it is ready.
    pub(crate) async fn is_ready(&self) {
        eventually("the engine is ready", async || {
            self.get("/ready").await.status == 200
        })
        .await;
    }

    /// The present value of a metric without labels but the pipeline.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let page = self.get("/metrics").await;
        let value = page.metric(name);
        value.unwrap_or_else(|| panic!("no {name} in\n{}", page.body))
    }

    /// Waits until a metric is at least `least`.
    pub(crate) async fn metric_reaches(&self, name: &str, least: f64) {
        eventually(&format!("{name} is {least}"), async || {
            self.metric(name).await >= least
        })
        .await;
    }

    /// Waits until the broker's confirms of so many messages have come. A message may be read from its queue before
    /// that, and be published again after a fault in between.
    pub(crate) async fn has_confirmed(&self, count: u32) {
        self.metric_reaches(CONFIRMED, count.into()).await;
    }

    /// Waits until the broker has confirmed some hundred messages more.
    pub(crate) async fn delivers(&self) {
        let before = self.metric(CONFIRMED).await;
        self.metric_reaches(CONFIRMED, before + 200.0).await;
    }

    /// Waits until so many messages are sent and not confirmed.
    pub(crate) async fn has_in_flight(&self, count: u32) {
        self.metric_reaches("cdc_messages_in_flight", count.into())
            .await;
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.engine.process.signal(signal);
    }

    /// Waits for its end.
    pub(crate) async fn finish(mut self) -> Finished {
        let status = self.engine.process.ended(DEADLINE).await.unwrap();
        Finished {
            code: status.code(),
            log: self.log(),
        }
    }

    /// SIGTERM, and the end.
    pub(crate) async fn stop(self) -> Finished {
        self.signal(Signal::TERM);
        self.finish().await
    }

    /// SIGKILL, and the end.
    pub(crate) async fn kill(self) -> Finished {
        self.signal(Signal::KILL);
        self.finish().await
    }
}

impl Drop for Engine {
    #[expect(clippy::print_stderr, reason = "a failed test shows its log")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the engine's log:\n{}", self.log());
        }
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

/// Runs `cdc ARGUMENTS` to its end with these settings alone, after `prepare` filled its folder; gives what it wrote to
/// stdout, too.
pub(crate) async fn output(
    arguments: &[&str],
    settings: &[(&str, &str)],
    prepare: impl FnOnce(&Path),
) -> (Finished, String) {
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let mut file = tempfile::tempfile().unwrap();
    let engine = Engine::spawn_with(arguments, &settings, |command| {
        prepare(command.get_current_dir().unwrap());
        command.stdout(file.try_clone().unwrap());
    });
    let finished = engine.finish().await;
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    (finished, text)
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
