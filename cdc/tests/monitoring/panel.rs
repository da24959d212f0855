//! What a panel of the dashboard is, and the queries of which panels are made.

use cdc::metrics::Metric;

/// Panels side by side.
pub(crate) struct Row {
    pub(crate) title: &'static str,
    pub(crate) height: usize,
    pub(crate) panels: Vec<Panel>,
}

/// One picture.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) look: Look,
    /// Grafana's name of it.
    pub(crate) unit: &'static str,
    pub(crate) queries: Vec<Query>,
}

pub(crate) enum Look {
    Lines,
    Number,
}

/// A query, and what its lines are called.
pub(crate) struct Query {
    pub(crate) text: String,
    pub(crate) legend: String,
    metric: Metric,
}

impl Panel {
    /// What its metrics are, as the catalogue has it.
    pub(crate) fn description(&self) -> String {
        let metrics = self.queries.iter().map(|query| query.metric);
        let mut lines: Vec<_> = metrics
            .map(|metric| {
                let help: Vec<_> = metric.help().collect();
                format!("`{metric}`: {}", help.join(". "))
            })
            .collect();
        lines.dedup();
        lines.join("\n\n")
    }
}

pub(crate) fn lines(title: &'static str, unit: &'static str, queries: Vec<Query>) -> Panel {
    Panel {
        title,
        look: Look::Lines,
        unit,
        queries,
    }
}

/// One number of all that is selected.
pub(crate) fn number(title: &'static str, unit: &'static str, metric: Metric, how: &str) -> Panel {
    let queries = vec![query(metric, format!("{how}({})", selected(metric)), "")];
    Panel {
        title,
        look: Look::Number,
        unit,
        queries,
    }
}

/// That of the pipeline where it is largest; of a pipeline, that of the engine that leads.
pub(crate) fn worst(title: &'static str, unit: &'static str, metric: Metric) -> Panel {
    let text = format!("max(min by (pipeline) ({}))", selected(metric));
    Panel {
        title,
        look: Look::Number,
        unit,
        queries: vec![query(metric, text, "")],
    }
}

/// The series of each engine.
pub(crate) fn each(metric: Metric) -> Query {
    let legend = format!("{} {{{{instance}}}}", short(metric));
    query(metric, selected(metric), &legend)
}

pub(crate) fn sum(metric: Metric) -> Query {
    query(metric, format!("sum({})", selected(metric)), &short(metric))
}

/// How much a second, of all engines together.
pub(crate) fn rate(metric: Metric) -> Query {
    let text = format!("sum({})", per_second(&selected(metric)));
    query(metric, text, &short(metric))
}

pub(crate) fn rate_of_each(metric: Metric) -> Query {
    query(metric, per_second(&selected(metric)), "{{instance}}")
}

/// One line for each value of the metric's label.
pub(crate) fn by_label(metric: Metric, how: &str) -> Query {
    let label = metric.label.unwrap().name;
    let text = format!("{how} by ({label}) ({}) > 0", selected(metric));
    query(metric, text, &format!("{{{{{label}}}}}"))
}

pub(crate) fn rate_by_label(metric: Metric) -> Query {
    let label = metric.label.unwrap().name;
    let rate = per_second(&selected(metric));
    query(
        metric,
        format!("sum by ({label}) ({rate}) > 0"),
        &format!("{{{{{label}}}}}"),
    )
}

pub(crate) fn quantile(metric: Metric, share: f64) -> Query {
    let buckets = per_second(&format!("{metric}_bucket{SELECTION}"));
    let text = format!("histogram_quantile({share}, sum by (le) ({buckets}))");
    query(metric, text, &format!("p{}", share * 100.0))
}

/// The time since a moment.
pub(crate) fn since(metric: Metric) -> Query {
    query(
        metric,
        format!("time() - {}", selected(metric)),
        "{{instance}}",
    )
}

const SELECTION: &str = "{pipeline=~\"$pipeline\"}";

fn query(metric: Metric, text: String, legend: &str) -> Query {
    Query {
        text,
        legend: legend.to_owned(),
        metric,
    }
}

fn selected(metric: Metric) -> String {
    format!("{metric}{SELECTION}")
}

fn per_second(series: &str) -> String {
    format!("rate({series}[$__rate_interval])")
}

/// A metric's name without what all of them have.
fn short(metric: Metric) -> String {
    let name = metric.name();
    let name = name.trim_start_matches("cdc_").trim_end_matches("_total");
    name.replace('_', " ")
}
