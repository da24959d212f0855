//! The tables of a report.

use super::{
    bar::Outcome,
    cells::{NOTHING, PYTHON, delivery, engine_is, mebibytes_of, number_of, queue, ratio, subject},
    grid::{
        Column::{Figures, Words},
        Grid,
    },
    number,
    ratios::{self, Figure},
    report::{Group, Path, Report, Subject},
    spread::Spread,
    summary::Summary,
};

/// The runs of `subjects` in the main comparison.
pub(super) fn main(summary: &Summary, subjects: &[Subject]) -> Grid {
    let mut grid = Grid::new(&[
        Words("program"),
        Words("queue"),
        Words("format"),
        Figures("events/s"),
        Figures("CPU µs/event"),
        Figures("peak MiB"),
        Figures("calls/event"),
        Figures("bytes/event"),
        Figures("engine is"),
        Words("delivery"),
    ]);
    for &wanted in subjects {
        let runs = summary.group(Group::Main);
        for (key, run) in runs.filter(|(key, _)| key.subject == wanted) {
            grid.push([
                subject(wanted).to_owned(),
                queue(key.queue).to_owned(),
                key.format.clone().unwrap_or(NOTHING.to_owned()),
                run.rate.whole(),
                run.cpu_us.short(),
                mebibytes_of(run.peak_kib),
                number_of(run.calls),
                number::whole(run.body_bytes.median),
                engine_is(summary, key),
                delivery(key, run.delivery),
            ]);
        }
    }
    grid
}

/// Both floors at once, or one after the other: what two processors, or one, could reach.
pub(super) fn bounds(summary: &Summary) -> Grid {
    let mut grid = Grid::new(&[
        Words("queue"),
        Figures("one after the other, events/s"),
        Figures("side by side, events/s"),
    ]);
    let Some(source) = summary.main(Subject::Source, None) else {
        return grid;
    };
    for wanted in ratios::QUEUES {
        if let Some(sink) = summary.main(Subject::Sink, Some(wanted)) {
            grid.push([
                queue(Some(wanted)).to_owned(),
                number::whole((source.time + sink.time).recip()),
                number::whole(source.time.max(sink.time).recip()),
            ]);
        }
    }
    grid
}

/// The engine and its sink as the number of events grows.
pub(super) fn events(summary: &Summary) -> Grid {
    let head = [
        Words("program"),
        Words("queue"),
        Figures("events"),
        Figures("events/s"),
        Figures("CPU µs/event"),
        Figures("peak MiB"),
        Words("delivery"),
    ];
    let mut grid = Grid::new(&head);
    for (key, run) in summary.group(Group::Events) {
        grid.push([
            subject(key.subject).to_owned(),
            queue(key.queue).to_owned(),
            number::count(key.events),
            run.rate.whole(),
            run.cpu_us.short(),
            mebibytes_of(run.peak_kib),
            delivery(key, run.delivery),
        ]);
    }
    grid
}

/// The engine as documents grow.
pub(super) fn bytes(summary: &Summary) -> Grid {
    let mut grid = Grid::new(&[
        Words("document"),
        Words("queue"),
        Figures("events"),
        Figures("events/s"),
        Figures("MB/s"),
        Figures("CPU µs/event"),
        Figures("peak MiB"),
        Words("delivery"),
    ]);
    for (key, run) in summary.engine(Group::Bytes) {
        grid.push([
            number::bytes(key.document_bytes),
            queue(key.queue).to_owned(),
            number::count(key.events),
            run.rate.short(),
            ratios::megabytes_per_second(key.document_bytes, run.rate).short(),
            run.cpu_us.short(),
            mebibytes_of(run.peak_kib),
            delivery(key, run.delivery),
        ]);
    }
    grid
}

