//! The part of `docs/operating.md` that lists the metrics.

use std::fmt::Write as _;

use super::{ALL, Kind, Label, Metric};

/// A table for each group of metrics.
pub fn reference() -> String {
    let mut text = String::new();
    for group in ALL.chunk_by(|one, next| one.group == next.group) {
        let _ = write!(text, "\n### {}\n\n", group[0].group);
        text += "| metric | kind | meaning |\n|---|---|---|\n";
        for metric in group {
            text += &row(metric);
        }
    }
    text
}

fn row(metric: &Metric) -> String {
    let label = metric.label.map(by).unwrap_or_default();
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    let help: Vec<String> = metric.help().collect();
    let help = help.join(". ");
    format!("| `{}`{label} | {kind} | {help} |\n", metric.name())
}

fn by(label: Label) -> String {
    format!(" (by `{}`)", label.name)
}
