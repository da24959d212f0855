//! The alerts as a file of rules.

use std::fmt::Write as _;

use crate::alert::Alert;

const HEAD: &str = "\
# Alert rules for Prometheus, made from the declarations of the metrics; CDC_TEST_REGENERATE=1 cargo test -p cdc --test
# monitoring writes them anew. docs/operating.md has a paragraph on each alert.
groups:
  - name: cdc
    rules:
";

pub(crate) fn rules(alerts: &[Alert]) -> String {
    let mut text = HEAD.to_owned();
    for alert in alerts {
        let _ = write!(
            text,
            "      - alert: {}\n        expr: {}\n        for: {}\n        labels:\n          severity: {}\n{}",
            alert.name,
            quoted(&alert.query),
            alert.after,
            alert.severity.name(),
            annotations(alert, "        annotations", alert.summary),
        );
    }
    text
}

/// The annotations, beneath a key of that indentation.
pub(crate) fn annotations(alert: &Alert, key: &str, summary: &str) -> String {
    let indent = " ".repeat(key.len() - key.trim_start().len() + 2);
    format!(
        "{key}:\n{indent}summary: {}\n{indent}runbook: {}\n",
        quoted(summary),
        quoted(&alert.runbook())
    )
}

/// A text as YAML.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
