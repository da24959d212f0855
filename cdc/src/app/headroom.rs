//! Asks MongoDB how much of the oplog is left before the checkpoint, and says when that becomes little.

use std::time::{Duration, Instant};

use mongodb::options::ServerAddress;
use serde_json::json;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use crate::{
    checkpoint::{self, Editor},
    headroom::{Estimate, Headroom, Level, Report, Sample, Thresholds},
    health::{Cause, Health, Role},
    metrics::Metrics,
    mongo::{self, Grantee, Mongo},
    retry::chain,
};

/// Time between questions.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long an answer holds where later questions fail, as they do while the primary changes.
const HOLDS_FOR: Duration = Duration::from_secs(60);
const MEND: &str = "mend what holds the engine up, or make the oplog larger (replSetResizeOplog)";

/// Whom it tells.
#[derive(Debug, Clone)]
pub(super) struct Listeners {
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    pub(super) headroom: Headroom,
}

/// Asks until the task is dropped.
pub(super) fn follow(
    mongo: &Mongo,
    config: checkpoint::Config,
    thresholds: Thresholds,
    listeners: Listeners,
) -> AbortOnDropHandle<()> {
    let follower = Follower {
        editor: Editor::new(mongo, config),
        mongo: mongo.clone(),
        estimate: Estimate::new(thresholds),
        listeners,
        level: Level::Well,
        known: None,
        primary: None,
        has_complained: false,
    };
    AbortOnDropHandle::new(tokio::spawn(follower.run()))
}

struct Follower {
    mongo: Mongo,
    editor: Editor,
    estimate: Estimate,
    listeners: Listeners,
    /// What was said last.
    level: Level,
    /// The last report, and when it was made.
    known: Option<(Instant, Report)>,
    /// Whose oplog was looked at last.
    primary: Option<ServerAddress>,
    /// Whether it was said that the oplog cannot be looked at.
    has_complained: bool,
}

impl Follower {
    async fn run(mut self) {
        loop {
            let now = Instant::now();
            match self.sample().await {
                Ok(sample) => {
                    self.note_primary();
                    self.known = sample.map(|sample| (now, self.estimate.take(sample)));
                }
                Err(error) => {
                    self.complain(&error);
                    self.known = self.known.filter(|(made, _)| now < *made + HOLDS_FOR);
                }
            }
            self.tell();
            self.rest().await;
        }
    }

    /// The oplogs of two members begin at different times.
    fn note_primary(&mut self) {
        let primary = self.mongo.primary().now();
        if primary != self.primary {
            self.primary = primary;
            self.estimate.of_another_member();
        }
    }

    /// Until the next question. An engine that comes to lead meanwhile hears at once what is known.
    async fn rest(&self) {
        let mut changes = self.listeners.health.watch();
        let noting = async {
            while changes.changed().await.is_ok() {
                self.note(self.report());
            }
        };
        let _ = tokio::time::timeout(INTERVAL, noting).await;
    }

    fn report(&self) -> Option<Report> {
        self.known.map(|(_, report)| report)
    }

    /// Nothing where there is no checkpoint yet.
    async fn sample(&self) -> Result<Option<Sample>, Error> {
        let oplog = self.mongo.oplog().await?;
        let position = self.editor.read().await?.position().ok().flatten();
        let time = position.and_then(|position| position.cluster_time());
        Ok(time.map(|time| Sample {
            at: Instant::now(),
            oldest: oplog.first.time,
            newest: oplog.last.time,
            position: time.time,
            is_whole: oplog.is_whole,
        }))
    }

    /// Says once what only a person can mend. All else passes, and the source says it.
    fn complain(&mut self, error: &Error) {
        match error {
            Error::Mongo(mongo::Error::Permission { grantee, .. }) if !self.has_complained => {
                let text = "how much of the oplog is left is not known";
                warn!(error = chain(error), grant = %grant(grantee), "{text}");
            }
            Error::Mongo(mongo::Error::NoOplog) if !self.has_complained => {
                info!("how much of the oplog is left is not known: a mongos shows none");
            }
            _ => return debug!(error = chain(error), "the oplog was not looked at"),
        }
        self.has_complained = true;
    }

    fn tell(&mut self) {
        let report = self.report();
        let Listeners {
            metrics, headroom, ..
        } = &self.listeners;
        let window = report.map(|report| report.window_seconds.into());
        metrics.oplog_window.set(window);
        let seconds = |report: Report| report.headroom_seconds.map_or(f64::INFINITY, f64::from);
        metrics.headroom.set(report.map(seconds));
        let threshold = |level, of: fn(Thresholds) -> u32| {
            let seconds = report.map(|report| of(report.thresholds).into());
            metrics.headroom_threshold.of(level).set(seconds);
        };
        threshold("warning", |thresholds| thresholds.warning);
        threshold("critical", |thresholds| thresholds.critical);
        headroom.set(report);
        if let Some(report) = report {
            self.say(report);
        }
        self.note(report);
    }

    /// Takes readiness away while the engine that reads is about to lose changes.
    fn note(&self, report: Option<Report>) {
        let health = &self.listeners.health;
        let is_critical = |report: &Report| report.level == Level::Critical;
        match report.filter(is_critical) {
            Some(report) if health.report().role == Role::Leader => {
                health.add_obstacle(Cause::Headroom, format!("{}; {MEND}", words(report)));
            }
            _ => health.clear(Cause::Headroom),
        }
    }

    fn say(&mut self, report: Report) {
        if self.level == report.level {
            return;
        }
        self.level = report.level;
        let Report {
            window_seconds,
            behind_seconds,
            headroom_seconds,
            level,
            ..
        } = report;
        if level == Level::Well {
            info!(
                window_seconds,
                behind_seconds,
                headroom_seconds,
                "changes are in no danger of leaving the oplog any more"
            );
        } else {
            warn!(
                headroom = %level,
                window_seconds,
                behind_seconds,
                headroom_seconds,
                "{}; {MEND}",
                words(report)
            );
        }
    }
}

fn words(report: Report) -> String {
    match report.headroom_seconds {
        Some(0) => "changes that are not read yet have left mongodb's oplog".to_owned(),
        Some(seconds) => {
            let minutes = seconds.div_ceil(60);
            format!("changes leave mongodb's oplog in about {minutes} min, before they are read")
        }
        None => {
            let seconds = report.window_seconds.saturating_sub(report.behind_seconds);
            format!(
                "the oldest entry of mongodb's oplog is only {seconds} s before what is not read yet"
            )
        }
    }
}

/// What lets the user see the oplog, for mongosh.
fn grant(grantee: &Grantee) -> String {
    let role = json!({ "role": "read", "db": "local" });
    let command = json!({ "grantRolesToUser": grantee.user, "roles": [role] });
    format!(
        "db.getSiblingDB({:?}).runCommand({command})",
        grantee.database
    )
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Mongo(#[from] mongo::Error),
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::Error),
}
