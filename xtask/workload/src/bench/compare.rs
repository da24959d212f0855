//! What changed since an earlier report.

use anyhow::{Result, bail};

use super::{
    bar::Outcome,
    bars, cells,
    grid::{
        Column::{Figures, Words},
        Grid,
    },
    number,
    report::{FORMAT, Group, Key, Report},
    spread::Spread,
    summary::Summary,
    tell,
};

/// Refuses what cannot be compared.
///
/// # Errors
/// If `earlier` was made with other settings.
pub(super) fn comparable(now: &Report, earlier: &Report) -> Result<()> {
    let words = |report: &Report| {
        let settings = &report.settings;
        let quick = if settings.quick { " --quick" } else { "" };
        format!("--count {} --size {}{quick}", settings.count, settings.size)
    };
    let (now, earlier) = (words(now), words(earlier));
    if now != earlier {
        bail!(
            "the earlier report was made with other settings ({earlier}) than this one ({now}), so its figures mean something else"
        );
    }
    Ok(())
}

/// Refuses a report of another form.
///
/// # Errors
/// If its number is not ours, or is missing.
pub(super) fn same_format(report: &serde_json::Value) -> Result<()> {
    match report.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format == u64::from(FORMAT) => Ok(()),
        Some(format) => bail!("it has format {format}, and this program reads format {FORMAT}"),
        None => bail!("it is not a bench report: it has no number `format`"),
    }
}

/// The change of each median, for people.
pub(super) fn changes(now: &Summary, earlier: &Summary) -> String {
    let (old, new) = (lines(earlier), lines(now));
    let pair = |(name, before): &(String, Spread)| {
        let (_, after) = new.iter().find(|(other, _)| other == name)?;
        Some(row(name, *before, *after))
    };
    let rows: Vec<_> = old.iter().filter_map(pair).collect();
    let (gone, added) = (old.len() - rows.len(), new.len() - rows.len());
    let [before, after, change] = ["earlier", "now", "change"].map(Figures);
    let head = [Words("figure"), before, after, change, Words("note")];
    let notes = notes(&now.report, &earlier.report, gone, added).into_iter();
    let notes = notes.map(|note| format!("  note: {note}\n"));
    let text = format!("\nChange since {}\n", earlier.report.date);
    text + &Grid::new(head, rows).text() + &notes.collect::<String>()
}

fn row(name: &str, before: Spread, after: Spread) -> [String; 5] {
    let change = match after.value / before.value - 1.0 {
        change if change.is_finite() => format!("{:+.1} %", 100.0 * change),
        // From 0, which is either no change or one that has no percentage.
        _ => "–".to_owned(),
    };
    let note = match (before.count.min(after.count), before.overlaps(after)) {
        (0 | 1, _) => "one sample: no proof of a change",
        (_, true) => "samples overlap: no proof of a change",
        (_, false) => "samples do not overlap",
    };
    [
        name.to_owned(),
        number::ratio(before.value),
        number::ratio(after.value),
        change,
        note.to_owned(),
    ]
}

fn notes(now: &Report, earlier: &Report, gone: usize, added: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if now.machine != earlier.machine {
        notes.push("the earlier report is from another machine: only ratios compare".to_owned());
    }
    for (name, version) in &now.versions {
        let before = earlier.versions.get(name).map_or("none", String::as_str);
        if before != version {
            notes.push(format!("{name}: {before}, now {version}"));
        }
    }
    for (count, place) in [(gone, "the earlier report"), (added, "this report")] {
        if count > 0 {
            notes.push(format!("figures that only {place} has: {count}"));
        }
    }
    notes
}

/// All figures by name: those that have a bar first.
fn lines(summary: &Summary) -> Vec<(String, Spread)> {
    let outcomes = bars::outcomes(summary).into_iter();
    let figure = |outcome: Outcome| Some((outcome.bar.name.to_owned(), outcome.figure?));
    let mut lines: Vec<_> = outcomes.filter_map(figure).collect();
    for (key, run) in &summary.runs {
        let name = |figure| format!("{}: {figure}", key_text(key));
        lines.push((name("events/s"), run.rate));
        lines.push((name("CPU µs/event"), run.cpu_us));
        lines.push((name("peak MiB"), run.peak_mib));
    }
    for ((per_second, path), found) in &summary.latencies {
        let name = format!("latency at {per_second}/s, {}", cells::path(*path));
        lines.push((format!("{name}: p50 ms"), found.p50));
        lines.push((format!("{name}: p99 ms"), found.p99));
    }
    lines
}

fn key_text(key: &Key) -> String {
    let group = match key.group {
        Group::Main => "main",
        Group::Events => "growth in events",
        Group::Bytes => "growth in bytes",
    };
    let bytes = number::bytes(key.document_bytes);
    let size = format!("{} of {bytes}", number::count(key.events));
    [group, &tell::name(key), &size].join(", ")
}

#[cfg(test)]
mod tests;
