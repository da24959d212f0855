//! A Prometheus with the alert rules as they are installed.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use harness::{Server, http, port};
use serde_json::{Value, json};

use crate::support::{DEADLINE, Engine, required};

/// The slowest alert fires after 16 minutes.
const LIMIT: Duration = Duration::from_secs(25 * 60);
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A server that scrapes the engines of one test, as often as docs/operating.md says.
pub(super) struct Prometheus {
    address: String,
    folder: PathBuf,
    targets: Vec<String>,
    _server: Server,
}

impl Prometheus {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let folder = folder.keep();
        let rules = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../packaging/prometheus/cdc-alerts.yml"
        );
        let configuration = json!({
            "global": { "scrape_interval": "15s" },
            "rule_files": [rules],
            "scrape_configs": [{
                "job_name": "cdc",
                "file_sd_configs": [{ "files": ["targets.json"], "refresh_interval": "5s" }],
            }],
        });
        fs::write(folder.join("prometheus.yml"), configuration.to_string()).unwrap();
        fs::write(folder.join("targets.json"), "[]").unwrap();
        let address = format!("127.0.0.1:{}", port::free());
        let mut command = Command::new(required("CDC_TEST_PROMETHEUS"));
        command
            .current_dir(&folder)
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={address}"));
        let server = Server::start(&mut command, &folder).unwrap();
        Self {
            address,
            folder,
            targets: Vec::new(),
            _server: server,
        }
    }

    /// One that scrapes this engine.
    pub(super) fn of(engine: &Engine) -> Self {
        let mut prometheus = Self::start();
        prometheus.watch(engine);
        prometheus
    }

    /// Scrapes this engine from now on, too.
    pub(super) fn watch(&mut self, engine: &Engine) {
        self.targets.push(engine.admin().to_owned());
        let (written, targets) = ("targets.new", json!([{ "targets": self.targets }]));
        fs::write(self.folder.join(written), targets.to_string()).unwrap();
        let file = self.folder.join("targets.json");
        fs::rename(self.folder.join(written), file).unwrap();
    }

    /// The alerts that fire.
    async fn firing(&self) -> Vec<String> {
        let what = ("GET", "/api/v1/alerts");
        let reply = http::request(&self.address, what, "", DEADLINE).await;
        let report = reply.map(|reply| reply.json()).unwrap_or_default();
        let alerts = report["data"]["alerts"].as_array().cloned();
        let firing = alerts.into_iter().flatten();
        firing
            .filter(|alert| alert["state"] == "firing")
            .map(|alert| name(&alert))
            .collect()
    }

    /// Waits until all of these fire.
    pub(super) async fn fires(&self, alerts: &[&str]) {
        let all = |firing: &[String]| {
            let mut wanted = alerts.iter();
            wanted.all(|alert| firing.iter().any(|firing| firing == alert))
        };
        self.wait(&format!("{alerts:?} fire"), all).await;
    }

    /// Waits until nothing fires but what looks an hour back.
    pub(super) async fn ends(&self) {
        let none = |firing: &[String]| firing.iter().all(|alert| REMEMBER.contains(&&**alert));
        self.wait("the alerts end", none).await;
    }

    #[expect(clippy::print_stdout, reason = "a trial tells how long each step took")]
    async fn wait(&self, what: &str, is_so: impl Fn(&[String]) -> bool) {
        let begun = Instant::now();
        let mut firing = self.firing().await;
        while !is_so(&firing) {
            assert!(
                begun.elapsed() < LIMIT,
                "waited too long until {what}: {firing:?}"
            );
            tokio::time::sleep(LOOK_EVERY).await;
            firing = self.firing().await;
        }
        println!("{what}: {:.0} s", begun.elapsed().as_secs_f64());
    }
}

/// Alerts of what has happened, which end by themselves when it is long ago.
const REMEMBER: [&str; 6] = [
    "CdcHistorySkipped",
    "CdcQueueLost",
    "CdcParked",
    "CdcStreamPlaceUnknown",
    "CdcReconnects",
    "CdcCheckpointSavesFail",
];

fn name(alert: &Value) -> String {
    let name = alert["labels"]["alertname"].as_str();
    name.unwrap().to_owned()
}
