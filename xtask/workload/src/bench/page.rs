//! A report for people: at a terminal, and as the block of a page in Markdown.

use super::{
    caption,
    grid::{Grid, plain},
    plot,
    sections::{Section, ratios, sections},
    summary::Summary,
};

/// What the figures of all tables are.
pub(super) const MEDIANS: &str =
    "Each figure is the median of its samples, with the smallest and the largest in brackets.\n";

/// Everything in `summary`, for a terminal.
pub(super) fn table(summary: &Summary) -> String {
    let head = caption::sentences(&summary.report).join("\n") + "\n";
    let part = |title: &str, grid: &Grid| {
        let empty = grid.is_empty().then(|| "  not measured\n".to_owned());
        format!("\n{title}\n{}", empty.unwrap_or_else(|| grid.text()))
    };
    let sections = sections(summary).map(|section| part(section.title, &section.grid));
    let ratios = part("Ratios of medians", &ratios(summary));
    [head, ratios].into_iter().chain(sections).collect()
}

/// The block for `summary`; links to its plots begin with `plots`.
pub(super) fn page(summary: &Summary, plots: &str) -> String {
    let sentences = caption::sentences(&summary.report);
    let head = sentences.iter().map(|sentence| plain(sentence) + "\n");
    let body = sections(summary).map(|section| block(&section, plots));
    head.chain([MEDIANS.to_owned()]).chain(body).collect()
}

fn block(section: &Section, base: &str) -> String {
    let table = if section.grid.is_empty() {
        "Not measured.\n".to_owned()
    } else {
        section.grid.markdown()
    };
    let mut paragraphs = vec![format!("\n**{}**\n", section.title), table];
    let plots = section.plots.iter();
    paragraphs.extend(plots.map(|file| format!("![{}]({base}{file})\n", plot::title(file))));
    paragraphs.join("\n")
}
