//! Every metric moves: for each there is a scenario on real servers that makes more than nothing of it.

mod headroom;
mod refused;
mod servers;
mod snapshots;

pub(crate) use self::{
    headroom::write_slowly,
    refused::poison,
    servers::{fail_saves, refusing_saves},
};

use std::collections::BTreeSet;

use cdc::metrics::{ALL, Kind, Metric, catalogue::*};

use crate::support::{Engine, Scenario, eventually};

/// What moves in which scenario.
const SCENARIOS: &[(&str, &[Metric])] = &[
    (
        "delivered",
        &[
            EVENTS_READ,
            EVENTS_ENCODED,
            MESSAGES_PUBLISHED,
            BYTES_PUBLISHED,
            MESSAGES_CONFIRMED,
            CONFIRM_LATENCY,
            END_TO_END_LATENCY,
            QUEUES_DECLARED,
            CHECKPOINT_SAVES,
            CHECKPOINT_AGE,
            OPLOG_WINDOW,
            HEADROOM,
            HEADROOM_THRESHOLD,
            READY,
            LEADER,
            BUILD_INFO,
            PROCESS_CPU,
            PROCESS_RESIDENT_MEMORY,
            PROCESS_VIRTUAL_MEMORY,
            PROCESS_OPEN_FDS,
            PROCESS_MAX_FDS,
            PROCESS_START_TIME,
        ],
    ),
    ("standby", &[STANDBYS]),
    ("crashed", &[MESSAGES_REPLAYED]),
    (
        "full queue",
        &[
            MESSAGES_NACKED,
            MESSAGES_RETRIED,
            MESSAGES_IN_FLIGHT,
            BYTES_IN_FLIGHT,
            LAG,
            OBSTACLE,
        ],
    ),
    ("dropped", &[MESSAGES_RETURNED, MESSAGES_DROPPED]),
    ("parked", &[MESSAGES_PARKED]),
    ("mended", &[MESSAGES_MENDED, MESSAGES_WITH_REPLACED_FIELDS]),
    ("trimmed", &[MESSAGES_TRIMMED]),
    ("alarm", &[BLOCKED]),
    ("queue lost", &[QUEUES_LOST]),
    ("connection lost", &[RECONNECTS]),
    ("saves fail", &[CHECKPOINT_SAVE_FAILURES]),
    ("stream", &[MESSAGES_PASSED_OVER]),
    ("name taken", &[STREAM_PLACES_UNKNOWN]),
    ("history lost", &[HISTORY_SKIPS, HISTORY_SKIPPED]),
    (
        "snapshot under way",
        &[
            SNAPSHOT_RUNNING,
            SNAPSHOT_RUN_DOCUMENTS,
            SNAPSHOT_RUN_DOCUMENTS_ESTIMATED,
            SNAPSHOT_DOCUMENTS,
            SNAPSHOT_BYTES,
            SNAPSHOT_CHUNKS,
        ],
    ),
    (
        "snapshot paused",
        &[SNAPSHOT_WAITING, SNAPSHOT_CHUNKS_GIVEN_UP],
    ),
];

#[test]
fn there_is_a_scenario_for_every_metric() {
    let metrics = SCENARIOS.iter().flat_map(|(_, metrics)| *metrics);
    let moved: Vec<_> = metrics.map(ToString::to_string).collect();
    let all: BTreeSet<_> = ALL.iter().map(ToString::to_string).collect();
    let distinct: BTreeSet<_> = moved.iter().cloned().collect();
    assert_eq!(distinct, all);
    assert_eq!(moved.len(), all.len(), "a metric moves in one scenario");
}

/// The largest value of the metric's series; of a histogram, how many values it has.
fn value(page: &str, metric: Metric) -> Option<f64> {
    let count = match metric.kind {
        Kind::Histogram(_) => "_count",
        Kind::Counter | Kind::Gauge => "",
    };
    let begin = format!("{metric}{count}{{");
    let lines = page.lines().filter(|line| line.starts_with(&begin));
    let values = lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap());
    values.reduce(f64::max)
}

