//! A process under measurement: started, heard, asked to end, and never left behind.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

/// Pause between two looks at a process that was asked to end.
const POLL: Duration = Duration::from_millis(5);
/// Lines that wait to be heard.
const LINES: usize = 64;
/// Last lines that are shown of a process that failed.
const LINES_SHOWN: usize = 8;

/// Where a process talks to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// Standard output; standard error goes where ours goes.
    Output,
    /// Standard error; it writes nothing to standard output.
    Error,
}

/// A running process; it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    child: Child,
    /// When it was started.
    pub(super) started: Instant,
    lines: mpsc::Receiver<(String, Instant)>,
    /// What it has said last.
    heard: Vec<String>,
}

impl Process {
    /// Starts `command`.
    pub(super) fn start(command: &mut Command, voice: Voice) -> Result<Self> {
        let program = Path::new(command.get_program()).file_name();
        let name = program.unwrap_or_default().to_string_lossy().into_owned();
        command.stdin(Stdio::piped());
        match voice {
            Voice::Output => command.stdout(Stdio::piped()),
            Voice::Error => command.stdout(Stdio::null()).stderr(Stdio::piped()),
        };
        let started = Instant::now();
        let spawned = command.spawn();
        let mut child = spawned.with_context(|| format!("start {name}"))?;
        let stream: Box<dyn Read + Send> = match voice {
            Voice::Output => Box::new(child.stdout.take().context("hear a process")?),
            Voice::Error => Box::new(child.stderr.take().context("hear a process")?),
        };
        let (sender, lines) = mpsc::channel(LINES);
        // Ends with the process, or with the first line that nobody wants.
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if sender.blocking_send((line, Instant::now())).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            name,
            child,
            started,
            lines,
            heard: Vec::new(),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line that holds `text`, and returns the moment at which it came.
    pub(super) async fn hear(&mut self, text: &str, limit: Duration) -> Result<Instant> {
        let hearing = async {
            while let Some((line, moment)) = self.lines.recv().await {
                let found = line.contains(text);
                self.heard.push(line);
                if found {
                    return Some(moment);
                }
            }
            None
        };
        match timeout(limit, hearing).await {
            Ok(Some(moment)) => Ok(moment),
            Ok(None) => bail!("{} ended too early{}", self.name, self.last_words()),
            Err(_) => {
                let seconds = limit.as_secs();
                let words = self.last_words();
                bail!("{} did not get there within {seconds} s{words}", self.name)
            }
        }
    }

    /// Listens to what it says and forgets it, so that it never waits for us.
    pub(super) fn mute(&mut self) {
        while let Ok((line, _)) = self.lines.try_recv() {
            self.heard.push(line);
        }
    }

    /// Fails if it has ended.
    pub(super) fn check_alive(&mut self) -> Result<()> {
        self.mute();
        if let Some(status) = self.child.try_wait().context("look at a process")? {
            bail!("{} ended ({status}){}", self.name, self.last_words());
        }
        Ok(())
    }

    /// Lets a program go that waits for its standard input to close.
    pub(super) async fn release(mut self, limit: Duration) -> Result<()> {
        drop(self.child.stdin.take());
        self.ended(limit).await
    }

    /// Asks it to end.
    pub(super) async fn terminate(mut self, limit: Duration) -> Result<()> {
        self.signal(Signal::TERM);
        self.ended(limit).await
    }

    /// Sends a signal; one that is gone already is fine.
    pub(super) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
    }

    /// All that it has said, once it has ended.
    pub(super) async fn rest(mut self, limit: Duration) -> Result<Vec<String>> {
        let reading = async {
            while let Some((line, _)) = self.lines.recv().await {
                self.heard.push(line);
            }
        };
        let read = timeout(limit, reading).await;
        read.with_context(|| format!("{} does not end", self.name))?;
        Ok(std::mem::take(&mut self.heard))
    }

    async fn ended(&mut self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            self.mute();
            match self.child.try_wait().context("wait for a process")? {
                Some(status) => return self.judge(status),
                None if deadline < Instant::now() => {
                    bail!("{} does not end{}", self.name, self.last_words())
                }
                None => sleep(POLL).await,
            }
        }
    }

    fn judge(&self, status: ExitStatus) -> Result<()> {
        if !status.success() {
            bail!("{} failed ({status}){}", self.name, self.last_words());
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        let first = self.heard.len().saturating_sub(LINES_SHOWN);
        let lines = self.heard[first..].iter().map(String::as_str);
        let shown: Vec<&str> = [""].into_iter().chain(lines).collect();
        shown.join("\n  ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It is gone if this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
