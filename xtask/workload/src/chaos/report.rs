//! What a run came to: a table for people, one JSON object for programs.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use serde_json::{Value, json};

use super::{
    copy::Outcome,
    fault::Kind,
    ledger::{Flaw, Tally, Violation},
    recovery::{Measure, Recovery, percentile},
};

/// Everything that a run came to.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) seconds: f64,
    pub(super) engines: usize,
    pub(super) tally: Tally,
    pub(super) violations: Vec<Violation>,
    /// Whether each change had to arrive once.
    pub(super) is_exact: bool,
    pub(super) faults: BTreeMap<Kind, usize>,
    pub(super) recovery: Recovery,
    pub(super) peak_memory: u64,
    pub(super) exits: BTreeMap<String, usize>,
    /// Only where the engines made snapshots.
    pub(super) snapshots: Option<Snapshots>,
}

/// What came of the snapshots, and of the copy that the messages made.
#[derive(Debug)]
pub(super) struct Snapshots {
    pub(super) runs: usize,
    pub(super) completed: usize,
    pub(super) reads: usize,
    pub(super) repeated: usize,
    pub(super) copy: Outcome,
}

impl Report {
    /// For programs.
    pub(super) fn json(&self) -> Value {
        let tally = &self.tally;
        let faults = self.faults.iter();
        let faults: BTreeMap<_, _> = faults.map(|(kind, count)| (kind.name(), *count)).collect();
        let violations: Vec<_> = self.violations.iter().map(violation).collect();
        let mut report = json!({
            "seed": self.seed,
            "seconds": self.seconds,
            "engines": self.engines,
            "written": tally.written,
            "unknown": tally.unknown,
            "delivered": tally.delivered,
            "replayed": tally.replayed,
            "faults_total": self.faults.values().sum::<usize>(),
            "faults": faults,
            "recovery_ms": self.times(Measure::Recovery),
            "takeover_ms": self.times(Measure::Takeover),
            "recovery_by_fault_ms": self.slowest(),
            "peak_memory_bytes": self.peak_memory,
            "engine_exits": self.exits,
            "violations": violations,
        });
        if let Some(snapshots) = &self.snapshots {
            report["snapshots"] = snapshots.json();
        }
        for flaw in self.flaws() {
            report[flaw.name()] = tally.of(flaw).into();
        }
        report
    }

    /// What was looked for.
    fn flaws(&self) -> impl Iterator<Item = Flaw> {
        let is_judged = |flaw: &Flaw| self.is_exact || *flaw != Flaw::Duplicates;
        Flaw::ALL.into_iter().filter(is_judged)
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let tally = &self.tally;
        let row = |name: &str, value: String| (name.to_owned(), value);
        let written = format!("{} ({} unknown)", tally.written, tally.unknown);
        let delivered = format!("{} ({} replayed)", tally.delivered, tally.replayed);
        let mut rows = vec![row("written", written), row("delivered", delivered)];
        rows.extend(self.flaws().map(|flaw| {
            let name = flaw.name().replace('_', " ");
            (name, tally.of(flaw).to_string())
        }));
        if let Some(snapshots) = &self.snapshots {
            rows.extend(snapshots.rows());
        }
        rows.push(row(
            "faults",
            self.faults.values().sum::<usize>().to_string(),
        ));
        rows.extend(self.fault_rows());
        rows.push(row("recovery", self.times_text(Measure::Recovery)));
        rows.push(row("takeover", self.times_text(Measure::Takeover)));
        #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
        let mebibytes = self.peak_memory as f64 / f64::from(1 << 20);
        rows.push(row("peak memory", format!("{mebibytes:.1} MiB")));
        let exits = self
            .exits
            .iter()
            .map(|(how, count)| format!("{count} x {how}"));
        rows.push(row("engine exits", exits.collect::<Vec<_>>().join(", ")));
        rows.iter().fold(String::new(), |mut table, (name, value)| {
            let _ = writeln!(table, "{name:<14} {value}");
            table
        })
    }

    /// One row a kind, with the longest time that was measured after it.
    fn fault_rows(&self) -> Vec<(String, String)> {
        let slowest = self.slowest();
        let row = |(kind, count): (&Kind, &usize)| {
            let name = kind.name();
            #[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
            let longest = slowest.get(name).map_or(String::new(), |millis| {
                format!("longest {:.2} s", *millis as f64 / 1_000.0)
            });
            let row = format!("{count:>4} {name:<18} {longest}");
            (String::new(), row.trim_end().to_owned())
        };
        self.faults.iter().map(row).collect()
    }

    fn times(&self, measure: Measure) -> Value {
        let times = self.recovery.times(measure);
        let at = |percent| percentile(&times, percent).map(millis);
        json!({ "count": times.len(), "p50": at(50), "p99": at(99), "max": at(100) })
    }

    fn times_text(&self, measure: Measure) -> String {
        let times = self.recovery.times(measure);
        let at = |percent| percentile(&times, percent).map_or(0.0, |time| time.as_secs_f64());
        match times.len() {
            0 => "not measured".to_owned(),
            count => format!(
                "p50 {:.2} s, p99 {:.2} s, max {:.2} s (of {count})",
                at(50),
                at(99),
                at(100)
            ),
        }
    }

    /// The longest time of each kind of fault.
    fn slowest(&self) -> BTreeMap<&'static str, u64> {
        let mut slowest = BTreeMap::new();
        for sample in self.recovery.samples() {
            let entry = slowest.entry(sample.kind.name()).or_default();
            *entry = millis(sample.took).max(*entry);
        }
        slowest
    }
}

impl Snapshots {
    fn json(&self) -> Value {
        json!({
            "runs": self.runs,
            "completed": self.completed,
            "reads": self.reads,
            "repeated": self.repeated,
            "marks_checked": self.copy.checked,
            "ends_checked": self.copy.ends,
            "marks_left_out": self.copy.left_out,
            "marks_unanswered": self.copy.unanswered,
            "copy_is_exact": self.copy.exact.is_some(),
            "documents": self.copy.exact,
        })
    }

    fn rows(&self) -> Vec<(String, String)> {
        let Outcome {
            checked,
            ends,
            left_out,
            unanswered,
            exact,
        } = self.copy;
        let runs = format!("{} of {} read to the end", self.completed, self.runs);
        let reads = format!("{} ({} repeated)", self.reads, self.repeated);
        let marks = format!(
            "{checked} compared ({ends} ends), {left_out} left out, {unanswered} unanswered"
        );
        let copy = exact.map_or("not exact".to_owned(), |documents| {
            format!("exact, {documents} documents")
        });
        let rows = [
            ("snapshots", runs),
            ("reads", reads),
            ("marks", marks),
            ("copy", copy),
        ];
        rows.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

fn violation(violation: &Violation) -> Value {
    json!({
        "flaw": violation.flaw.name(),
        "at_ms": millis(violation.at),
        "what": violation.what,
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
