//! Runs programs with a deadline, and ends them when someone asks us to stop.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::{
    failure::{FAILED, Failure},
    interrupt::Interrupt,
    process,
};

const POLL: Duration = Duration::from_millis(20);
/// Long enough for a toolkit of ours to stop its servers.
const GRACE: Duration = Duration::from_secs(40);

/// A program that we started, in a process group of its own so that its children end with it.
///
/// Unless it is detached, it is ended when dropped: gently first, for good after a grace period.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    child: Child,
    ended: Option<ExitStatus>,
    is_detached: bool,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let name = Path::new(command.get_program())
            .file_name()
            .unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        let child = child.with_context(|| format!("start `{name}`"))?;
        Ok(Self {
            name,
            child,
            ended: None,
            is_detached: false,
        })
    }

    /// Starts `command` with its output in `log`, written anew with its folder.
    pub(crate) fn start_logged(command: &mut Command, log: &Path) -> Result<Self> {
        let folder = log.parent().unwrap_or(log);
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let file = File::create(log).with_context(|| format!("write {}", log.display()))?;
        command
            .stdout(file.try_clone().context("share the log")?)
            .stderr(file);
        Self::start(command)
    }

    /// The child, to take its output from.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Lets it outlive us.
    pub(crate) fn detach(&mut self) {
        self.is_detached = true;
    }

    /// How it ended, if it did.
    pub(crate) fn poll(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            let status = self.child.try_wait();
            self.ended = status.with_context(|| format!("wait for `{}`", self.name))?;
        }
        Ok(self.ended)
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When the limit passes or someone asks us to stop.
    pub(crate) fn wait(&mut self, interrupt: &Interrupt, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.poll()? {
                return Ok(status);
            }
            if deadline < Instant::now() {
                let text = format!("`{}` did not end within {} s", self.name, limit.as_secs());
                return Err(Failure::new(text).into());
            }
            interrupt.pause(POLL)?;
        }
    }

    /// Asks it to end, without waiting for it.
    pub(crate) fn terminate(&mut self) -> Result<()> {
        if self.poll()?.is_none() {
            process::signal_group(self.child.id(), Signal::TERM);
        }
        Ok(())
    }

    /// Asks it to end and waits; after a grace period it is killed.
    pub(crate) fn stop(&mut self) -> Result<ExitStatus> {
        self.terminate()?;
        let deadline = Instant::now() + GRACE;
        loop {
            if let Some(status) = self.poll()? {
                return Ok(status);
            }
            if deadline < Instant::now() {
                process::signal_group(self.child.id(), Signal::KILL);
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_detached {
            // Nobody is left to tell; the processes are gone either way.
            let _ = self.stop();
        }
    }
}

/// Runs `command` to its end, its output where ours goes.
pub(crate) fn status(
    mut command: Command,
    interrupt: &Interrupt,
    limit: Duration,
) -> Result<ExitStatus> {
    Running::start(&mut command)?.wait(interrupt, limit)
}

/// Like [`status`], as our own exit code.
pub(crate) fn exit_code(
    command: Command,
    interrupt: &Interrupt,
    limit: Duration,
) -> Result<ExitCode> {
    let code = status(command, interrupt, limit)?.code();
    let code = code.and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(FAILED)))
}

/// Runs `command` with its output in `log`, and fails with the log's last lines unless it succeeds.
pub(crate) fn logged(
    mut command: Command,
    log: &Path,
    interrupt: &Interrupt,
    limit: Duration,
) -> Result<()> {
    let mut running = Running::start_logged(&mut command, log)?;
    let status = running.wait(interrupt, limit)?;
    if !status.success() {
        return Err(
            Failure::new(format!("`{}` failed ({status})", running.name))
                .log(log)
                .into(),
        );
    }
    Ok(())
}

/// What `command` prints to standard output; the rest goes where ours goes.
pub(crate) fn output(
    mut command: Command,
    interrupt: &Interrupt,
    limit: Duration,
) -> Result<String> {
    let mut running = Running::start(command.stdout(Stdio::piped()))?;
    let stdout = running.child().stdout.take().context("read its output")?;
    let reader = thread::spawn(move || io::read_to_string(stdout));
    let status = running.wait(interrupt, limit)?;
    if !status.success() {
        return Err(Failure::new(format!("`{}` failed ({status})", running.name)).into());
    }
    let text = reader
        .join()
        .ok()
        .context("read its output")?
        .context("read its output")?;
    Ok(text.trim().to_owned())
}

/// Like [`output`], for a question: nothing if it fails, cannot start or takes too long.
pub(crate) fn answer(
    mut command: Command,
    interrupt: &Interrupt,
    limit: Duration,
) -> Option<String> {
    command.stderr(Stdio::null());
    output(command, interrupt, limit).ok()
}
