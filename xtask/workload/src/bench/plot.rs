//! Plots of a report, as SVG that is readable on light and on dark pages.

mod cpu;
mod curves;
mod growth;
mod latency;
mod rates;
mod scale;
mod strips;
mod svg;

use super::{
    caption::Caption,
    cells,
    report::{Report, Subject},
    summary::{Figures, Summary},
};

/// Events per second of everyone.
pub(super) const RATES: &str = "rates.svg";
/// Processor time per event of everyone.
pub(super) const CPU: &str = "cpu.svg";
/// Distributions of latency.
pub(super) const LATENCY: &str = "latency.svg";
/// Rate and memory over the number of events.
pub(super) const EVENTS: &str = "growth-events.svg";
/// Rate and memory over the size of documents.
pub(super) const BYTES: &str = "growth-bytes.svg";

/// What the plot in `file` shows.
pub(super) fn title(file: &str) -> &'static str {
    match file {
        RATES => "Rate of floors, engine and Python programs",
        CPU => "Processor time per event",
        LATENCY => "Latency from insert to consumer, beside its floor",
        EVENTS => "The engine as the number of events grows",
        _ => "The engine as documents grow",
    }
}

/// All plots, by file.
pub(super) fn plots(report: &Report, summary: &Summary) -> [(&'static str, String); 5] {
    let caption = Caption::of(report);
    [
        (RATES, rates::plot(summary, &caption)),
        (CPU, cpu::plot(summary, &caption)),
        (LATENCY, latency::plot(report, summary, &caption)),
        (EVENTS, growth::events(summary, &caption)),
        (BYTES, growth::bytes(summary, &caption)),
    ]
}

/// The colour of a subject, as a class of the style sheet.
fn class(subject: Subject) -> &'static str {
    match subject {
        Subject::Source => "source",
        Subject::Sink | Subject::SinkBare => "sink",
        Subject::Engine => "engine",
        Subject::PythonConnection | Subject::PythonConfirm | Subject::PythonBatch => "python",
    }
}

/// Name of a subject, and whether it kept its messages.
fn label(subject: Subject, format: Option<&str>, run: &Figures) -> String {
    let format = format.filter(|_| subject == Subject::Engine);
    let parts = [Some(cells::subject(subject)), format, cells::flaw(run)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
