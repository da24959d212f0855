//! Plots of a report, as SVG that is readable on light and on dark pages.

mod comparison;
mod curves;
mod growth;
mod latency;
mod scale;
mod strips;
mod svg;

use super::summary::Summary;

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

/// What a shape stands for where it has a whisker.
const WHISKER: (&str, &str, &str) = ("whisker", "", "smallest to largest sample");

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
pub(super) fn plots(summary: &Summary) -> [(&'static str, String); 5] {
    [
        (RATES, comparison::rates(summary)),
        (CPU, comparison::cpu(summary)),
        (LATENCY, latency::plot(summary)),
        (EVENTS, growth::events(summary)),
        (BYTES, growth::bytes(summary)),
    ]
}

#[cfg(test)]
mod tests;
