//! A report for people, at a terminal.

use super::{
    bars,
    caption::Caption,
    cells::{FLOORS, PYTHON},
    grid::Grid,
    report::{Report, Subject},
    sections,
    summary::Summary,
};

/// Everything in `report`.
pub(super) fn table(report: &Report, summary: &Summary) -> String {
    let sentences = Caption::of(report).sentences();
    let head = sentences.into_iter().map(|sentence| sentence + "\n");
    let parts = parts(report, summary).into_iter().map(|(title, grid)| {
        let empty = grid.is_empty().then(|| "  not measured\n".to_owned());
        format!("\n{title}\n{}", empty.unwrap_or_else(|| grid.text()))
    });
    head.chain(parts).collect()
}

fn parts(report: &Report, summary: &Summary) -> [(&'static str, Grid); 11] {
    [
        ("Floors", sections::main(summary, &FLOORS)),
        ("Floors together", sections::bounds(summary)),
        ("Engine", sections::main(summary, &[Subject::Engine])),
        (
            "What a user would take instead",
            sections::main(summary, &PYTHON),
        ),
        ("Growth in events", sections::events(summary)),
        ("Growth in bytes", sections::bytes(summary)),
        ("Latency", sections::latency(summary)),
        ("Start, idle and binary", sections::besides(report, summary)),
        ("Extended JSON writer", sections::writer(report)),
        ("Ratios of medians", sections::ratios(summary)),
        ("Bars", sections::bars(&bars::outcomes(report, summary))),
    ]
}
