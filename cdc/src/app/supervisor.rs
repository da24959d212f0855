//! Tells the process's supervisor how the engine is, by the protocol of systemd: ready, its state, alive, stopping.
//!
//! It never waits: what the supervisor does not take at once is left out.
//! <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>

use std::{
    convert::Infallible,
    ffi::OsStr,
    future::pending,
    io,
    os::unix::{ffi::OsStrExt as _, net::UnixDatagram},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::health::{Report, Role, Status};

/// How many signs of life there are in the time after which one is missed.
const SIGNS: u32 = 3;

/// The supervisor of this process.
#[derive(Debug)]
pub struct Supervisor {
    socket: UnixDatagram,
    /// Silence after which it takes the engine for dead.
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The one that listens on `address`: a path or, after an `@`, a name in Linux's abstract namespace.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(address: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        match address.as_bytes().strip_prefix(b"@") {
            Some(name) => connect_abstract(&socket, name)?,
            None => socket.connect(address)?,
        }
        Ok(Self { socket, watchdog })
    }

    /// The engine was asked to stop.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, news: &str) {
        // A supervisor that does not listen is its own affair.
        let _ = self.socket.send(news.as_bytes());
    }

    /// Tells of every change, and that the task that polls this turns.
    async fn follow(&self, mut changes: watch::Receiver<Status>) -> Infallible {
        let mut signs = self.watchdog.map(signs);
        let mut was_ready = false;
        changes.mark_changed();
        loop {
            tokio::select! {
                Ok(()) = changes.changed() => {
                    let report = changes.borrow_and_update().report();
                    let is_ready = matches!(report.role, Role::Leader | Role::Standby);
                    let ready = if is_ready && !was_ready { "READY=1\n" } else { "" };
                    was_ready |= is_ready;
                    self.tell(&format!("{ready}STATUS={}", state(&report)));
                }
                () = next(&mut signs) => self.tell("WATCHDOG=1"),
            }
        }
    }
}

/// Tells `supervisor`, if there is one, of every change for as long as this is polled.
pub(super) async fn follow(
    supervisor: Option<&Supervisor>,
    changes: watch::Receiver<Status>,
) -> Infallible {
    match supervisor {
        Some(supervisor) => supervisor.follow(changes).await,
        None => pending().await,
    }
}

fn signs(limit: Duration) -> Interval {
    let mut signs = interval((limit / SIGNS).max(Duration::from_millis(1)));
    signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    signs
}

async fn next(signs: &mut Option<Interval>) {
    match signs {
        Some(signs) => _ = signs.tick().await,
        None => pending().await,
    }
}

/// One line on what the engine does, and on what is in its way.
fn state(report: &Report) -> String {
    let behind = report.behind_seconds;
    let behind = behind.map(|seconds| format!(", {seconds} s behind"));
    let obstacles = report.obstacles.iter();
    let obstacles = obstacles.map(|obstacle| format!("; {}: {}", obstacle.cause, obstacle.reason));
    let parts = [report.role.to_string()].into_iter().chain(behind);
    parts
        .chain(obstacles)
        .collect::<String>()
        .replace('\n', " ")
}

#[cfg(target_os = "linux")]
fn connect_abstract(socket: &UnixDatagram, name: &[u8]) -> io::Result<()> {
    use std::os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr};
    socket.connect_addr(&SocketAddr::from_abstract_name(name)?)
}

#[cfg(not(target_os = "linux"))]
fn connect_abstract(_: &UnixDatagram, _: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Cause, Health};

    #[test]
    fn the_state_is_one_line_with_all_that_is_in_the_way() {
        let health = Health::default();
        assert_eq!(state(&health.report()), "starting");
        health.set_role(Role::Leader);
        health.set_behind(Some(40));
        health.add_obstacle(Cause::Rabbitmq, "lost:\ntrying again");
        health.add_obstacle(Cause::Blocked, "memory alarm");
        let expected = "leader, 40 s behind; rabbitmq: lost: trying again; blocked: memory alarm";
        assert_eq!(state(&health.report()), expected);
    }

    #[test]
    fn nobody_at_the_address_is_an_error() {
        for address in ["/nowhere/notify", "@cdc-test-nobody", ""] {
            assert!(Supervisor::connect(OsStr::new(address), None).is_err());
        }
    }

    #[tokio::test]
    async fn a_supervisor_that_takes_nothing_holds_nothing_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let supervisor = Supervisor::connect(path.as_os_str(), None).unwrap();
        for _ in 0..100_000 {
            supervisor.stopping();
        }
        drop(listener);
        supervisor.stopping();
    }
}
