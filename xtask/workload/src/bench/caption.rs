//! Where and when a report was made, and of what.

use super::{number, report::Report};

/// The words under each plot and above each table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caption {
    /// The day.
    pub(super) date: String,
    /// Processor, cores, memory, system.
    pub(super) machine: String,
    /// Programs and libraries.
    pub(super) versions: String,
    /// What was asked for.
    settings: String,
}

impl Caption {
    /// Of `report`.
    pub(super) fn of(report: &Report) -> Self {
        let machine = &report.machine;
        let gibibytes = number::float(machine.memory_mib) / 1_024.0;
        let versions = report.versions.iter();
        let versions: Vec<_> = versions
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        Self {
            date: report.date.chars().take(10).collect(),
            machine: format!(
                "{}, {} {}, {gibibytes:.1} GiB of memory, {}",
                machine.processor,
                machine.cores,
                if machine.cores == 1 { "core" } else { "cores" },
                machine.system
            ),
            versions: versions.join(", "),
            settings: settings(report),
        }
    }

    /// One sentence each.
    pub(super) fn sentences(&self) -> [String; 4] {
        [
            format!("Measured on {} (UTC).", self.date),
            format!("Machine: {}.", self.machine),
            format!("Versions: {}.", self.versions),
            self.settings.clone(),
        ]
    }
}

fn settings(report: &Report) -> String {
    let settings = &report.settings;
    let count = number::whole(number::float(settings.count));
    let samples = match settings.samples {
        1 => "measured once".to_owned(),
        samples => format!("measured {samples} times, in turns"),
    };
    let quick = if settings.quick {
        ", as a quick run, which leaves out the large ones"
    } else {
        ""
    };
    format!(
        "Main comparison: {count} documents of {}; everything was {samples}{quick}.",
        number::bytes(settings.size)
    )
}
