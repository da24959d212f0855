//! The report while it grows: written anew after every figure, so that a run that is cut short leaves what it has.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::report::Report;

/// Name of the latest whole report.
const LATEST: &str = "latest.json";

/// A report and its file.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) report: Report,
    path: PathBuf,
}

impl Record {
    /// Begins a file in `folder`, named after the report's date.
    pub(super) fn begin(folder: &Path, report: Report) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let path = folder.join(format!("{}.json", file_name(&report.date)));
        let record = Self { report, path };
        record.write()?;
        Ok(record)
    }

    /// Adds something and writes all.
    pub(super) fn add(&mut self, change: impl FnOnce(&mut Report)) -> Result<()> {
        change(&mut self.report);
        self.write()
    }

    /// Makes it the latest one; returns its file.
    pub(super) fn finish(self) -> Result<PathBuf> {
        let latest = self.path.with_file_name(LATEST);
        fs::copy(&self.path, &latest).with_context(|| format!("write {}", latest.display()))?;
        Ok(self.path)
    }

    fn write(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.report).context("write the report")?;
        let part = self.path.with_extension("part");
        let write = || format!("write {}", self.path.display());
        fs::write(&part, text + "\n").with_context(write)?;
        fs::rename(&part, &self.path).with_context(write)
    }
}

/// `2026-11-24T20:52:08.123Z` becomes `2026-11-24T20-52-08Z`.
fn file_name(date: &str) -> String {
    let seconds = date.split('.').next().unwrap_or(date);
    let seconds = seconds.trim_end_matches('Z').replace(':', "-");
    format!("{seconds}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_becomes_a_name_of_a_file() {
        let name = "2026-11-24T20-52-08Z";
        assert_eq!(file_name("2026-11-24T20:52:08.123Z"), name);
        assert_eq!(file_name("2026-11-24T20:52:08Z"), name);
    }
}
