//! Shows a report.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{
    bar::{Outcome, Verdict},
    bars, compare, page, publish,
    report::Report,
    summary::Summary,
};
use crate::hint::Hinted;

/// What is shown.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The report
    #[arg(long, value_name = "FILE")]
    pub report: PathBuf,
    /// Also show the change since this earlier report
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Fail if a bar is missed
    #[arg(long)]
    pub check: bool,
    /// Write the report and its plots to this folder, and the figures to its README.md; where it has none, to
    /// docs/performance.md of the current folder
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = publish::FOLDER)]
    pub publish: Option<PathBuf>,
}

/// Prints a report, and does with it what `args` asks for.
///
/// # Errors
/// If a file cannot be read or written, reports cannot be compared, or `--check` finds a bar that is missed.
pub fn run(args: &Args) -> Result<()> {
    let summary = Summary::of(&read(&args.report)?);
    say(&page::table(&summary));
    if let Some(file) = &args.compare {
        let earlier = read(file)?;
        compare::comparable(&summary.report, &earlier)
            .with_context(|| format!("compare with {}", file.display()))?;
        say(&compare::changes(&summary, &Summary::of(&earlier)));
    }
    if let Some(folder) = &args.publish {
        let page = publish::publish(&args.report, &summary, folder)?;
        say(&format!(
            "\npublished in {} and {}\n",
            folder.display(),
            page.display()
        ));
    }
    if args.check {
        check(&bars::outcomes(&summary))?;
    }
    Ok(())
}

/// Reads a report of our format.
fn read(file: &Path) -> Result<Report> {
    let context = || format!("read the report {}", file.display());
    let text = fs::read_to_string(file).with_context(context)?;
    let value: serde_json::Value = serde_json::from_str(&text).with_context(context)?;
    compare::same_format(&value).with_context(context)?;
    serde_json::from_value(value).with_context(context)
}

/// Names each bar that is missed.
fn check(outcomes: &[Outcome]) -> Result<()> {
    let missed: Vec<String> = outcomes
        .iter()
        .filter(|outcome| outcome.verdict == Verdict::Missed)
        .map(Outcome::line)
        .collect();
    if missed.is_empty() {
        return Ok(());
    }
    Err(Hinted::new(
        format!(
            "bars that are missed: {}\n  {}",
            missed.len(),
            missed.join("\n  ")
        ),
        "times of a shared machine differ from run to run: look at the samples before the code",
    )
    .into())
}

/// Prints `text`; a closed pipe is no reason to stop.
fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}
