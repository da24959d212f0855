//! The stages of the flow, each with its state.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::{
    super::{Facts, Subject},
    Rates, rounded, time,
};
use crate::health::{Cause, Report, Role};

/// Each stage by its name, in the order of the flow.
pub(super) fn all(facts: &Facts, report: &Report, rates: &Rates) -> Map<String, Value> {
    let stages = [
        ("source", source(facts, report, rates)),
        ("window", window(facts, report)),
        ("sink", sink(facts, report, rates)),
        ("checkpoint", checkpoint(facts, report)),
        ("snapshot", snapshot(facts)),
    ];
    let stages = stages.into_iter();
    stages
        .map(|(name, stage)| (name.to_owned(), stage))
        .collect()
}

/// The first of these that is in the way, else what the engine's role makes of the stage.
fn state(report: &Report, causes: &[(Cause, &'static str)], at_work: &'static str) -> &'static str {
    let mut obstacles = report.obstacles.iter();
    let hindered = obstacles.find_map(|obstacle| {
        let mut causes = causes.iter();
        causes.find(|(cause, _)| *cause == obstacle.cause)
    });
    match (hindered, report.role) {
        (Some((_, state)), _) => state,
        (None, Role::Leader) => at_work,
        (None, Role::Draining) => "draining",
        (None, Role::Starting | Role::Standby) => "waiting",
    }
}

fn source(facts: &Facts, report: &Report, rates: &Rates) -> Value {
    let at_work = match report.behind_seconds {
        Some(_) => "catching_up",
        None => "reading",
    };
    json!({
        "state": state(report, &[(Cause::Mongodb, "away")], at_work),
        "events": facts.subject.metrics.events_read.get(),
        "per_second": rounded(rates.read_per_second),
        "behind_seconds": report.behind_seconds,
    })
}

fn window(facts: &Facts, report: &Report) -> Value {
    let Subject {
        window_events,
        window_bytes,
        metrics,
        ..
    } = &facts.subject;
    let (messages, bytes) = (
        metrics.messages_in_flight.get(),
        metrics.bytes_in_flight.get(),
    );
    let is_full = |used: i64, most: usize| i64::try_from(most).is_ok_and(|most| most <= used);
    let at_work = if is_full(messages, *window_events) || is_full(bytes, *window_bytes) {
        "full"
    } else if 0 < messages {
        "in_flight"
    } else {
        "empty"
    };
    json!({
        "state": state(report, &[(Cause::Stalled, "stalled")], at_work),
        "messages": messages,
        "messages_max": window_events,
        "bytes": bytes,
        "bytes_max": window_bytes,
    })
}

fn sink(facts: &Facts, report: &Report, rates: &Rates) -> Value {
    let causes = [
        (Cause::Rabbitmq, "away"),
        (Cause::Sink, "failing"),
        (Cause::Blocked, "blocked"),
        (Cause::Nacked, "nacked"),
        (Cause::Unroutable, "unroutable"),
    ];
    let metrics = &facts.subject.metrics;
    json!({
        "state": state(report, &causes, "publishing"),
        "target": facts.subject.target,
        "published": metrics.messages_published.get(),
        "confirmed": metrics.messages_confirmed.get(),
        "per_second": rounded(rates.confirmed_per_second),
        "nacked": metrics.messages_nacked.get(),
        "returned": metrics.messages_returned.get(),
        "retried": metrics.messages_retried.get(),
    })
}

fn checkpoint(facts: &Facts, report: &Report) -> Value {
    let metrics = &facts.subject.metrics;
    let headroom = facts.subject.headroom.report();
    let position = headroom.map(|report| Duration::from_secs(report.position.into()));
    json!({
        "state": state(report, &[(Cause::Checkpoint, "failing")], "saving"),
        "position_at": position.map(|position| time(SystemTime::UNIX_EPOCH + position)),
        "saves": metrics.checkpoint_saves.get(),
        "save_failures": metrics.checkpoint_save_failures.get(),
        "age_seconds": metrics.checkpoint_age().map(|age| rounded(age.as_secs_f64())),
    })
}

fn snapshot(facts: &Facts) -> Value {
    let metrics = &facts.subject.metrics;
    if metrics.snapshot_running.get() == 0 {
        return Value::Null;
    }
    let waits_for = metrics.snapshot_waits_for();
    json!({
        "state": if waits_for.is_some() { "waiting" } else { "reading" },
        "waits_for": waits_for,
        "documents": metrics.snapshot_run_documents.get(),
        "documents_estimated": metrics.snapshot_run_documents_estimated.get(),
    })
}
