//! What an alert is.

use cdc::metrics::Metric;

/// An alert, with what makes it fire and what does not.
pub(crate) struct Alert {
    pub(crate) name: &'static str,
    pub(crate) severity: Severity,
    pub(crate) query: String,
    /// How long the query has a result before the alert fires.
    pub(crate) after: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) fires: Case,
    pub(crate) is_silent: Case,
}

/// Whom it is for.
#[derive(Clone, Copy)]
pub(crate) enum Severity {
    /// Somebody now.
    Critical,
    /// Somebody in the daytime.
    Warning,
}

/// Series, as promtool's tests write them, and the minute at which to look.
pub(crate) struct Case {
    pub(crate) series: Vec<Series>,
    pub(crate) minute: u32,
    /// Labels of the alert that fires, beside its severity.
    pub(crate) labels: Vec<(&'static str, &'static str)>,
    /// The duration that its summary names.
    pub(crate) value: &'static str,
}

/// One series, a value for each minute.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: Vec<(&'static str, &'static str)>,
    pub(crate) values: &'static str,
}

impl Severity {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
        }
    }
}

impl Alert {
    /// The place of its paragraph.
    pub(crate) fn runbook(&self) -> String {
        format!("docs/operating.md#{}", self.name.to_lowercase())
    }
}

/// What is there at that minute.
pub(crate) fn at<const N: usize>(minute: u32, series: [Series; N]) -> Case {
    Case {
        series: series.into(),
        minute,
        labels: vec![("pipeline", "orders")],
        value: "",
    }
}

impl Case {
    /// The alert tells this duration.
    pub(crate) fn telling(self, value: &'static str) -> Self {
        Self { value, ..self }
    }

    /// The alert has these labels too.
    pub(crate) fn with<const N: usize>(
        mut self,
        labels: [(&'static str, &'static str); N],
    ) -> Self {
        self.labels.extend(labels);
        self
    }

    /// The alert tells which engine it is about.
    pub(crate) fn of_an_engine(self) -> Self {
        self.with([("instance", "one:9464"), ("job", "cdc")])
    }
}

/// A series of the engine `one`.
pub(crate) fn series(metric: Metric, values: &'static str) -> Series {
    Series {
        name: metric.to_string(),
        labels: vec![
            ("pipeline", "orders"),
            ("instance", "one:9464"),
            ("job", "cdc"),
        ],
        values,
    }
}

impl Series {
    /// The series of that value of a label.
    pub(crate) fn of(mut self, label: &'static str, value: &'static str) -> Self {
        self.labels.push((label, value));
        self
    }
}