/// Latencies, and what the engine adds to the floor.
pub(super) fn latency(summary: &Summary) -> Grid {
    let mut grid = Grid::new(&[
        Figures("inserts/s"),
        Words("path"),
        Figures("p50 ms"),
        Figures("p90 ms"),
        Figures("p99 ms"),
        Figures("max ms"),
    ]);
    for (&(per_second, path), found) in &summary.latencies {
        let name = match path {
            Path::Engine => "engine",
            Path::Floor => "floor",
        };
        let cells = [found.p50, found.p90, found.p99, found.max].map(Spread::short);
        let [p50, p90, p99, max] = cells;
        let rate = number::whole(f64::from(per_second));
        grid.push([rate.clone(), name.to_owned(), p50, p90, p99, max]);
        if let (Path::Floor, Some((p50, p99))) = (path, ratios::latency(summary, per_second)) {
            let [p50, p99] = [p50, p99].map(ratio);
            let none = || NOTHING.to_owned();
            grid.push([rate, "engine / floor".to_owned(), p50, none(), p99, none()]);
        }
    }
    grid
}

/// What is measured besides.
pub(super) fn besides(report: &Report, summary: &Summary) -> Grid {
    let mut grid = Grid::new(&[Words("engine"), Figures("figure")]);
    let start = summary.start_ms.map(Spread::short);
    let rows = [
        ("start to first watch, ms", start),
        ("memory when idle, MiB", summary.idle_kib.map(mebibytes_of)),
        (
            "stripped binary, MB",
            (report.binary_bytes > 0)
                .then(|| format!("{:.2}", number::float(report.binary_bytes) / 1e6)),
        ),
    ];
    for (name, figure) in rows {
        grid.push([name.to_owned(), figure.unwrap_or("not measured".to_owned())]);
    }
    grid
}

/// The writer beside `serde_json`.
pub(super) fn writer(report: &Report) -> Grid {
    let head = [
        Words("document"),
        Figures("writer ns"),
        Figures("serde_json ns"),
        Figures("times as fast"),
    ];
    let mut grid = Grid::new(&head);
    for writer in &report.writer {
        grid.push([
            number::bytes(writer.document_bytes),
            number::whole(writer.ours_ns),
            number::whole(writer.serde_json_ns),
            number::short(writer.serde_json_ns / writer.ours_ns),
        ]);
    }
    grid
}

/// The bars.
pub(super) fn bars(outcomes: &[Outcome]) -> Grid {
    let head = [
        Words("bar"),
        Words("must be"),
        Figures("figure"),
        Figures("samples"),
        Words("verdict"),
        Words("scope"),
    ];
    let mut grid = Grid::new(&head);
    for outcome in outcomes {
        grid.push([
            outcome.bar.name.to_owned(),
            outcome.bar.bound(),
            outcome.figure(),
            outcome.spread(),
            outcome.verdict().to_owned(),
            outcome.bar.scope().to_owned(),
        ]);
    }
    grid
}

/// The ratios, whether or not they have a bar.
pub(super) fn ratios(summary: &Summary) -> Grid {
    let mut grid = Grid::new(&[Words("ratio"), Figures("of medians (samples)")]);
    let mut push = |name: String, figure: Option<Figure>| {
        if let Some(figure) = figure {
            grid.push([name, ratio(figure)]);
        }
    };
    for wanted in ratios::QUEUES {
        let name = queue(Some(wanted));
        let parts = ratios::parts_to_engine(summary, wanted);
        push(format!("(source + sink) / engine, {name}"), parts);
        push(
            format!("processor time, engine / sink alone, {name}"),
            ratios::processor_time(summary, wanted),
        );
        for other in [Subject::SinkBare, Subject::Sink].iter().chain(&PYTHON) {
            let figure = ratios::engine_to(summary, *other, Some(wanted));
            push(format!("engine / {}, {name}", subject(*other)), figure);
        }
    }
    for wanted in [Subject::Engine, Subject::Sink] {
        let growth = ratios::growth(summary, wanted, 100_000, 1_000_000);
        let name = format!("rate at 1 M events / at 100 k, {}", subject(wanted));
        push(name, growth.map(|(rate, _)| rate));
    }
    grid
}
