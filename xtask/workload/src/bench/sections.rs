//! The tables of a report.

use super::{
    bar::Outcome,
    bars,
    cells::{self, NOTHING, delivery, engine_is, mebibytes, queue, subject},
    grid::{
        Column::{self, Figures, Words},
        Grid,
    },
    number, plot, ratios,
    report::{Group, Key, PYTHON, Path, QUEUES, Subject, Writer},
    spread::Spread,
    summary::{self, Summary},
};

/// A table with the plots that belong to it.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) grid: Grid,
    pub(super) plots: &'static [&'static str],
}

/// All of them but the ratios.
pub(super) fn sections(summary: &Summary) -> [Section; 8] {
    let section = |title, grid, plots| Section { title, grid, plots };
    let main = "Floors, engine, and what a user would take instead";
    [
        section(main, self::main(summary), &[plot::RATES, plot::CPU]),
        section("Both floors together", bounds(summary), &[]),
        section("Latency", latency(summary), &[plot::LATENCY]),
        section("Growth in events", events(summary), &[plot::EVENTS]),
        section("Growth in bytes", bytes(summary), &[plot::BYTES]),
        section("Start, idle and binary", besides(summary), &[]),
        section("Extended JSON writer", writer(summary), &[]),
        section("Bars", bars(summary), &[]),
    ]
}

