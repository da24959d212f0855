use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::health::{Cause, Health, Role};

fn value(page: &str, series: &str) -> f64 {
    let rest = page
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
        .unwrap_or_else(|| panic!("no {series} in\n{page}"));
    rest.parse().unwrap()
}

/// The parts of the lines of this kind, in their order.
fn comments<'a>(page: &'a str, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let lines = page.lines();
    lines.filter_map(move |line| line.strip_prefix(kind)?.split_once(' '))
}

#[test]
fn every_series_is_there_from_the_start_under_its_pipeline() {
    let page = Metrics::new("orders").encode();
    for (name, help) in comments(&page, "# HELP ") {
        assert!(help.ends_with('.'), "{name}: {help}");
    }
    let series = page.lines().filter(|line| !line.starts_with('#'));
    for line in series {
        assert!(line.contains("pipeline=\"orders\""), "{line}");
        let is_about_itself = line.starts_with("process_") || line.starts_with("cdc_build_info");
        let is_zero = line.ends_with(" 0") || line.ends_with(" 0.0");
        assert!(is_about_itself || is_zero, "{line}");
    }
    assert!(page.ends_with("# EOF\n"), "{page}");
}

/// The parts that are absent while they are not known come later.
#[test]
fn the_page_is_what_is_declared() {
    let metrics = Metrics::new("p");
    metrics.checkpoint_saved();
    metrics.oplog_window.set(Some(7_200.0));
    metrics.headroom.set(Some(3_600.0));
    metrics.standbys.set(Some(1.0));
    metrics.headroom_threshold.of("warning").set(Some(0.0));
    let page = metrics.encode();
    let kinds: Vec<_> = comments(&page, "# TYPE ").collect();
    let declared = ALL.iter().map(|metric| {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        (metric.name(), kind)
    });
    let declared: Vec<_> = declared.collect();
    let names = declared
        .iter()
        .map(|(name, kind)| (name.trim_end_matches("_total"), *kind));
    assert_eq!(kinds, names.collect::<Vec<_>>());
    let units = comments(&page, "# UNIT ").count();
    let have_unit = ALL.iter().filter(|metric| metric.unit.is_some()).count();
    assert_eq!(units, have_unit);
    let distinct: BTreeSet<_> = declared.iter().map(|(name, _)| name).collect();
    assert_eq!(distinct.len(), ALL.len());
}

#[test]
fn labels_have_the_values_that_the_engine_uses() {
    let values = |name: &str| {
        let metric = ALL.iter().find(|metric| metric.name() == name).unwrap();
        metric.label.unwrap().values.to_vec()
    };
    assert_eq!(
        values("cdc_messages_parked_total"),
        ParkReason::ALL.map(ParkReason::as_str)
    );
    assert_eq!(values("cdc_obstacle"), Cause::ALL.map(Cause::as_str));
    let operations = values("cdc_events_encoded_total");
    for operation in Operation::ALL {
        assert!(operations.contains(&operation.as_str()), "{operation}");
    }
    assert_eq!(operations.len(), Operation::ALL.len() + 2);
}

#[test]
fn a_clone_counts_into_the_same_series() {
    let metrics = Metrics::new("p");
    let clone = metrics.clone();
    clone.events_read.inc_by(3);
    clone.encoded(&Operation::named("startIndexBuild"));
    clone.reconnected(Server::Rabbitmq);
    clone.parked(ParkReason::Poison);
    clone.lag_seconds.set(1.5);
    let page = metrics.encode();
    for (series, expected) in [
        ("cdc_events_read_total{pipeline=\"p\"}", 3.0),
        (
            "cdc_events_encoded_total{pipeline=\"p\",operation=\"other\"}",
            1.0,
        ),
        (
            "cdc_reconnects_total{pipeline=\"p\",server=\"rabbitmq\"}",
            1.0,
        ),
        (
            "cdc_messages_parked_total{pipeline=\"p\",reason=\"poison\"}",
            1.0,
        ),
        ("cdc_lag_seconds{pipeline=\"p\"}", 1.5),
    ] {
        assert_eq!(
            value(&page, series).to_bits(),
            f64::to_bits(expected),
            "{series}"
        );
    }
}

#[test]
fn health_is_told_as_it_is_now() {
    let (metrics, health) = (Metrics::new("p"), Health::default());
    let told = |name: &str| {
        metrics.note_health(&health.report());
        value(&metrics.encode(), name) > 0.0
    };
    let (ready, blocked) = (
        "cdc_ready{pipeline=\"p\"}",
        "cdc_obstacle{pipeline=\"p\",cause=\"blocked\"}",
    );
    health.set_role(Role::Leader);
    assert!(told(ready) && !told(blocked));
    health.add_obstacle(Cause::Blocked, "memory alarm");
    assert!(!told(ready) && told(blocked));
    health.clear(Cause::Blocked);
    assert!(told(ready) && !told(blocked));
}

#[test]
fn a_latency_counts_for_the_first_bound_that_is_not_smaller() {
    let metrics = Metrics::new("p");
    let histogram = &metrics.confirm_latency;
    histogram.observe(Duration::from_micros(500), 2);
    histogram.observe(Duration::from_micros(501), 1);
    histogram.observe(Duration::from_secs(100), 1);
    let page = metrics.encode();
    let bucket = |bound: &str| {
        let series = format!("cdc_confirm_latency_seconds_bucket{{pipeline=\"p\",le=\"{bound}\"}}");
        value(&page, &series)
    };
    let counts = ["0.0005", "0.001", "30.0", "+Inf"].map(bucket);
    assert_eq!(
        counts.map(f64::to_bits),
        [2.0, 3.0, 3.0, 4.0].map(f64::to_bits)
    );
    let sum = value(&page, "cdc_confirm_latency_seconds_sum{pipeline=\"p\"}");
    assert!((sum - 100.001_501).abs() < 1e-9, "{sum}");
}

#[test]
fn the_age_of_the_checkpoint_begins_with_the_first_save_and_grows() {
    let metrics = Metrics::new("p");
    let series = "cdc_checkpoint_age_seconds{pipeline=\"p\"}";
    assert!(!metrics.encode().contains(series));
    metrics.checkpoint_saved();
    let first = value(&metrics.encode(), series);
    std::thread::sleep(Duration::from_millis(20));
    let second = value(&metrics.encode(), series);
    assert!(second >= first + 0.02, "{first} {second}");
    metrics.checkpoint_saved();
    assert!(value(&metrics.encode(), series) < second);
}

#[test]
fn what_is_not_known_is_absent() {
    let metrics = Metrics::new("p");
    let has = |name: &str| metrics.encode().contains(name);
    assert!(!has("cdc_headroom_seconds"));
    metrics.headroom.set(Some(0.0));
    assert!(has("cdc_headroom_seconds"));
    metrics.headroom.set(None);
    assert!(!has("cdc_headroom_seconds"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_is_told_of_as_the_system_knows_it() {
    let page = Metrics::new("p").encode();
    let told = |name: &str| value(&page, &format!("{name}{{pipeline=\"p\"}}"));
    assert!(told("process_cpu_seconds_total") > 0.0);
    let (resident, addresses) = (
        told("process_resident_memory_bytes"),
        told("process_virtual_memory_bytes"),
    );
    assert!(
        1e6 < resident && resident < addresses,
        "{resident} {addresses}"
    );
    let (open, most) = (told("process_open_fds"), told("process_max_fds"));
    assert!(3.0 <= open && open <= most, "{open} {most}");
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    let age = now.as_secs_f64() - told("process_start_time_seconds");
    assert!((0.0..3_600.0).contains(&age), "{age}");
}
