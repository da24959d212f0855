//! The verdict of a run: worked out, printed, and nothing left behind.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Run;
use crate::{
    chaos::{
        QueueType,
        ledger::{Copies, Ledger},
        report::{Report, Snapshots},
        say, writer,
    },
    hint::Hinted,
};

/// Violations that are shown with the engines' logs around them.
const SHOWN: usize = 3;

impl Run<'_> {
    /// Prints the verdict and leaves nothing on the servers.
    pub(super) async fn conclude(self) -> Result<()> {
        let record = &self.record;
        let ledger = record.ledger.replace(Ledger::new(0, Copies::First));
        let (tally, violations) = ledger.conclude();
        let (mut exits, mut peak_memory_kib) = (BTreeMap::new(), 0);
        for engine in &self.engines {
            let state = engine.state.borrow();
            peak_memory_kib = state.peak_memory_kib.max(peak_memory_kib);
            for (how, count) in &state.exits {
                *exits.entry(how.clone()).or_default() += count;
            }
        }
        let report = Report {
            seed: self.seed,
            seconds: record.now().as_secs_f64(),
            engines: self.engines.len(),
            tally,
            violations,
            is_exact: self.args.queue_type == QueueType::Stream,
            faults: record.faults.take(),
            recovery: record.recovery.take(),
            peak_memory: peak_memory_kib * 1024,
            exits,
            snapshots: self.snapshots(),
        };
        self.print(&report);
        self.clear().await;
        match report.tally.violations() {
            0 => Ok(()),
            count => Err(Hinted::new(
                format!("{count} violations of the contract, seed {}", self.seed),
                self.command_to_repeat(),
            )
            .into()),
        }
    }

    fn snapshots(&self) -> Option<Snapshots> {
        let copy = self.record.copy.as_ref()?.borrow();
        Some(Snapshots {
            runs: copy.runs.count(),
            completed: copy.runs.completed(),
            reads: copy.runs.reads,
            repeated: copy.runs.repeated,
            copy: self.record.audit.outcome(),
        })
    }

    fn print(&self, report: &Report) {
        for violation in report.violations.iter().take(SHOWN) {
            eprintln!(
                "\n{} at {:.2} s: {}",
                violation.flaw.name(),
                violation.at.as_secs_f64(),
                violation.what
            );
            for engine in &self.engines {
                eprintln!("  {}:", engine.log.path.display());
                eprintln!("{}", engine.log.around(violation.at));
            }
        }
        let text = if self.args.json {
            format!("{}\n", report.json())
        } else {
            report.table()
        };
        say(&text);
    }

    fn command_to_repeat(&self) -> String {
        let faults: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
        let snapshot = self.args.snapshot;
        let snapshot = snapshot.map_or(String::new(), |count| format!(" --snapshot={count}"));
        format!(
            "repeat it with `cargo xtask chaos --minutes {} --seed {} --engines {} --brokers {} --queue-type {} --partitions {} --shares {}{} --faults {}`",
            self.args.minutes,
            self.seed,
            self.args.engines,
            self.queue.uris.len(),
            self.args.queue_type.name(),
            self.args.partitions,
            self.args.shares,
            snapshot,
            faults.join(",")
        )
    }

    /// Servers that are ours are thrown away; on others nothing is left behind.
    async fn clear(&self) {
        if self.args.plan.is_some() {
            return;
        }
        let Ok(client) = writer::client(&self.args.mongo_uri).await else {
            return;
        };
        for name in [&self.names.database, &self.names.checkpoints] {
            let _ = client.database(name).drop().await;
        }
        self.queue.delete().await;
    }
}
