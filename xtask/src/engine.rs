//! The engine as a child, beside whatever tests it.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{child::Running, failure::Failure, progress::Progress, project::Project};

/// Past the engine's own limit for reaching its servers, so that it can say which it cannot reach.
const READY_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
const REQUEST: &[u8] = b"GET /ready HTTP/1.0\r\n\r\n";
/// Longest wait for one answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// A running engine, its output in a log.
#[derive(Debug)]
pub(crate) struct Engine {
    running: Running,
    pub(crate) log: PathBuf,
    /// Its admin port.
    admin: String,
}

impl Engine {
    /// Starts `command` and returns when the engine is ready: it works, or stands by for one that does.
    pub(crate) fn start(project: &Project, mut command: Command, log: &Path) -> Result<Self> {
        let line = Progress::new().busy("engine", "starting");
        // One of its own: the usual port may be in use by the engine that someone works with.
        let admin = free_address().context("find a free port")?;
        command.env("CDC_ADMIN_ADDR", &admin);
        let mut engine = Self {
            running: Running::start_logged(&mut command, log)?,
            log: log.to_owned(),
            admin,
        };
        engine.wait_until_ready(project)?;
        let state = if engine.stands_by() {
            "stands by: another engine does the work"
        } else {
            "ready"
        };
        line.done(&format!("{state}; its log is {}", project.relative(log)));
        Ok(engine)
    }

    /// Whether another engine of its pipeline does the work.
    pub(crate) fn stands_by(&self) -> bool {
        ask(&self.admin).is_ok_and(|answer| answer.role == "standby")
    }

    /// Lets it drain.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let line = Progress::new().busy("engine", "stopping");
        let status = self.running.stop()?;
        if status.success() {
            line.done("stopped");
            return Ok(());
        }
        Err(self.failure(&format!("the engine failed ({status})")))
    }

    fn wait_until_ready(&mut self, project: &Project) -> Result<()> {
        let deadline = Instant::now() + READY_LIMIT;
        while !ask(&self.admin).is_ok_and(|answer| answer.is_ready) {
            if let Some(status) = self.running.poll()? {
                return Err(self.failure(&format!("the engine ended early ({status})")));
            }
            if deadline < Instant::now() {
                let text = format!("the engine is not ready after {} s", READY_LIMIT.as_secs());
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

fn free_address() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}

/// What an engine says of itself.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    is_ready: bool,
    role: String,
}

/// Asks the admin port.
fn ask(admin: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.write_all(REQUEST)?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let body = reply.split_once("\r\n\r\n").map(|(_, body)| body);
    let report: Value = serde_json::from_str(body.unwrap_or_default()).unwrap_or_default();
    Ok(Answer {
        is_ready: reply.split(' ').nth(1) == Some("200"),
        role: report["role"].as_str().unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn only_a_status_of_200_is_ready_and_the_body_has_the_role() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            for (status, role) in [
                ("503 Service Unavailable", "starting"),
                ("200 OK", "standby"),
            ] {
                let (mut stream, _) = listener.accept().unwrap();
                stream.read_exact(&mut [0; REQUEST.len()]).unwrap();
                write!(stream, "HTTP/1.0 {status}\r\n\r\n{{\"role\":\"{role}\"}}").unwrap();
            }
        });
        let answer = |is_ready, role: &str| Answer {
            is_ready,
            role: role.to_owned(),
        };
        assert_eq!(ask(&address).unwrap(), answer(false, "starting"));
        assert_eq!(ask(&address).unwrap(), answer(true, "standby"));
        server.join().unwrap();
        assert!(ask(&address).is_err());
    }
}
