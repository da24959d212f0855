//! Child processes: started, read, signalled, waited for, and never left behind.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// Pause between two looks at a process that is to end.
const POLL: Duration = Duration::from_millis(5);
/// Last lines that are shown of a process that failed.
const LINES_SHOWN: usize = 8;

/// What is read of a process; the other stream goes where the command says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line that a process wrote.
#[derive(Debug, Clone)]
struct Line {
    text: String,
    /// When it was read.
    at: Instant,
}

/// A running process; it is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    /// When it was started.
    pub started: Instant,
    lines: watch::Receiver<Vec<Line>>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts `command` and reads its lines.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(command: &mut Command, output: Output) -> Result<Self> {
        match output {
            Output::Stdout => command.stdout(Stdio::piped()),
            Output::Stderr => command.stderr(Stdio::piped()),
        };
        let mut process = Self::spawn(command)?;
        let child = &mut process.child;
        let stream: Box<dyn Read + Send> = match output {
            Output::Stdout => Box::new(child.stdout.take().context("read a process")?),
            Output::Stderr => Box::new(child.stderr.take().context("read a process")?),
        };
        let (sender, lines) = watch::channel(Vec::new());
        process.lines = lines;
        process.reader = Some(thread::spawn(move || {
            for text in BufReader::new(stream).lines().map_while(Result::ok) {
                let at = Instant::now();
                sender.send_modify(|lines| lines.push(Line { text, at }));
            }
        }));
        Ok(process)
    }

    /// Starts `command` with its output appended to the file `log`, and in a process group of its own, so that a
    /// Ctrl-C is ours alone.
    ///
    /// # Errors
    /// If it cannot be started, or the file not be written.
    pub fn start_logged(command: &mut Command, log: &Path) -> Result<Self> {
        let file = fs::OpenOptions::new().create(true).append(true).open(log);
        let file = file.with_context(|| format!("write {}", log.display()))?;
        let twin = file.try_clone().context("share the log")?;
        command.stdin(Stdio::null()).stdout(twin).stderr(file);
        Self::spawn(command.process_group(0))
    }

    fn spawn(command: &mut Command) -> Result<Self> {
        let program = Path::new(command.get_program()).file_name();
        let name = program.unwrap_or_default().to_string_lossy().into_owned();
        let started = Instant::now();
        let spawned = command.spawn();
        Ok(Self {
            child: spawned.with_context(|| format!("start {name}"))?,
            name,
            started,
            lines: watch::channel(Vec::new()).1,
            reader: None,
        })
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal; one that has ended already is fine.
    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// All lines that were read so far.
    pub fn output(&self) -> String {
        let lines = self.lines.borrow();
        lines.iter().map(|line| line.text.clone() + "\n").collect()
    }

    /// Waits until it has written `text` in as many lines as `times`, and returns when the last of them was read.
    ///
    /// # Errors
    /// If it ends before, or it takes longer than `limit`.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn wait_for(&self, text: &str, times: usize, limit: Duration) -> Result<Instant> {
        let mut found = None;
        let mut lines = self.lines.clone();
        let waiting = lines.wait_for(|lines| {
            let mut holding = lines.iter().filter(|line| line.text.contains(text));
            found = holding.nth(times - 1).map(|line| line.at);
            found.is_some()
        });
        let outcome = timeout(limit, waiting).await.map(|waited| waited.is_ok());
        match (outcome, found) {
            (_, Some(at)) => Ok(at),
            (Ok(_), None) => bail!("{} ended without `{text}`{}", self.name, self.last_lines()),
            (Err(_), None) => {
                let seconds = limit.as_secs();
                let lines = self.last_lines();
                bail!("{} wrote no `{text}` within {seconds} s{lines}", self.name)
            }
        }
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn exit(&mut self) -> Result<Option<ExitStatus>> {
        let exit = self.child.try_wait();
        exit.with_context(|| format!("look at {}", self.name))
    }

    /// Fails if it has ended.
    ///
    /// # Errors
    /// That, with its last lines.
    pub fn check_alive(&mut self) -> Result<()> {
        match self.exit()? {
            Some(status) => bail!("{} ended ({status}){}", self.name, self.last_lines()),
            None => Ok(()),
        }
    }

    /// Closes its standard input, which some programs wait for.
    pub fn close_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits for its end. All that it wrote has been read then.
    ///
    /// # Errors
    /// If it takes longer than `limit`.
    ///
    /// # Cancel safety
    /// The process goes on.
    pub async fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.exit()? {
                // The stream ends with the last process that has it open, which may be a child of this one.
                while self
                    .reader
                    .as_ref()
                    .is_some_and(|reader| !reader.is_finished())
                    && Instant::now() < deadline
                {
                    sleep(POLL).await;
                }
                return Ok(status);
            }
            if deadline < Instant::now() {
                bail!("{} does not end{}", self.name, self.last_lines());
            }
            sleep(POLL).await;
        }
    }

    /// Waits for its end, which is to be a success.
    ///
    /// # Errors
    /// If it takes longer than `limit`, or is none.
    pub async fn succeeds(&mut self, limit: Duration) -> Result<()> {
        let status = self.ended(limit).await?;
        if !status.success() {
            bail!("{} failed ({status}){}", self.name, self.last_lines());
        }
        Ok(())
    }

    /// SIGTERM, and the end, which is to be a success.
    ///
    /// # Errors
    /// If it takes longer than `limit`, or is none.
    pub async fn terminate(mut self, limit: Duration) -> Result<()> {
        self.signal(Signal::TERM);
        self.succeeds(limit).await
    }

    /// The end of what was read, to be put behind a sentence.
    fn last_lines(&self) -> String {
        let lines = self.lines.borrow();
        let shown = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
        shown.iter().flat_map(|line| ["\n  ", &line.text]).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It is gone if this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends `signal` to a process by its number; one that is gone is fine.
pub fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Processes whose command line holds `marker`.
///
/// A number that was noted may be another process's by now; a command line cannot.
pub fn find(marker: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let holds = |pid: &u32| {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
        line.contains(marker) && *pid != std::process::id()
    };
    pids.filter(holds).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped());
        Process::start(&mut command, Output::Stdout).unwrap()
    }

    #[tokio::test]
    async fn lines_are_waited_for_and_kept() {
        let mut process = shell("echo one; echo two; echo one; read -r _; echo three");
        let second = process.wait_for("one", 2, LIMIT).await.unwrap();
        assert!(process.started <= second);
        let error = process
            .wait_for("three", 1, Duration::from_millis(10))
            .await;
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("sh wrote no `three`") && error.contains("\n  two"),
            "{error}"
        );
        process.close_input();
        process.succeeds(LIMIT).await.unwrap();
        assert_eq!(process.output(), "one\ntwo\none\nthree\n");
        assert!(
            process
                .wait_for("four", 1, LIMIT)
                .await
                .unwrap_err()
                .to_string()
                .contains("ended")
        );
    }

    #[tokio::test]
    async fn a_failure_and_a_signal_are_told() {
        let error = shell("echo why; exit 3").succeeds(LIMIT).await.unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("exit status: 3") && error.ends_with("\n  why"),
            "{error}"
        );
        let mut process = shell("exec sleep 60");
        process.check_alive().unwrap();
        process.signal(Signal::TERM);
        assert_eq!(process.ended(LIMIT).await.unwrap().code(), None);
        assert!(process.check_alive().is_err());
    }

    #[tokio::test]
    async fn a_process_is_found_by_its_command_line_and_ends_with_its_owner() {
        let marker = format!("harness-{}", std::process::id());
        let process = shell(&format!("echo up; read -r _ # {marker}"));
        // A command line is empty for a moment after the start.
        process.wait_for("up", 1, LIMIT).await.unwrap();
        assert_eq!(find(&marker), [process.pid()]);
        drop(process);
        assert!(find(&marker).is_empty());
    }
}
