//! Counts of instructions, and the file that keeps those that are accepted.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::failure::Failure;

/// How far a count may be from the baseline's.
const TOLERANCE: f64 = 0.03;

/// Instructions for one document or message of each case.
#[derive(Debug, PartialEq)]
pub(super) struct Baseline {
    /// Counts of different compilers cannot be compared.
    pub(super) compiler: String,
    counts: BTreeMap<String, f64>,
}

/// A case whose count is another one than it was.
#[derive(Debug, PartialEq)]
pub(super) struct Change {
    name: String,
    /// None for a case that the baseline does not have.
    before: Option<f64>,
    now: f64,
}

impl Baseline {
    pub(super) fn new(compiler: String) -> Self {
        Self {
            compiler,
            counts: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, name: &str, count: f64) {
        // Tenths are enough, and keep the file free of noise.
        self.counts
            .insert(name.to_owned(), (count * 10.0).round() / 10.0);
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| {
            Failure::new(format!("{}: {error}", path.display()))
                .hint("`cargo xtask bench --instructions --accept` writes it")
        })?;
        Self::parse(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let counts = value.get("instructions")?.as_object()?.iter();
        Some(Self {
            compiler: value.get("compiler")?.as_str()?.to_owned(),
            counts: counts
                .map(|(name, count)| Some((name.clone(), count.as_f64()?)))
                .collect::<Option<_>>()?,
        })
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, self.text()).with_context(|| format!("write {}", path.display()))
    }

    fn text(&self) -> String {
        format!(
            "{:#}\n",
            json!({ "compiler": self.compiler, "instructions": self.counts })
        )
    }

    /// Prints a line for each case.
    pub(super) fn print(&self, baseline: Option<&Self>) {
        println!(
            "instructions for one document or message, {}",
            self.compiler
        );
        for change in self.against(baseline) {
            println!("  {change}");
        }
    }

    /// The cases that are further from `baseline` than is allowed.
    pub(super) fn outside(&self, baseline: &Self) -> Vec<Change> {
        let all = self.against(Some(baseline));
        all.filter(Change::is_outside).collect()
    }

    fn against<'a>(&'a self, baseline: Option<&'a Self>) -> impl Iterator<Item = Change> + 'a {
        self.counts.iter().map(move |(name, now)| Change {
            name: name.clone(),
            before: baseline.and_then(|baseline| baseline.counts.get(name).copied()),
            now: *now,
        })
    }
}

impl Change {
    /// How far it has moved, as a part of what it was.
    fn part(&self) -> Option<f64> {
        self.before.map(|before| self.now / before - 1.0)
    }

    fn is_outside(&self) -> bool {
        self.part().is_none_or(|part| part.abs() > TOLERANCE)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:<16} {:>12.1}", self.name, self.now)?;
        match self.part() {
            Some(part) => write!(formatter, "  {:+.1} %", part * 100.0),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(writer: f64, window: f64) -> Baseline {
        let mut counted = Baseline::new("rustc 1, here".to_owned());
        counted.add("writer/300", writer);
        counted.add("window/in_order", window);
        counted
    }

    #[test]
    fn a_file_reads_back_as_it_was_written() {
        let counted = counted(2345.67, 40.0);
        assert_eq!(Baseline::parse(&counted.text()), Some(counted));
        assert_eq!(Baseline::parse("{}"), None);
    }

    #[test]
    fn three_percent_either_way_are_allowed() {
        let baseline = counted(1000.0, 100.0);
        assert_eq!(counted(1029.0, 98.0).outside(&baseline), []);
        let outside = counted(1031.0, 96.0).outside(&baseline);
        let lines: Vec<String> = outside.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with("96.0  -4.0 %"), "{lines:?}");
        assert!(lines[1].ends_with("1031.0  +3.1 %"), "{lines:?}");
    }

    #[test]
    fn a_case_without_a_baseline_is_outside() {
        let counted = counted(1.0, 1.0);
        let empty = Baseline::new(counted.compiler.clone());
        assert_eq!(counted.outside(&empty).len(), 2);
    }
}
