//! How the engine is, for programs and for the status page: one object, which `docs/operating.md` describes.

mod stages;

use std::time::SystemTime;

use bson::DateTime;
use serde_json::{Map, Value, json};

use super::{
    Facts,
    history::{History, Rates, SAMPLE_SECONDS},
    problems::Problem,
};
use crate::health::{Cause, Report, Role};

/// What people can do about each kind of obstacle, by whoever knows how this engine was set up.
pub type Advice = fn(Cause) -> Option<&'static str>;

/// A setting, as it holds.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Its value; nothing where it is secret.
    pub value: Option<String>,
    /// Where the value came from.
    pub source: String,
    /// Whether nobody set it.
    pub is_default: bool,
}

/// Everything at this moment; `is_whole` with the last hour and the settings, which change seldom.
pub(super) fn status(facts: &Facts, is_whole: bool) -> Value {
    let (report, kept) = (facts.subject.health.report(), facts.record.kept());
    let now = SystemTime::now();
    let rates = kept.history.now();
    let mut status = head(facts, &report, now);
    status.extend(stages::all(facts, &report, &rates));
    status.insert(
        "lag_seconds".into(),
        rounded(facts.subject.metrics.lag_seconds.get()),
    );
    status.insert("latency".into(), latency(&rates));
    status.insert("headroom".into(), headroom(facts));
    let problems = kept.problems.all().map(|one| problem(facts, one));
    status.insert("problems".into(), problems.collect());
    if is_whole {
        status.insert("settings".into(), settings(&facts.config.settings));
        status.insert("history".into(), history(&kept.history));
    }
    status.into()
}

fn head(facts: &Facts, report: &Report, now: SystemTime) -> Map<String, Value> {
    let uptime = now.duration_since(facts.record.began).unwrap_or_default();
    let obstacles = report.obstacles.iter().map(|obstacle| {
        json!({
            "cause": obstacle.cause.to_string(),
            "reason": obstacle.reason,
            "hint": hint(facts, obstacle.cause),
            "for_seconds": obstacle.since.elapsed().as_secs(),
        })
    });
    let head = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pipeline": facts.subject.pipeline,
        "now": time(now),
        "started_at": time(facts.record.began),
        "uptime_seconds": uptime.as_secs(),
        "state": state(facts, report),
        "role": report.role.to_string(),
        "ready": report.ready,
        "notice": report.notice,
        "standbys": report.standbys,
        "obstacles": obstacles.collect::<Vec<_>>(),
    });
    match head {
        Value::Object(head) => head,
        _ => Map::new(),
    }
}

/// All in one word.
fn state(facts: &Facts, report: &Report) -> &'static str {
    match report.role {
        Role::Starting => "starting",
        Role::Draining => "draining",
        Role::Leader | Role::Standby if !report.obstacles.is_empty() => "hindered",
        Role::Standby => "standby",
        Role::Leader if report.behind_seconds.is_some() => "catching_up",
        Role::Leader if 0 < facts.subject.metrics.snapshot_running.get() => "snapshot",
        Role::Leader => "streaming",
    }
}

fn problem(facts: &Facts, problem: &Problem) -> Value {
    json!({
        "cause": problem.cause.to_string(),
        "reason": problem.reason,
        "hint": hint(facts, problem.cause),
        "began_at": time(problem.began),
        "ended_at": problem.ended.map(time),
    })
}

fn hint(facts: &Facts, cause: Cause) -> Option<&'static str> {
    facts.config.advice.and_then(|advice| advice(cause))
}

fn settings(settings: &[Setting]) -> Value {
    let all = settings.iter().map(|setting| {
        json!({
            "name": setting.name,
            "value": setting.value,
            "source": setting.source,
            "is_default": setting.is_default,
        })
    });
    all.collect()
}

fn latency(rates: &Rates) -> Value {
    match rates.p50_seconds {
        None => Value::Null,
        Some(_) => json!({
            "p50_ms": milliseconds(rates.p50_seconds),
            "p99_ms": milliseconds(rates.p99_seconds),
        }),
    }
}

fn headroom(facts: &Facts) -> Value {
    let Some(report) = facts.subject.headroom.report() else {
        return Value::Null;
    };
    json!({
        "level": report.level.as_str(),
        "seconds": report.headroom_seconds,
        "window_seconds": report.window_seconds,
        "behind_seconds": report.behind_seconds,
        "warning_seconds": report.thresholds.warning,
        "critical_seconds": report.thresholds.critical,
    })
}

/// In columns, which take a third of the room of rows.
fn history(history: &History) -> Value {
    let column = |cell: fn(&Rates) -> Value| -> Value {
        history.samples().map(|(_, rates)| cell(rates)).collect()
    };
    let ends = history.samples().map(|(at, _)| {
        let seconds = DateTime::from_system_time(*at).timestamp_millis() / 1000;
        Value::from(seconds)
    });
    json!({
        "sample_seconds": SAMPLE_SECONDS,
        "ended_at": ends.collect::<Value>(),
        "read_per_second": column(|rates| rounded(rates.read_per_second)),
        "confirmed_per_second": column(|rates| rounded(rates.confirmed_per_second)),
        "lag_seconds": column(|rates| rounded(rates.lag_seconds)),
        "p50_ms": column(|rates| milliseconds(rates.p50_seconds)),
        "p99_ms": column(|rates| milliseconds(rates.p99_seconds)),
    })
}

fn milliseconds(seconds: Option<f64>) -> Value {
    seconds.map_or(Value::Null, |seconds| rounded(seconds * 1000.0))
}

/// By RFC 3339.
fn time(time: SystemTime) -> Option<String> {
    DateTime::from_system_time(time)
        .try_to_rfc3339_string()
        .ok()
}

/// Two places behind the point.
fn rounded(number: f64) -> Value {
    Value::from((number * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests;
