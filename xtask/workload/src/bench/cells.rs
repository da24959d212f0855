//! Names and cells of a report's tables.

use super::{
    number, ratios,
    report::{Delivery, Key, Path, Queue, Subject},
    spread::Spread,
    summary::{Figures, Summary},
};

/// What is written where there is no figure.
pub(super) const NOTHING: &str = "–";

/// Name of a subject.
pub(super) fn subject(subject: Subject) -> &'static str {
    match subject {
        Subject::Source => "source alone",
        Subject::Sink => "sink alone",
        Subject::SinkBare => "sink alone, no properties",
        Subject::Engine => "engine",
        Subject::PythonConnection => "Python, a connection per message",
        Subject::PythonConfirm => "Python, a confirm per message",
        Subject::PythonBatch => "Python, confirms in batches",
    }
}

/// Name of a queue.
pub(super) fn queue(queue: Option<Queue>) -> &'static str {
    queue.map_or(NOTHING, Queue::name)
}

/// Name of a latency's path.
pub(super) fn path(path: Path) -> &'static str {
    match path {
        Path::Engine => "engine",
        Path::Floor => "floor",
    }
}

/// What was found in the queue, so that a subject that loses messages is seen.
pub(super) fn delivery(key: &Key, found: Option<Delivery>) -> String {
    let source = key.subject == Subject::Source;
    let unknown = if source { NOTHING } else { "not checked" };
    found.map_or(unknown.to_owned(), arrived)
}

/// The same of what was looked at.
pub(super) fn arrived(found: Delivery) -> String {
    let flaws = [
        (found.missing, "MISSING"),
        (found.out_of_order, "OUT OF ORDER"),
        (found.replayed, "replayed"),
    ];
    let flaws = flaws.iter().filter(|(count, _)| *count > 0);
    let texts: Vec<_> = flaws
        .map(|(count, flaw)| format!("{} {flaw}", number::whole(number::float(*count))))
        .collect();
    if texts.is_empty() {
        "all, in order".to_owned()
    } else {
        texts.join(", ")
    }
}

/// How many times as fast the engine is, on the same queue.
pub(super) fn engine_is(summary: &Summary, key: &Key) -> String {
    let other = key.subject != Subject::Engine && key.queue.is_some();
    let figure = other.then(|| ratios::engine_to(summary, key.subject, key.queue));
    figure.flatten().map_or(NOTHING.to_owned(), |figure| {
        format!("{} x", number::short(figure.value))
    })
}

/// Memory in MiB.
pub(super) fn mebibytes(figure: Spread) -> String {
    figure.text(|value| format!("{value:.1}"))
}

/// What a subject did to its messages, if anything.
pub(super) fn flaw(run: &Figures) -> Option<&'static str> {
    let found = run.delivery?;
    match (found.missing > 0, found.out_of_order > 0) {
        (true, _) => Some("loses messages"),
        (false, true) => Some("out of order"),
        (false, false) => None,
    }
}
