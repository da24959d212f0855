//! What each step came to, and the last line that people and CI look for.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use super::results::Counts;
use crate::failure::FAILED;

/// The steps so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    name: String,
    took: Duration,
    is_good: bool,
    counts: Option<Counts>,
}

/// Prints the heading of a step that begins.
pub(crate) fn announce(name: &str) {
    println!("--- {name}");
}

impl Report {
    /// Adds a step that is good or bad, and what it counted if it ran tests.
    pub(crate) fn add(
        &mut self,
        name: &str,
        started: Instant,
        is_good: bool,
        counts: Option<Counts>,
    ) {
        self.steps.push(Step {
            name: name.to_owned(),
            took: started.elapsed(),
            is_good,
            counts,
        });
    }

    /// Prints a line per step and the sums; says whether all is good.
    pub(crate) fn conclude(&self) -> ExitCode {
        println!("--- summary");
        self.steps
            .iter()
            .for_each(|step| println!("{}", step.line()));
        let counts = self.counts();
        println!("{} passed, {} failed", counts.passed, counts.failed);
        if self.is_good() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(FAILED)
        }
    }

    /// No step failed, and tests did run: a filter that fits nothing proves nothing.
    fn is_good(&self) -> bool {
        let counts = self.counts();
        self.steps.iter().all(|step| step.is_good) && 0 < counts.passed && counts.failed == 0
    }

    fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.steps
            .iter()
            .filter_map(|step| step.counts)
            .for_each(|counts| sum += counts);
        sum
    }
}

impl Step {
    fn line(&self) -> String {
        let verdict = if self.is_good { "ok" } else { "FAILED" };
        let seconds = self.took.as_secs_f64();
        let line = format!("{:<18} {verdict:<7} {seconds:>6.1} s", self.name);
        match self.counts {
            Some(counts) => format!(
                "{line}   {} passed, {} failed",
                counts.passed, counts.failed
            ),
            None => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(is_good: bool, passed: u64, failed: u64) -> Report {
        let mut report = Report::default();
        report.add("format", Instant::now(), is_good, None);
        let counts = Counts { passed, failed };
        report.add("unit tests", Instant::now(), true, Some(counts));
        report
    }

    #[test]
    fn all_good_needs_tests_that_ran_and_no_failure_anywhere() {
        assert!(report(true, 1, 0).is_good());
        assert!(!report(true, 0, 0).is_good());
        assert!(!report(true, 1, 1).is_good());
        assert!(!report(false, 1, 0).is_good());
    }

    #[test]
    fn suites_are_summed() {
        let mut report = report(true, 2, 0);
        let counts = Counts {
            passed: 3,
            failed: 1,
        };
        report.add("doc tests", Instant::now(), true, Some(counts));
        assert_eq!(
            report.counts(),
            Counts {
                passed: 5,
                failed: 1
            }
        );
    }
}
