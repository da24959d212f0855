//! Processor time per event of each program's process.

use super::{
    super::{
        caption::Caption,
        cells, number,
        report::{FLOORS, Group as Question, PYTHON, Subject},
        summary::{Figures, Key, Summary},
    },
    class, label,
    strips::{self, Group, Strip},
    svg::Svg,
};

const AXIS: &str = "processor time per event of the process, µs, median";
const LEGEND: [(&str, &str, &str); 3] = [
    ("bar", "both", "user mode"),
    ("bar", "both faint", "kernel"),
    ("whisker", "", "smallest to largest sample"),
];

/// The plot: Python has an axis of its own, or the others could not be seen.
pub(super) fn plot(summary: &Summary, caption: &Caption) -> String {
    let ours = [&FLOORS[..], &[Subject::Engine]].concat();
    let groups = [
        group(summary, "Floors and engine", &ours),
        group(summary, "Python programs (another axis)", &PYTHON),
    ];
    let svg = Svg::new(super::title(super::CPU), &LEGEND);
    strips::plot(svg, AXIS, &groups, caption)
}

fn group(summary: &Summary, title: &str, subjects: &[Subject]) -> Group {
    let mut strips = Vec::new();
    for subject in subjects {
        let runs = summary.group(Question::Main);
        let runs = runs.filter(|(key, _)| key.subject == *subject);
        strips.extend(runs.map(|(key, run)| strip(key, run)));
    }
    Group {
        title: title.to_owned(),
        scale: strips::scale(&strips),
        strips,
    }
}

fn strip(key: &Key, run: &Figures) -> Strip {
    let mut label = label(key.subject, key.format.as_deref(), run);
    if key.queue.is_some() {
        label = [&label, cells::queue(key.queue)].join(", ");
    }
    Strip {
        label,
        class: class(key.subject),
        length: run.cpu_us.median,
        faint: run.system_us.median.min(run.cpu_us.median),
        samples: Some(run.cpu_us),
        text: number::short(run.cpu_us.median),
    }
}
