//! One line of progress per service: moving on a terminal, plain lines anywhere else.

use std::{
    cell::Cell,
    env,
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);
/// How often a plain line tells that something still goes on.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// Where the lines go: standard error, so that standard output holds results only.
#[derive(Debug)]
pub(crate) struct Progress {
    bars: Option<MultiProgress>,
}

/// The line of one service.
#[derive(Debug)]
pub(crate) struct Line {
    name: String,
    started: Instant,
    /// When the last plain line was printed.
    said: Cell<Instant>,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let plain = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let moving = io::stderr().is_terminal() && !plain("NO_COLOR") && !plain("CI");
        Self {
            bars: moving.then(MultiProgress::new),
        }
    }

    /// Starts a line for `name`.
    pub(crate) fn line(&self, name: &str) -> Line {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            bar.set_style(style("{spinner:.cyan} {prefix:<12} {wide_msg}"));
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(TICK);
            bar
        });
        Line {
            name: name.to_owned(),
            started: Instant::now(),
            said: Cell::new(Instant::now()),
            bar,
        }
    }

    /// Prints a sentence that stays, above the moving lines.
    pub(crate) fn say(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }
}

impl Line {
    /// What is happening now, which changes often: as a plain line, only now and then.
    pub(crate) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None if PLAIN_INTERVAL < self.said.get().elapsed() => self.say(text),
            None => {}
        }
    }

    /// A state that has been reached and is not the last one.
    pub(crate) fn say(&self, text: &str) {
        if let Some(bar) = &self.bar {
            return bar.set_message(text.to_owned());
        }
        self.said.set(Instant::now());
        eprintln!("{:<12} {text}", self.name);
    }

    /// The last state, with the time it took to get there.
    pub(crate) fn done(&self, text: &str) {
        let text = format!("{text} ({:.1} s)", self.started.elapsed().as_secs_f64());
        match &self.bar {
            Some(bar) => {
                bar.set_style(style("{prefix:.green} {wide_msg}"));
                bar.set_prefix(format!("✓ {:<12}", self.name));
                bar.finish_with_message(text);
            }
            None => eprintln!("{:<12} {text}", self.name),
        }
    }

    /// Takes the line off the terminal: nothing happened.
    pub(crate) fn vanish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Line {
    /// A line that never was done goes away: what is printed next says why.
    fn drop(&mut self) {
        if let Some(bar) = self.bar.as_ref().filter(|bar| !bar.is_finished()) {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant")
}