/// The runs of one key, in the summary that they are from.
type Runs<'a> = (&'a Summary, &'a Key, &'a summary::Figures);
/// A column of a table of runs, and what it has for a row.
type OfRuns = (Column, fn(Runs<'_>) -> String);

const PROGRAM: OfRuns = (Words("program"), |(_, key, _)| {
    subject(key.subject).to_owned()
});
const QUEUE: OfRuns = (Words("queue"), |(_, key, _)| queue(key.queue).to_owned());
const FORMAT: OfRuns = (Words("format"), |(_, key, _)| {
    key.format.clone().unwrap_or(NOTHING.to_owned())
});
const DOCUMENT: OfRuns = (Words("document"), |(_, key, _)| {
    number::bytes(key.document_bytes)
});
const EVENTS: OfRuns = (Figures("events"), |(_, key, _)| number::count(key.events));
const RATE: OfRuns = (Figures("events/s"), |(_, _, run)| run.rate.short());
const MEGABYTES: OfRuns = (Figures("MB/s"), |(_, key, run)| {
    ratios::megabytes_per_second(key.document_bytes, run.rate).short()
});
const CPU: OfRuns = (Figures("CPU µs/event"), |(_, _, run)| run.cpu_us.short());
const PEAK: OfRuns = (Figures("peak MiB"), |(_, _, run)| mebibytes(run.peak_mib));
const CALLS: OfRuns = (Figures("calls/event"), |(_, _, run)| {
    let text = |calls: Spread| calls.text(|value| format!("{value:.3}"));
    run.calls.map_or(NOTHING.to_owned(), text)
});
const BODY: OfRuns = (Figures("bytes/event"), |(_, _, run)| {
    number::whole(run.body_bytes.value)
});
const ENGINE_IS: OfRuns = (Figures("engine is"), |(summary, key, _)| {
    engine_is(summary, key)
});
const DELIVERY: OfRuns = (Words("delivery"), |(_, key, run)| {
    delivery(key, run.delivery)
});

fn table<'a, const N: usize>(columns: [OfRuns; N], rows: impl Iterator<Item = Runs<'a>>) -> Grid {
    let head = columns.map(|(column, _)| column);
    Grid::new(head, rows.map(|row| columns.map(|(_, cell)| cell(row))))
}

/// The main comparison.
fn main(summary: &Summary) -> Grid {
    let runs = summary.group(Group::Main);
    let columns = [
        PROGRAM, QUEUE, FORMAT, RATE, CPU, PEAK, CALLS, BODY, ENGINE_IS, DELIVERY,
    ];
    table(columns, runs.map(|(key, run)| (summary, key, run)))
}

/// The engine and its sink as the number of events grows.
fn events(summary: &Summary) -> Grid {
    let runs = summary.group(Group::Events);
    let columns = [PROGRAM, QUEUE, EVENTS, RATE, CPU, PEAK, DELIVERY];
    table(columns, runs.map(|(key, run)| (summary, key, run)))
}

/// The engine as documents grow.
fn bytes(summary: &Summary) -> Grid {
    let runs = summary.engine(Group::Bytes);
    let columns = [
        DOCUMENT, QUEUE, EVENTS, RATE, MEGABYTES, CPU, PEAK, DELIVERY,
    ];
    table(columns, runs.map(|(key, run)| (summary, key, run)))
}

/// Both floors at once, or one after the other: what two processors, or one, could reach.
fn bounds(summary: &Summary) -> Grid {
    let row = |wanted| {
        let source = summary.main(Subject::Source, None)?;
        let sink = summary.main(Subject::Sink, Some(wanted))?;
        Some([
            queue(Some(wanted)).to_owned(),
            number::whole((source.time + sink.time).recip()),
            number::whole(source.time.max(sink.time).recip()),
        ])
    };
    let head = [
        Words("queue"),
        Figures("one after the other, events/s"),
        Figures("side by side, events/s"),
    ];
    Grid::new(head, QUEUES.into_iter().filter_map(row))
}

/// Latencies, and what the engine adds to the floor.
fn latency(summary: &Summary) -> Grid {
    let mut rows = Vec::new();
    for (&(per_second, path), found) in &summary.latencies {
        let rate = number::whole(f64::from(per_second));
        let name = cells::path(path).to_owned();
        let [p50, p90, p99, max] = [found.p50, found.p90, found.p99, found.max].map(Spread::short);
        rows.push([rate.clone(), name, p50, p90, p99, max]);
        if let (Path::Floor, Some((p50, p99))) = (path, ratios::latency(summary, per_second)) {
            let [p50, p99] = [p50, p99].map(|figure| figure.text(number::ratio));
            let none = || NOTHING.to_owned();
            rows.push([rate, "engine / floor".to_owned(), p50, none(), p99, none()]);
        }
    }
    let [p50, p90, p99, max] = ["p50 ms", "p90 ms", "p99 ms", "max ms"].map(Figures);
    let head = [Figures("inserts/s"), Words("path"), p50, p90, p99, max];
    Grid::new(head, rows)
}

/// What is measured besides.
fn besides(summary: &Summary) -> Grid {
    let binary = |figure: Spread| format!("{:.2}", figure.value);
    let rows = [
        (
            "start to first watch, ms",
            summary.start_ms.map(Spread::short),
        ),
        ("memory when idle, MiB", summary.idle_mib.map(mebibytes)),
        ("stripped binary, MB", summary.binary_mb.map(binary)),
    ];
    let none = || "not measured".to_owned();
    let rows = rows.map(|(name, figure)| [name.to_owned(), figure.unwrap_or_else(none)]);
    Grid::new([Words("engine"), Figures("figure")], rows)
}

/// The writer beside `serde_json`.
fn writer(summary: &Summary) -> Grid {
    let row = |writer: &Writer| {
        [
            number::bytes(writer.document_bytes),
            number::whole(writer.ours_ns),
            number::whole(writer.serde_json_ns),
            number::short(writer.serde_json_ns / writer.ours_ns),
        ]
    };
    let [ours, theirs, times] = ["writer ns", "serde_json ns", "times as fast"].map(Figures);
    let head = [Words("document"), ours, theirs, times];
    Grid::new(head, summary.report.writer.iter().map(row))
}

fn bars(summary: &Summary) -> Grid {
    let row = |outcome: Outcome| {
        [
            outcome.bar.name.to_owned(),
            outcome.bar.bound(),
            outcome.figure(),
            outcome.spread(),
            outcome.verdict().to_owned(),
            outcome.bar.scope().to_owned(),
        ]
    };
    let [bar, bound, verdict, scope] = ["bar", "must be", "verdict", "scope"].map(Words);
    let [figure, samples] = ["figure", "samples"].map(Figures);
    let head = [bar, bound, figure, samples, verdict, scope];
    Grid::new(head, bars::outcomes(summary).into_iter().map(row))
}

/// The ratios, whether or not they have a bar.
pub(super) fn ratios(summary: &Summary) -> Grid {
    let mut rows: Vec<(String, Option<Spread>)> = Vec::new();
    for wanted in QUEUES {
        let name = queue(Some(wanted));
        let parts = ratios::parts_to_engine(summary, wanted);
        rows.push((format!("(source + sink) / engine, {name}"), parts));
        let time = ratios::processor_time(summary, wanted);
        rows.push((format!("processor time, engine / sink alone, {name}"), time));
        for other in [Subject::SinkBare, Subject::Sink].into_iter().chain(PYTHON) {
            let figure = ratios::engine_to(summary, other, Some(wanted));
            rows.push((format!("engine / {}, {name}", subject(other)), figure));
        }
    }
    for wanted in [Subject::Engine, Subject::Sink] {
        let growth = ratios::growth(summary, wanted, 100_000, 1_000_000);
        let name = format!("rate at 1 M events / at 100 k, {}", subject(wanted));
        rows.push((name, growth.map(|(rate, _)| rate)));
    }
    let rows = rows.into_iter();
    let rows = rows.filter_map(|(name, figure)| Some([name, figure?.text(number::ratio)]));
    Grid::new([Words("ratio"), Figures("of medians (samples)")], rows)
}
