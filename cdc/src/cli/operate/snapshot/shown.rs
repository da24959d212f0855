//! Runs as people and programs read them.

use bson::DateTime;
use cdc::{
    config::Config,
    operate::snapshot::{Look, Progress, Run},
    snapshot::requests::{Filter, Request, Wanted},
    start::rfc3339,
};
use serde_json::{Value, json};

use super::super::shown::duration;

/// Most names that are told one by one.
const NAMES_MAX: usize = 5;
const COLUMNS: usize = 7;
const HEADER: [&str; COLUMNS] = [
    "run",
    "share",
    "state",
    "documents",
    "rate",
    "left",
    "collection",
];

/// Names of collections, or how many they are.
pub(super) fn collections(names: &[String]) -> String {
    if NAMES_MAX < names.len() {
        return format!("{} collections", names.len());
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// All runs that were found.
pub(super) fn look(config: &Config, look: &Look, as_json: bool) -> String {
    let pipeline = &config.checkpoint.pipeline;
    if as_json {
        let runs: Vec<Value> = look.runs.iter().map(run_json).collect();
        return json!({ "pipeline": pipeline, "runs": runs }).to_string();
    }
    if look.runs.is_empty() {
        return format!("the pipeline `{pipeline}` has no snapshot");
    }
    table(&look.runs)
}

/// A line for each run, its cells beneath each other, and what else is to be said below it.
fn table(runs: &[Run]) -> String {
    let rows = std::iter::once(HEADER.map(str::to_owned)).chain(runs.iter().map(cells));
    let rows: Vec<[String; COLUMNS]> = rows.collect();
    // A column in which nobody has anything is left out.
    let width = |column: usize| {
        let is_empty = rows.iter().skip(1).all(|row| row[column].is_empty());
        let widths = rows.iter().map(|row| row[column].chars().count());
        (!is_empty).then(|| widths.max().unwrap_or(0))
    };
    let widths: Vec<Option<usize>> = (0..HEADER.len()).map(width).collect();
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .filter_map(|(cell, width)| width.map(|width| format!("{cell:<width$}")))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&rows[0])];
    for (row, run) in rows.iter().skip(1).zip(runs) {
        lines.push(line(row));
        lines.extend(remarks(&run.request));
    }
    lines.join("\n")
}

fn cells(run: &Run) -> [String; COLUMNS] {
    let Run {
        share,
        request,
        progress,
    } = run;
    let progress = progress.as_ref();
    [
        request.run.clone(),
        share.map_or_else(String::new, |share| share.to_string()),
        state(request),
        documents(request, progress),
        progress.map_or_else(String::new, rate),
        progress.and_then(left).unwrap_or_default(),
        progress.map_or_else(String::new, place),
    ]
}

/// How it is, and what shall become of it where that is not so yet.
pub(super) fn state(request: &Request) -> String {
    let state = request.state.name();
    match request.wanted {
        _ if request.state.is_ended() => state.to_owned(),
        Wanted::Cancel => format!("{state}, to be cancelled"),
        Wanted::Pause if state != "paused" => format!("{state}, to be paused"),
        Wanted::Run if state == "paused" => format!("{state}, to go on"),
        _ => state.to_owned(),
    }
}

/// How many documents, of how many.
pub(super) fn documents(request: &Request, progress: Option<&Progress>) -> String {
    let count = request.documents;
    match progress.and_then(|progress| Some((progress, percents(progress)?))) {
        Some((progress, share)) => format!("{count} of {} ({share})", progress.total),
        None => count.to_string(),
    }
}

/// Whole percents; not the hundredth before the end.
fn percents(progress: &Progress) -> Option<String> {
    let share = progress.share()?;
    Some(format!("{:.0} %", (share * 100.0).floor().min(99.0)))
}

pub(super) fn rate(progress: &Progress) -> String {
    format!("{}/s", progress.rate())
}

/// How long it takes yet.
pub(super) fn left(progress: &Progress) -> Option<String> {
    let seconds = progress.seconds_left()?;
    Some(duration(i64::try_from(seconds).unwrap_or(i64::MAX)))
}

/// The collection, and which of how many it is.
pub(super) fn place(progress: &Progress) -> String {
    let Some(current) = &progress.current else {
        return String::new();
    };
    let all = progress.done + progress.left;
    format!("{current} ({} of {all})", progress.done + 1)
}

/// What else there is to be said.
fn remarks(request: &Request) -> Vec<String> {
    let reason = request.reason.iter().map(|reason| format!("  {reason}"));
    let skipped = request.skipped.iter();
    let skipped = skipped.map(|(name, reason)| format!("  left out: `{name}`: {reason}"));
    reason.chain(skipped).collect()
}

fn run_json(run: &Run) -> Value {
    let Run {
        share,
        request,
        progress,
    } = run;
    let time = |time: Option<DateTime>| time.map(rfc3339);
    let skipped = request.skipped.iter();
    let skipped = skipped.map(|(name, reason)| json!({ "collection": name, "reason": reason }));
    json!({
        "run": request.run,
        "share": share.map(|share| share.to_string()),
        "state": request.state.name(),
        "wanted": request.wanted.name(),
        "reason": request.reason,
        "collections": request.collections,
        "filter": request.filter.as_ref().map(Filter::text),
        "rate_max": request.rate,
        "requested_at": rfc3339(request.requested_at),
        "started_at": time(request.started_at),
        "ended_at": time(request.ended_at),
        "documents": request.documents,
        "bytes": request.bytes,
        "skipped": skipped.collect::<Vec<_>>(),
        "progress": progress.as_ref().map(progress_json),
    })
}

fn progress_json(progress: &Progress) -> Value {
    json!({
        "documents_total": progress.total,
        "share": progress.share(),
        "rate": progress.rate(),
        "seconds": progress.seconds,
        "seconds_left": progress.seconds_left(),
        "collection": progress.current,
        "collections_done": progress.done,
        "collections_left": progress.left,
    })
}

#[cfg(test)]
mod tests {
    use cdc::snapshot::requests::State;

    use super::*;

    fn request(state: State, wanted: Wanted) -> Request {
        let mut request = Request::new("r");
        (request.state, request.wanted) = (state, wanted);
        request
    }

    #[test]
    fn a_state_says_what_shall_become_of_it() {
        for (is, wanted, text) in [
            (State::Running, Wanted::Run, "running"),
            (State::Running, Wanted::Pause, "running, to be paused"),
            (State::Paused, Wanted::Pause, "paused"),
            (State::Paused, Wanted::Run, "paused, to go on"),
            (State::Waiting, Wanted::Cancel, "waiting, to be cancelled"),
            (State::Cancelled, Wanted::Cancel, "cancelled"),
        ] {
            assert_eq!(state(&request(is, wanted)), text);
        }
    }

    #[test]
    fn a_table_has_its_cells_beneath_each_other() {
        let mut failed = request(State::Failed, Wanted::Run);
        failed.documents = 12;
        failed.reason = Some("why".to_owned());
        failed.skipped = vec![("d.c".to_owned(), "it is capped".to_owned())];
        let text = table(&[failed.into(), request(State::Waiting, Wanted::Run).into()]);
        let expected = "run  state    documents\n\
                        r    failed   12\n  why\n  left out: `d.c`: it is capped\n\
                        r    waiting  0";
        assert_eq!(text, expected);
    }
}