/// Waits until each metric of the scenario is more than nothing.
async fn moves(engine: &Engine, scenario: &str) {
    let (_, metrics) = SCENARIOS
        .iter()
        .find(|(name, _)| *name == scenario)
        .unwrap();
    for metric in *metrics {
        eventually(&format!("{metric} moves"), async || {
            let page = engine.get("/metrics").await.body;
            value(&page, *metric).is_some_and(|value| 0.0 < value)
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_delivered_is_counted_and_timed() {
    let scenario = Scenario::new("moves").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..100).await;
    scenario.take_numbers(100).await;
    moves(&engine, "delivered").await;
    let page = engine.get("/metrics").await.body;
    for metric in [CONFIRM_LATENCY, END_TO_END_LATENCY, MESSAGES_CONFIRMED] {
        let count = value(&page, metric).unwrap();
        assert!((count - 100.0).abs() < 0.5, "{metric}: {count}");
    }
    let encoded = format!(
        "cdc_events_encoded_total{{pipeline=\"{}\",operation=\"insert\"}} 100\n",
        scenario.name
    );
    assert!(page.contains(&encoded), "{page}");
    let thousand = format!(
        "{CONFIRM_LATENCY}_bucket{{pipeline=\"{}\",le=\"30.0\"}} 100\n",
        scenario.name
    );
    assert!(page.contains(&thousand), "{page}");
    let _standby = scenario.spawn();
    moves(&engine, "standby").await;
    engine.stop().await;
}

impl Scenario {
    /// Publishes the numbers up to `end` with an engine that crashes at that point.
    async fn crash_at(&mut self, point: &str, end: i32) {
        self.start().await.stop().await;
        self.insert_numbers(0..end).await;
        self.set("CDC_TEST_CRASH_AT", point);
        assert_eq!(self.spawn().finish().await.code, None, "it crashes");
        self.unset("CDC_TEST_CRASH_AT");
    }
}

#[tokio::test]
async fn what_was_published_before_a_crash_is_counted_again() {
    let mut scenario = Scenario::new("moves_crash").await;
    scenario.set("CDC_CHECKPOINT_INTERVAL_MS", "20");
    scenario.crash_at("during-save:3", 5_000).await;
    let engine = scenario.start().await;
    moves(&engine, "crashed").await;
    engine.stop().await;
}

/// A place whose stream has more than its checkpoint tells of; nothing where the broker has no streams.
async fn stream_ahead(label: &str) -> Option<Scenario> {
    let mut scenario = crate::streams::native(label).await?;
    scenario.set("CDC_CHECKPOINT_INTERVAL_MS", "60000");
    scenario.crash_at("after-confirm:50", 100).await;
    Some(scenario)
}

/// An engine that finds messages of somebody else under its name.
async fn start_beside_another(scenario: &Scenario) -> Engine {
    let name = format!("cdc.{}", scenario.name);
    crate::streams::write_as(scenario, &name, 1 << 60, 10).await;
    scenario.start().await
}

/// A stream under whose name somebody else has written, and the engine that found it so.
pub(crate) async fn place_taken(label: &str) -> Option<(Scenario, Engine)> {
    let scenario = stream_ahead(label).await?;
    let engine = start_beside_another(&scenario).await;
    Some((scenario, engine))
}

#[tokio::test]
async fn what_a_stream_has_already_is_counted() {
    let Some(scenario) = stream_ahead("moves_stream").await else {
        return;
    };
    let engine = scenario.start().await;
    moves(&engine, "stream").await;
    engine.kill().await;
    let engine = start_beside_another(&scenario).await;
    moves(&engine, "name taken").await;
    engine.stop().await;
}

#[tokio::test]
async fn lost_history_is_counted() {
    let (_server, mut scenario) = crate::resume::forgetful("moves_history").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..1).await;
    scenario.take_numbers(1).await;
    engine.stop().await;
    scenario.forget("foreign", "writes").await;
    scenario.set("CDC_ON_HISTORY_LOST", "skip");
    let engine = scenario.start().await;
    moves(&engine, "history lost").await;
    engine.stop().await;
}
