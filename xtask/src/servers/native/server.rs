//! One server process: how it is started, awaited and stopped again.

use std::{
    cell::RefCell,
    path::PathBuf,
    process::Command,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    child::Running,
    failure::{Failure, log_tail},
    progress::Progress,
    servers::wait::{Awaited, State},
};

/// The nodes of a cluster wait for each other.
const READY_LIMIT: Duration = Duration::from_secs(180);
const FIRST_LIMIT: Duration = Duration::from_secs(5);
const FIRST_POLL: Duration = Duration::from_millis(10);

/// One server process, running or to be started.
pub(super) struct Server {
    pub(super) name: String,
    /// Part of its command line that no process of someone else has.
    pub(super) marker: String,
    /// The one that its clients use in front.
    pub(super) ports: Vec<u16>,
    pub(super) log: PathBuf,
    pub(super) command: Command,
    pub(super) answers: Box<dyn Fn() -> bool>,
    /// Whether the next server needs this one from its first moment on.
    pub(super) is_needed_by_next: bool,
}

/// A server that this launch has started.
pub(super) struct Started {
    process: Rc<RefCell<Running>>,
    is_needed_by_next: bool,
}

impl Server {
    /// Each port with the name of what it is for.
    pub(super) fn named_ports(&self) -> impl Iterator<Item = (String, u16)> + '_ {
        self.ports.iter().map(|port| (self.name.clone(), *port))
    }

    /// Starts it; it ends with what is returned unless that is detached.
    pub(super) fn start<'a>(mut self, progress: &Progress) -> Result<(Started, Awaited<'a>)> {
        let process = Running::start_logged(&mut self.command, &self.log)?;
        let process = Rc::new(RefCell::new(process));
        let deadline = Instant::now() + FIRST_LIMIT;
        while self.is_needed_by_next && !(self.answers)() && Instant::now() < deadline {
            thread::sleep(FIRST_POLL);
        }
        let is_needed_by_next = self.is_needed_by_next;
        let awaited = self.awaited(Some(Rc::clone(&process)), progress);
        Ok((
            Started {
                process,
                is_needed_by_next,
            },
            awaited,
        ))
    }

    /// Ready when it answers; failed when the process that we have started ends before that.
    pub(super) fn awaited<'a>(
        self,
        process: Option<Rc<RefCell<Running>>>,
        progress: &Progress,
    ) -> Awaited<'a> {
        let line = progress.line(&self.name);
        let Self {
            name,
            ports,
            log,
            answers,
            ..
        } = self;
        let reached = if process.is_some() {
            "answers"
        } else {
            "was running already, answers"
        };
        let port = ports[0];
        let check_log = log.clone();
        let check = move || {
            if answers() {
                return Ok(State::Ready(format!("{reached} on port {port}")));
            }
            let ended = process
                .as_ref()
                .map(|process| process.borrow_mut().poll())
                .transpose()?;
            match ended.flatten() {
                None => Ok(State::Waiting(format!("no answer on port {port} yet"))),
                Some(status) => Err(Failure::new(format!("it ended early ({status})"))
                    .log(&check_log)
                    .into()),
            }
        };
        let evidence = Box::new(move || log_tail(&log));
        Awaited {
            line,
            name,
            evidence,
            limit: READY_LIMIT,
            check: Box::new(check),
        }
    }
}

impl Started {
    /// Lets the processes run on without us.
    pub(super) fn detach(started: &[Self]) {
        for server in started {
            server.process.borrow_mut().detach();
        }
    }

    /// Stops all at once, since each takes its time; only what others need outlives those.
    pub(super) fn stop(started: &[Self]) -> Result<()> {
        for is_needed in [false, true] {
            let servers = || {
                started
                    .iter()
                    .filter(move |server| server.is_needed_by_next == is_needed)
            };
            servers().try_for_each(|server| server.process.borrow_mut().terminate())?;
            servers().try_for_each(|server| server.process.borrow_mut().stop().map(drop))?;
        }
        Ok(())
    }
}
