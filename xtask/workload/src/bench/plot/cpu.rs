//! Processor time per event of each program's process.

use super::{
    super::{
        caption::Caption,
        cells::{self, FLOORS, PYTHON},
        number,
        report::{Group as Question, Subject},
        summary::{Figures, Key, Summary},
    },
    class, label,
    strips::{self, Group, Strip},
};

/// The plot: Python has an axis of its own, or the others could not be seen.
pub(super) fn plot(summary: &Summary, caption: &Caption) -> String {
    let mut ours = FLOORS.to_vec();
    ours.push(Subject::Engine);
    let groups = [
        group(summary, "Floors and engine", &ours),
        group(summary, "Python programs (another axis)", &PYTHON),
    ];
    let legend = [
        ("both", "user mode"),
        ("both faint", "kernel"),
        ("whisker", "smallest to largest sample"),
    ];
    let title = super::title(super::CPU);
    let axis = "processor time per event of the process, µs, median";
    strips::plot(title, axis, &legend, &groups, caption)
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
    let class = class(key.subject);
    let whole = run.cpu_us.median;
    let kernel = run.system_us.median.min(whole);
    Strip {
        label,
        parts: vec![
            (class.to_owned(), whole - kernel),
            (format!("{class} faint"), kernel),
        ],
        samples: Some(run.cpu_us),
        text: number::short(whole),
    }
}
