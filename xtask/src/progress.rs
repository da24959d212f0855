//! One line of progress per service: moving on a terminal, plain lines anywhere else.

use std::{
    cell::Cell,
    env,
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);
/// When a plain line tells for the first time what goes on: nobody should wonder for a second.
const PLAIN_FIRST: Duration = Duration::from_millis(800);
/// How often it tells that it still does.
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
    said: Cell<Option<Instant>>,
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
            said: Cell::new(None),
            bar,
        }
    }

    /// Says that `name` is doing something that takes a moment and leaves no trace; the line goes with what is returned.
    pub(crate) fn busy(&self, name: &str, text: &str) -> Line {
        let line = self.line(name);
        line.say(text);
        line
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
            None if self.is_due() => self.say(text),
            None => {}
        }
    }

    /// Whether a plain line has been silent for long enough.
    fn is_due(&self) -> bool {
        match self.said.get() {
            None => PLAIN_FIRST < self.started.elapsed(),
            Some(said) => PLAIN_INTERVAL < said.elapsed(),
        }
    }

    /// A state that has been reached and is not the last one.
    pub(crate) fn say(&self, text: &str) {
        if let Some(bar) = &self.bar {
            return bar.set_message(text.to_owned());
        }
        self.said.set(Some(Instant::now()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_tells_after_a_moment_and_then_now_and_then() {
        let mut line = Line {
            name: "build".to_owned(),
            started: Instant::now(),
            said: Cell::new(None),
            bar: None,
        };
        assert!(!line.is_due());
        line.started -= Duration::from_secs(1);
        assert!(line.is_due());
        line.note("compiling");
        assert!(!line.is_due());
    }
}
