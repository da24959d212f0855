//! Events per second: floors, engine, Python programs.

use super::{
    super::{
        caption::Caption,
        cells::{self, FLOORS, PYTHON},
        number,
        ratios::QUEUES,
        report::{Group as Question, Queue, Subject},
        summary::{Figures, Summary},
    },
    class, label,
    strips::{self, Group, Strip},
};

/// The plot.
pub(super) fn plot(summary: &Summary, caption: &Caption) -> String {
    let queues = QUEUES.map(|queue| (queue, strips(summary, queue)));
    // One axis for both, so that they can be compared.
    let scale = strips::scale(queues.iter().flat_map(|(_, strips)| strips));
    let groups = queues.map(|(queue, strips)| Group {
        title: format!("{} queue", cells::queue(Some(queue))),
        strips,
        scale,
    });
    let legend = [
        ("source", "source"),
        ("sink", "sink"),
        ("both", "both floors"),
        ("engine", "engine"),
        ("python", "Python"),
        ("whisker", "smallest to largest sample"),
    ];
    let title = super::title(super::RATES);
    strips::plot(title, "events/s, median", &legend, &groups, caption)
}

fn strips(summary: &Summary, queue: Queue) -> Vec<Strip> {
    let mut strips = Vec::new();
    for subject in FLOORS {
        let queue = Some(queue).filter(|_| subject != Subject::Source);
        if let Some(run) = summary.main(subject, queue) {
            strips.push(strip(label(subject, None, run), class(subject), run));
        }
    }
    strips.extend(both(summary, queue));
    for subject in [Subject::Engine].into_iter().chain(PYTHON) {
        let runs = summary.group(Question::Main);
        for (key, run) in runs.filter(|(key, _)| key.subject == subject && key.queue == Some(queue))
        {
            let label = label(subject, key.format.as_deref(), run);
            strips.push(strip(label, class(subject), run));
        }
    }
    // The source alone is no result of a queue.
    let of_queue = strips.len() > usize::from(summary.main(Subject::Source, None).is_some());
    if of_queue { strips } else { Vec::new() }
}

fn strip(label: String, class: &str, run: &Figures) -> Strip {
    Strip {
        label,
        parts: vec![(class.to_owned(), run.rate.median)],
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
        parts: vec![("both".to_owned(), rate)],
        samples: None,
        text: number::whole(rate),
    })
}
