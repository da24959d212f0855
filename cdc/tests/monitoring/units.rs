//! The tests of the rules, for `promtool test rules`: what makes each alert fire, and what does not.

use std::fmt::Write as _;

use crate::{
    alert::{Alert, Case, Series},
    rules::{annotations, quoted},
};

const HEAD: &str = "\
# Tests of the alert rules: promtool test rules cdc-alerts.test.yml
# Made from the declarations of the metrics, as the rules are.
rule_files:
  - cdc-alerts.yml
evaluation_interval: 1m
tests:
";

pub(crate) fn tests(alerts: &[Alert]) -> String {
    let mut text = HEAD.to_owned();
    for alert in alerts {
        case(&mut text, alert, &alert.fires, true);
        case(&mut text, alert, &alert.is_silent, false);
    }
    text
}

fn case(text: &mut String, alert: &Alert, case: &Case, fires: bool) {
    let what = if fires { "fires" } else { "is silent" };
    let name = format!("{} {what}", alert.name);
    let _ = write!(
        text,
        "  - name: {name}\n    interval: 1m\n    input_series:\n"
    );
    for series in &case.series {
        let values = series.values;
        let _ = write!(
            text,
            "      - series: {}\n        values: '{values}'\n",
            quoted(&written(series))
        );
    }
    let _ = write!(
        text,
        "    alert_rule_test:\n      - eval_time: {}m\n        alertname: {}\n        exp_alerts:",
        case.minute, alert.name
    );
    if !fires {
        *text += " []\n";
        return;
    }
    let labels = case.labels.iter();
    let labels = labels.flat_map(|(name, value)| {
        ["              ", name, ": ", &quoted(value), "\n"].map(str::to_owned)
    });
    let labels: String = labels.collect();
    let severity = alert.severity.name();
    let annotations = annotations(
        alert,
        "            exp_annotations",
        &alert.summary_of(case),
    );
    let _ = write!(
        text,
        "\n          - exp_labels:\n              severity: {severity}\n{labels}{annotations}"
    );
}

fn written(series: &Series) -> String {
    let labels = series.labels.iter();
    let labels: Vec<_> = labels
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    format!("{}{{{}}}", series.name, labels.join(","))
}

impl Alert {
    /// The summary of the alert that fires.
    fn summary_of(&self, case: &Case) -> String {
        let mut summary = self.summary.to_owned();
        for (name, value) in &case.labels {
            summary = summary.replace(&format!("{{{{ $labels.{name} }}}}"), value);
        }
        summary.replace("{{ $value | humanizeDuration }}", case.value)
    }
}
