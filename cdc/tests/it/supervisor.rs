//! What a supervisor such as systemd hears of the engine.

use std::{os::unix::net::UnixDatagram, time::Duration};

use harness::Signal;
use tempfile::TempDir;

use crate::support::{Engine, Scenario, eventually};

/// Silence after which the engine is taken for dead, in microseconds.
const WATCHDOG_USEC: &str = "300000";

/// The end of the socket at which a supervisor listens.
struct Supervisor {
    socket: UnixDatagram,
    folder: TempDir,
    heard: Vec<String>,
}

impl Supervisor {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self {
            socket,
            folder,
            heard: Vec::new(),
        }
    }

    /// Starts the engine of `scenario` under this supervisor.
    fn start(&self, scenario: &mut Scenario) -> Engine {
        let address = self.folder.path().join("notify");
        scenario
            .set("NOTIFY_SOCKET", address.to_str().unwrap())
            .set("WATCHDOG_USEC", WATCHDOG_USEC);
        scenario.spawn()
    }

    /// Takes what has come since.
    fn listen(&mut self) -> usize {
        let before = self.heard.len();
        let mut buffer = [0; 4096];
        while let Ok(size) = self.socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..size]).into_owned();
            self.heard.push(text);
        }
        self.heard.len() - before
    }

    fn has(&mut self, line: &str) -> bool {
        self.listen();
        let mut lines = self.heard.iter().flat_map(|text| text.lines());
        lines.any(|heard| heard == line)
    }

    async fn hears(&mut self, line: &str) {
        eventually(line, async || self.has(line)).await;
    }
}

#[tokio::test]
async fn a_supervisor_hears_of_start_life_and_stop() {
    let mut scenario = Scenario::new("supervised").await;
    let mut supervisor = Supervisor::new();
    let engine = supervisor.start(&mut scenario);
    supervisor.hears("READY=1").await;
    assert!(supervisor.has("STATUS=leader"), "{:?}", supervisor.heard);
    supervisor.heard.clear();
    supervisor.hears("WATCHDOG=1").await;
    assert!(!supervisor.has("READY=1"), "{:?}", supervisor.heard);
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert!(supervisor.has("STOPPING=1"), "{:?}", supervisor.heard);
}

#[tokio::test]
async fn an_engine_that_does_not_turn_gives_no_sign_of_life() {
    let mut scenario = Scenario::new("supervised_life").await;
    let mut supervisor = Supervisor::new();
    let engine = supervisor.start(&mut scenario);
    supervisor.hears("WATCHDOG=1").await;
    engine.signal(Signal::STOP);
    eventually("the engine is silent", async || {
        supervisor.listen();
        // Longer than its signs of life are apart.
        tokio::time::sleep(Duration::from_millis(500)).await;
        supervisor.listen() == 0
    })
    .await;
    engine.signal(Signal::CONT);
    supervisor.heard.clear();
    supervisor.hears("WATCHDOG=1").await;
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_standby_is_ready_and_what_is_in_the_way_is_told() {
    let mut scenario = Scenario::new("supervised_standby").await;
    let proxy = scenario.behind_a_proxy("").await;
    let leader = scenario.start().await;
    let mut supervisor = Supervisor::new();
    let standby = supervisor.start(&mut scenario);
    supervisor.hears("READY=1").await;
    assert!(supervisor.has("STATUS=standby"), "{:?}", supervisor.heard);
    proxy.down();
    eventually("the broker is in the way", async || {
        supervisor.listen();
        let mut heard = supervisor.heard.iter();
        heard.any(|text| text.contains("; rabbitmq: "))
    })
    .await;
    proxy.pass();
    assert_eq!(standby.stop().await.code, Some(0));
    assert!(supervisor.has("STOPPING=1"), "{:?}", supervisor.heard);
    assert_eq!(leader.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_supervisor_that_is_not_there_is_said_and_holds_up_nothing() {
    let mut scenario = Scenario::new("supervised_by_nobody").await;
    scenario.set("NOTIFY_SOCKET", "/nowhere/notify");
    let engine = scenario.start().await;
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    let told = finished.log.matches("nobody listens at NOTIFY_SOCKET");
    assert_eq!(told.count(), 1, "{}", finished.log);
}
