//! Where and when a report was made, and of what.

use super::{number, report::Report};

/// The words above the tables, one sentence each.
pub(super) fn sentences(report: &Report) -> [String; 4] {
    [
        format!("Measured on {} (UTC).", day(report)),
        format!("Machine: {}.", machine(report)),
        format!("Versions: {}.", versions(report)),
        settings(report),
    ]
}

/// The small print under each plot.
pub(super) fn small_print(report: &Report) -> [String; 2] {
    let made = format!("{}; {}", day(report), machine(report));
    [made, versions(report)]
}

fn day(report: &Report) -> String {
    report.date.chars().take(10).collect()
}

fn machine(report: &Report) -> String {
    let machine = &report.machine;
    format!(
        "{}, {} {}, {:.1} GiB of memory, {}",
        machine.processor,
        machine.cores,
        if machine.cores == 1 { "core" } else { "cores" },
        number::float(machine.memory_mib) / 1_024.0,
        machine.system
    )
}

fn versions(report: &Report) -> String {
    let versions = report.versions.iter();
    let versions = versions.map(|(name, version)| format!("{name} {version}"));
    versions.collect::<Vec<_>>().join(", ")
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
