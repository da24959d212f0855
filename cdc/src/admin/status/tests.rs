//! The shape of the status, which programs rely on, and what it says of some states.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{
    super::{Config, Subject, history::Look, record::Record},
    *,
};
use crate::{
    headroom::{self, Headroom, Level, Thresholds},
    health::Health,
    metrics::Metrics,
};

fn facts() -> Facts {
    let setting = |name, value: Option<&str>| Setting {
        name,
        value: value.map(str::to_owned),
        source: "environment".to_owned(),
        is_default: false,
    };
    Facts {
        config: Config {
            settings: vec![setting("A", Some("1")), setting("B", None)],
            advice: Some(|cause| (cause == Cause::Blocked).then_some("wait")),
            ..Config::default()
        },
        subject: Subject {
            pipeline: "orders".to_owned(),
            target: "queue orders".to_owned(),
            window_events: 100,
            window_bytes: 1_000,
            metrics: Metrics::new("orders"),
            health: Health::default(),
            headroom: Headroom::default(),
        },
        record: Record::new(),
    }
}

fn low() -> headroom::Report {
    headroom::Report {
        window_seconds: 7_200,
        behind_seconds: 600,
        position: 1_795_867_207,
        headroom_seconds: Some(3_000),
        thresholds: Thresholds {
            warning: 3_600,
            critical: 1_800,
        },
        level: Level::Warning,
    }
}

/// An engine of which there is something to say everywhere.
fn busy() -> Facts {
    let facts = facts();
    let Subject {
        metrics, health, ..
    } = &facts.subject;
    health.set_role(Role::Leader);
    health.set_behind(Some(20));
    health.set_notice(Some("look".to_owned()));
    health.set_standbys(Some(vec!["b (process 1)".to_owned()]));
    health.add_obstacle(Cause::Blocked, "low on memory");
    metrics.snapshot_running.set(1);
    metrics.snapshot_waiting.of("paused").set(1);
    metrics.checkpoint_saved();
    facts.subject.headroom.set(Some(low()));
    let mut kept = facts.record.kept();
    kept.problems.note(&health.report(), SystemTime::now());
    let begin = Instant::now();
    for second in 0..=10 {
        let look = Look {
            at: begin + Duration::from_secs(second),
            read: 3 * second,
            confirmed: 2 * second,
            lag_seconds: 0.126,
            latencies: vec![(0.01, 10 * second), (f64::MAX, 0)],
        };
        kept.history.add(look, SystemTime::now());
    }
    drop(kept);
    facts
}

/// The fields by the names at the top, each with the fields in it.
fn shape(status: &Value) -> BTreeMap<&str, Vec<&str>> {
    let top = status.as_object().unwrap().iter();
    let fields = top.map(|(name, value)| {
        let value = value.get(0).unwrap_or(value);
        let inside = value.as_object().into_iter().flatten();
        (
            name.as_str(),
            inside.map(|(name, _)| name.as_str()).collect(),
        )
    });
    fields.collect()
}

#[test]
fn the_shape_is_as_it_is_written_down() {
    let status = status(&busy(), true);
    let lines = shape(&status).into_iter().map(|(name, inside)| {
        let colon = if inside.is_empty() { "" } else { ": " };
        format!("{name}{colon}{}", inside.join(" "))
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(lines, @r"
    checkpoint: age_seconds position_at save_failures saves state
    headroom: behind_seconds critical_seconds level seconds warning_seconds window_seconds
    history: confirmed_per_second ended_at lag_seconds p50_ms p99_ms read_per_second sample_seconds
    lag_seconds
    latency: p50_ms p99_ms
    notice
    now
    obstacles: cause for_seconds hint reason
    pipeline
    problems: began_at cause ended_at hint reason
    ready
    role
    settings: is_default name source value
    sink: confirmed nacked per_second published retried returned state target
    snapshot: documents documents_estimated state waits_for
    source: behind_seconds events per_second state
    standbys
    started_at
    state
    uptime_seconds
    version
    window: bytes bytes_max messages messages_max state
    ");
}

#[test]
fn every_field_is_in_the_document() {
    let document = include_str!("../../../../docs/operating.md");
    let (_, section) = document.split_once("\n## status.json\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    for (name, inside) in shape(&status(&busy(), true)) {
        let fields = [name].into_iter().chain(inside);
        let fields: Vec<_> = fields.map(|field| format!("`{field}`")).collect();
        let mut rows = section.lines();
        let is_there = rows.any(|row| fields.iter().all(|field| row.contains(field)));
        assert!(is_there, "no row has {fields:?}");
    }
}

#[test]
fn what_changes_seldom_is_left_out_of_a_brief_status() {
    let facts = busy();
    let (whole, brief) = (status(&facts, true), status(&facts, false));
    let mut whole = shape(&whole);
    whole.retain(|name, _| !["history", "settings"].contains(name));
    assert_eq!(whole, shape(&brief));
}

#[test]
fn a_hint_stands_beside_what_it_is_for_and_no_secret_is_told() {
    let status = status(&busy(), true);
    assert_eq!(status["obstacles"][0]["hint"], "wait");
    assert_eq!(status["problems"][0]["hint"], "wait");
    assert_eq!(status["sink"]["state"], "blocked");
    assert_eq!(status["headroom"]["level"], "warning");
    assert_eq!(status["checkpoint"]["position_at"], "2026-11-28T12:00:07Z");
    assert_eq!(status["settings"][1]["value"], Value::Null);
    assert_eq!(status["history"]["confirmed_per_second"][0], 2.0);
    assert_eq!(status["history"]["lag_seconds"][0], 0.13);
    assert_eq!(status["latency"]["p50_ms"], 5.0);
}

#[test]
fn the_state_is_one_word_and_each_stage_has_its_own() {
    let facts = facts();
    let health = &facts.subject.health;
    let words = || {
        let status = status(&facts, false);
        let stages = ["source", "window", "sink", "checkpoint"];
        let stages = stages.map(|stage| status[stage]["state"].as_str().unwrap().to_owned());
        let state = status["state"].as_str().unwrap().to_owned();
        (state, stages.join(" "))
    };
    let check = |state: &str, stages: &str| {
        assert_eq!(words(), (state.to_owned(), stages.to_owned()));
    };
    check("starting", "waiting waiting waiting waiting");
    health.set_role(Role::Standby);
    check("standby", "waiting waiting waiting waiting");
    health.set_role(Role::Leader);
    check("streaming", "reading empty publishing saving");
    facts.subject.metrics.snapshot_running.set(1);
    check("snapshot", "reading empty publishing saving");
    health.set_behind(Some(20));
    check("catching_up", "catching_up empty publishing saving");
    facts.subject.metrics.messages_in_flight.set(100);
    health.add_obstacle(Cause::Mongodb, "away");
    check("hindered", "away full publishing saving");
    health.clear(Cause::Mongodb);
    health.add_obstacle(Cause::Checkpoint, "no primary");
    check("hindered", "catching_up full publishing failing");
    health.set_role(Role::Draining);
    check("draining", "draining draining draining failing");
}
