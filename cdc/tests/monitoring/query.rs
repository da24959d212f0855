//! What a query names. Not a parser: it knows only the forms that the queries here have.

use std::collections::BTreeSet;

use cdc::metrics::{ALL, Kind, Metric};

/// Labels that every series has: the engine's own, and what Prometheus adds at a scrape.
const COMMON: [&str; 3] = ["pipeline", "instance", "job"];
/// What stands before the names of labels in parentheses.
const GROUPINGS: [&str; 5] = ["by", "on", "without", "ignoring", "group_left"];

/// Asserts that the metrics of a query are declared, and that they have its labels.
pub(crate) fn check(query: &str) {
    let found: Vec<_> = names(query).filter_map(declared).collect();
    assert!(!found.is_empty(), "no metric in {query}");
    for name in names(query).filter(|name| is_metric(name)) {
        assert!(declared(name).is_some(), "there is no {name}: {query}");
    }
    let labels = found.iter().filter_map(|metric| metric.label);
    let mut known: BTreeSet<_> = labels.map(|label| label.name).collect();
    known.extend(COMMON);
    if found
        .iter()
        .any(|metric| matches!(metric.kind, Kind::Histogram(_)))
    {
        known.insert("le");
    }
    for label in labels_of(query) {
        assert!(known.contains(label.as_str()), "no {label}: {query}");
    }
}

/// The names of the metrics of a query, a histogram's without what its series add.
pub(crate) fn metrics(query: &str) -> BTreeSet<String> {
    let found = names(query).filter_map(declared);
    found.map(|metric| metric.name()).collect()
}

fn is_metric(name: &str) -> bool {
    name.starts_with("cdc_") || name.starts_with("process_")
}

fn declared(series: &str) -> Option<Metric> {
    ALL.iter().copied().find(|metric| {
        let name = metric.name();
        let rest = series.strip_prefix(&name);
        match metric.kind {
            Kind::Histogram(_) => {
                rest.is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest))
            }
            Kind::Counter | Kind::Gauge => rest == Some(""),
        }
    })
}

/// Every word outside of quotes.
fn names(query: &str) -> impl Iterator<Item = &str> {
    let outside = query.split('"').step_by(2);
    outside.flat_map(|part| {
        part.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
    })
}

/// The labels in braces, and those of groupings.
fn labels_of(query: &str) -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    for part in query.split('{').skip(1) {
        let inside = part.split('}').next().unwrap();
        let names = inside.split('"').step_by(2);
        let names = names.map(|name| name.trim_matches(|letter: char| " ,=~!".contains(letter)));
        labels.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
    }
    for grouping in GROUPINGS {
        for part in query.split(&format!("{grouping} (")).skip(1) {
            let inside = part.split(')').next().unwrap();
            labels.extend(inside.split(", ").map(str::to_owned));
        }
    }
    labels
}

#[test]
fn names_and_labels_are_found_in_every_form() {
    let query = "sum by (pipeline, le) (rate(cdc_confirm_latency_seconds_bucket{pipeline=~\"$p\",le!=\"x{\"}[5m])) > 0";
    let found: Vec<_> = metrics(query).into_iter().collect();
    assert_eq!(found, ["cdc_confirm_latency_seconds"]);
    let labels: Vec<_> = labels_of("a{b=\"c\", d!~\"e\"} and on (f) g")
        .into_iter()
        .collect();
    assert_eq!(labels, ["b", "d", "f"]);
    check(query);
}

#[test]
#[should_panic(expected = "there is no cdc_lag")]
fn a_metric_that_does_not_exist_is_found() {
    check("cdc_lag > 0 and cdc_leader == 1");
}

#[test]
#[should_panic(expected = "no reason")]
fn a_label_that_does_not_exist_is_found() {
    check("sum by (reason) (cdc_leader)");
}
