//! Events per second: floors, engine, Python programs.

use super::{
    super::{
        caption::Caption,
        cells, number,
        report::{FLOORS, Group as Question, PYTHON, QUEUES, Queue, Subject},
        summary::{Figures, Summary},
    },
    class, label,
    strips::{self, Group, Strip},
    svg::Svg,
};

const LEGEND: [(&str, &str, &str); 6] = [
    ("bar", "source", "source"),
    ("bar", "sink", "sink"),
    ("bar", "both", "both floors"),
    ("bar", "engine", "engine"),
    ("bar", "python", "Python"),
    ("whisker", "", "smallest to largest sample"),
];

/// The plot.
pub(super) fn plot(summary: &Summary, caption: &Caption) -> String {
    let queues = QUEUES.map(|queue| (queue, strips(summary, queue)));
    // One axis for both, so that they can be compared.
    let scale = strips::scale(queues.iter().flat_map(|(_, strips)| strips));
    let groups = queues.map(|(queue, strips)| Group {
        title: format!("{} queue", cells::queue(Some(queue))),
        strips,
        scale: scale.clone(),
    });
    let svg = Svg::new(super::title(super::RATES), &LEGEND);
    strips::plot(svg, "events/s, median", &groups, caption)
}

fn strips(summary: &Summary, queue: Queue) -> Vec<Strip> {
    let mut strips = Vec::new();
    for subject in FLOORS {
        let queue = Some(queue).filter(|_| subject != Subject::Source);
        let run = summary.main(subject, queue);
        strips.extend(run.map(|run| strip(subject, None, run)));
    }
    strips.extend(both(summary, queue));
    for subject in [Subject::Engine].into_iter().chain(PYTHON) {
        let runs = summary.group(Question::Main);
        let runs = runs.filter(|(key, _)| key.subject == subject && key.queue == Some(queue));
        strips.extend(runs.map(|(key, run)| strip(subject, key.format.as_deref(), run)));
    }
    // The source alone is no result of a queue.
    let of_queue = strips.len() > usize::from(summary.main(Subject::Source, None).is_some());
    if of_queue { strips } else { Vec::new() }
}

fn strip(subject: Subject, format: Option<&str>, run: &Figures) -> Strip {
    Strip {
        label: label(subject, format, run),
        class: class(subject),
        length: run.rate.median,
        faint: 0.0,
        samples: Some(run.rate),
        text: number::whole(run.rate.median),
    }
}

/// What the two floors would reach one after the other.
fn both(summary: &Summary, queue: Queue) -> Option<Strip> {
    let source = summary.main(Subject::Source, None)?;
    let sink = summary.main(Subject::Sink, Some(queue))?;
    let rate = (source.time + sink.time).recip();
    Some(Strip {
        label: "source, then sink".to_owned(),
        class: "both",
        length: rate,
        faint: 0.0,
        samples: None,
        text: number::whole(rate),
    })
}
