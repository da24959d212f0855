//! The block of a page: what a report came to, as Markdown.

use super::{
    bars,
    caption::Caption,
    cells::{FLOORS, PYTHON},
    grid::{Grid, plain},
    plot,
    report::{Report, Subject},
    sections,
    summary::Summary,
};

/// What the figures of all tables are.
const MEDIANS: &str =
    "Each figure is the median of its samples, with the smallest and the largest in brackets.\n";

/// The block for `report`; links to its plots begin with `plots`.
pub(super) fn page(report: &Report, plots: &str) -> String {
    let summary = Summary::of(report);
    let sentences = Caption::of(report).sentences();
    let head = sentences.iter().map(|sentence| plain(sentence) + "\n");
    let parts = parts(report, &summary);
    let body = parts.iter().map(|part| part.text(plots));
    head.chain([MEDIANS.to_owned()]).chain(body).collect()
}

/// A table with the plots that belong to it.
struct Part {
    title: &'static str,
    grid: Grid,
    plots: &'static [&'static str],
}

impl Part {
    fn text(&self, base: &str) -> String {
        let table = if self.grid.is_empty() {
            "Not measured.\n".to_owned()
        } else {
            self.grid.markdown()
        };
        let mut paragraphs = vec![format!("\n**{}**\n", self.title), table];
        let plots = self.plots.iter();
        paragraphs.extend(plots.map(|file| format!("![{}]({base}{file})\n", plot::title(file))));
        paragraphs.join("\n")
    }
}

fn parts(report: &Report, summary: &Summary) -> [Part; 8] {
    let part = |title, grid, plots| Part { title, grid, plots };
    let mut subjects = FLOORS.to_vec();
    subjects.push(Subject::Engine);
    subjects.extend(PYTHON);
    let outcomes = bars::outcomes(report, summary);
    [
        part(
            "Floors, engine, and what a user would take instead",
            sections::main(summary, &subjects),
            &[plot::RATES, plot::CPU],
        ),
        part("Both floors together", sections::bounds(summary), &[]),
        part("Latency", sections::latency(summary), &[plot::LATENCY]),
        part(
            "Growth in events",
            sections::events(summary),
            &[plot::EVENTS],
        ),
        part("Growth in bytes", sections::bytes(summary), &[plot::BYTES]),
        part(
            "Start, idle and binary",
            sections::besides(report, summary),
            &[],
        ),
        part("Extended JSON writer", sections::writer(report), &[]),
        part("Bars", sections::bars(&outcomes), &[]),
    ]
}
