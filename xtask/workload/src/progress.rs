//! Says how far a run is: a bar on a terminal, a line now and then elsewhere.

use std::{
    env,
    io::{self, IsTerminal, Write},
    time::Duration,
};

use console::Term;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

/// Time between two plain lines.
const PLAIN_INTERVAL: Duration = Duration::from_secs(1);

/// Width of a line where there is no terminal to ask.
const PLAIN_WIDTH: usize = 120;

/// Where a run tells of itself: results to stdout, progress to stderr.
#[derive(Debug)]
pub struct Progress {
    label: String,
    total: u64,
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Progress {
    /// Progress towards `total` documents.
    ///
    /// # Panics
    /// Never: the template of the bar is a constant.
    pub fn new(label: &str, total: usize) -> Self {
        let total = total as u64;
        let style = ProgressStyle::with_template(
            "{prefix} {bar:30} delivered {pos}/{len}, inserted {msg}, {elapsed}",
        );
        let bar = wants_bar().then(|| {
            ProgressBar::new(total)
                .with_style(style.expect("the template is valid"))
                .with_prefix(label.to_owned())
                .with_message("0")
        });
        Self {
            label: label.to_owned(),
            total,
            bar,
            told: Instant::now(),
        }
    }

    /// Tells how much has been inserted and delivered.
    pub fn update(&mut self, inserted: usize, delivered: usize) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(inserted.to_string());
                bar.set_position(delivered as u64);
            }
            None if PLAIN_INTERVAL <= self.told.elapsed() => {
                self.told = Instant::now();
                eprintln!(
                    "{}: inserted {inserted}/{total}, delivered {delivered}",
                    self.label,
                    total = self.total
                );
            }
            None => {}
        }
    }

    /// Prints a result line.
    pub fn say(&self, line: &str) {
        self.aside(|| {
            // A closed pipe ends what is printed and not the check.
            let _ = writeln!(io::stdout(), "{line}");
        });
    }

    /// Prints a line of a message, cut to the width of the terminal.
    pub fn show(&self, line: &str) {
        let terminal = Term::stdout();
        let width = if terminal.is_term() {
            usize::from(terminal.size().1)
        } else {
            PLAIN_WIDTH
        };
        self.say(&console::truncate_str(
            &line.replace(char::is_control, " "),
            width,
            "…",
        ));
    }

    /// Prints a remark that is no result.
    pub fn note(&self, line: &str) {
        self.aside(|| eprintln!("{line}"));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn aside(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

fn wants_bar() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !set("NO_COLOR") && !set("CI")
}
