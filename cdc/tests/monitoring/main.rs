//! The alert rules and the dashboard, made of the declarations of the metrics, so that they name what there is.
//!
//! `CDC_TEST_REGENERATE=1 cargo test -p cdc --test monitoring` writes them to `packaging/`.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod alert;
mod alerts;
mod dashboard;
mod panel;
mod panels;
mod promtool;
mod query;
mod rules;
mod units;

use std::{collections::BTreeSet, fs, path::Path};

use cdc::metrics::ALL;

use self::{alerts::alerts, panels::rows};

const RULES: &str = "packaging/prometheus/cdc-alerts.yml";
const RULES_TESTS: &str = "packaging/prometheus/cdc-alerts.test.yml";
const DASHBOARD: &str = "packaging/grafana/cdc.json";

#[test]
fn the_rules_are_what_is_declared() {
    is_made(RULES, &rules::rules(&alerts()));
}

#[test]
fn the_tests_of_the_rules_are_what_is_declared() {
    is_made(RULES_TESTS, &units::tests(&alerts()));
}

#[test]
fn the_dashboard_is_what_is_declared() {
    is_made(DASHBOARD, &dashboard::dashboard(&rows()));
}

#[test]
fn every_alert_has_its_paragraph() {
    let operating = read("docs/operating.md");
    let (_, section) = operating.split_once("\n## Alerts\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let headings = section.lines().filter_map(|line| line.strip_prefix("### "));
    let headings: Vec<_> = headings.collect();
    let alerts = alerts();
    let names: Vec<_> = alerts.iter().map(|alert| alert.name).collect();
    assert_eq!(headings, names);
}

#[test]
fn queries_name_only_metrics_and_labels_that_exist() {
    for alert in alerts() {
        query::check(&alert.query);
    }
    for panel in rows().iter().flat_map(|row| &row.panels) {
        panel
            .queries
            .iter()
            .for_each(|query| query::check(&query.text));
    }
}

#[test]
fn the_dashboard_shows_every_metric() {
    let rows = rows();
    let panels = rows.iter().flat_map(|row| &row.panels);
    let queries = panels.flat_map(|panel| &panel.queries);
    let shown: BTreeSet<_> = queries
        .flat_map(|query| query::metrics(&query.text))
        .collect();
    let missing = ALL.iter().map(ToString::to_string);
    let missing: Vec<_> = missing.filter(|name| !shown.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Asserts that a file is what the declarations make of it, or makes it so.
fn is_made(path: &str, text: &str) {
    if std::env::var_os("CDC_TEST_REGENERATE").is_some() {
        fs::write(root().join(path), text).unwrap();
    }
    assert!(
        read(path) == text,
        "{path} is not what is declared in the code; this writes it:\n\
         CDC_TEST_REGENERATE=1 cargo test -p cdc --test monitoring"
    );
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}
