//! The main comparison as bars: events per second, and processor time per event of each program's process.

use super::{
    super::{
        cells, number,
        report::{Group as Question, Key, QUEUES, Queue, Subject},
        spread::Spread,
        summary::{Figures, Summary},
    },
    WHISKER,
    strips::{Chart, Group, Strip, scale},
};

const RATES: [(&str, &str, &str); 6] = [
    ("bar", "source", "source"),
    ("bar", "sink", "sink"),
    ("bar", "both", "both floors"),
    ("bar", "engine", "engine"),
    ("bar", "python", "Python"),
    WHISKER,
];
const CPU: [(&str, &str, &str); 3] = [
    ("bar", "both", "user mode"),
    ("bar", "both faint", "kernel"),
    WHISKER,
];

/// Events per second: floors, engine, Python programs.
pub(super) fn rates(summary: &Summary) -> String {
    let queues = QUEUES.map(|queue| (queue, of_queue(summary, queue)));
    // One axis for all, so that they can be compared.
    let scale = scale(queues.iter().flat_map(|(_, strips)| strips));
    let groups = queues.map(|(queue, strips)| Group {
        title: match queue {
            Queue::Stream => "stream".to_owned(),
            _ => format!("{} queue", cells::queue(Some(queue))),
        },
        strips,
        scale: scale.clone(),
    });
    let chart = Chart {
        file: super::RATES,
        legend: &RATES,
        axis: "events/s, median",
        number: number::whole,
        groups: groups.into(),
    };
    chart.plot(&summary.report)
}

fn of_queue(summary: &Summary, queue: Queue) -> Vec<Strip> {
    let runs = summary.group(Question::Main);
    let runs = runs.filter(|(key, _)| key.queue.is_none_or(|of| of == queue));
    let (floors, others): (Vec<_>, Vec<_>) =
        runs.partition(|(key, _)| key.subject < Subject::Engine);
    let strip = |(key, run): (&Key, &Figures)| Strip {
        label: label(key, run),
        class: class(key.subject),
        figure: run.rate,
        faint: 0.0,
    };
    let both = both(summary, queue).map(|figure| Strip {
        label: "source, then sink".to_owned(),
        class: "both",
        figure,
        faint: 0.0,
    });
    // The source alone is no result of a queue.
    if !floors
        .iter()
        .chain(&others)
        .any(|(key, _)| key.queue.is_some())
    {
        return Vec::new();
    }
    let floors = floors.into_iter().map(strip).chain(both);
    floors.chain(others.into_iter().map(strip)).collect()
}

/// What the two floors would reach one after the other.
fn both(summary: &Summary, queue: Queue) -> Option<Spread> {
    let source = summary.main(Subject::Source, None)?;
    let sink = summary.main(Subject::Sink, Some(queue))?;
    Some(Spread::alone((source.time + sink.time).recip()))
}

/// Processor time: Python has an axis of its own, or the others could not be seen.
pub(super) fn cpu(summary: &Summary) -> String {
    let group = |title: &str, takes: fn(Subject) -> bool| {
        let runs = summary.group(Question::Main);
        let runs = runs.filter(|(key, _)| takes(key.subject));
        let strips: Vec<_> = runs.map(|(key, run)| of_processor(key, run)).collect();
        Group {
            title: title.to_owned(),
            scale: scale(&strips),
            strips,
        }
    };
    let chart = Chart {
        file: super::CPU,
        legend: &CPU,
        axis: "processor time per event of the process, µs, median",
        number: number::short,
        groups: vec![
            group("Floors and engine", |subject| subject <= Subject::Engine),
            group("Python programs (another axis)", |subject| {
                Subject::Engine < subject
            }),
        ],
    };
    chart.plot(&summary.report)
}

fn of_processor(key: &Key, run: &Figures) -> Strip {
    let mut label = label(key, run);
    if key.queue.is_some() {
        label = [&label, cells::queue(key.queue)].join(", ");
    }
    Strip {
        label,
        class: class(key.subject),
        figure: run.cpu_us,
        faint: run.system_us.value.min(run.cpu_us.value),
    }
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
fn label(key: &Key, run: &Figures) -> String {
    let format = key.format.as_deref();
    let format = format.filter(|_| key.subject == Subject::Engine);
    let parts = [Some(cells::subject(key.subject)), format, cells::flaw(run)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
