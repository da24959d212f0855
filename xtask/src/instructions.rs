//! `cargo xtask bench --instructions`: how many instructions the writer and the window take, counted under callgrind.
//!
//! A count is the same on a busy machine, so it shows a regression that a time would hide. Each case is run twice, the
//! second time with twice as many passes: the difference is what the passes took, without the program's start.

mod baseline;
mod callgrind;

use std::{
    env,
    ffi::OsString,
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context, Result};

use self::{
    baseline::{Baseline, Change},
    callgrind::Callgrind,
};
use crate::{child, failure::Failure, project::Project};

const BASELINE: &str = "xtask/bench/instructions.json";
const STEP_LIMIT: Duration = Duration::from_secs(60);

/// What the bench program can run, and how often it does; and how many documents or messages one pass has.
const CASES: [Case; 5] = [
    Case::new("writer/300", 500, 1),
    Case::new("writer/3000", 100, 1),
    Case::new("writer/300000", 4, 1),
    Case::new("window/in_order", 5, 2048),
    Case::new("window/shuffled", 5, 2048),
];

/// The count.
#[derive(Debug)]
pub(crate) struct Instructions {
    /// Make what is counted now the baseline.
    pub(crate) accept: bool,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    name: &'static str,
    passes: u32,
    units: u32,
}

impl Instructions {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        let callgrind = Callgrind::prepare(project)?;
        let mut counted = Baseline::new(compiler(project)?);
        for case in CASES {
            counted.add(case.name, case.count(&callgrind)?);
        }
        let path = project.root.join(BASELINE);
        if self.accept {
            counted.print(None);
            counted.write(&path)?;
            println!("\nthis is the baseline now: {BASELINE}");
            return Ok(ExitCode::SUCCESS);
        }
        let baseline = Baseline::read(&path)?;
        if baseline.compiler != counted.compiler {
            counted.print(None);
            println!(
                "\nnot compared: the baseline was counted with another compiler ({})",
                baseline.compiler
            );
            return Ok(ExitCode::SUCCESS);
        }
        counted.print(Some(&baseline));
        let outside: Vec<Change> = counted.outside(&baseline);
        if outside.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let lines: Vec<String> = outside.iter().map(ToString::to_string).collect();
        Err(
            Failure::new("a count is more than 3 % away from the baseline")
                .evidence(lines.join("\n"))
                .hint(
                    "if that is meant, run `cargo xtask bench --instructions --accept` and commit the file",
                )
                .into(),
        )
    }
}

impl Case {
    const fn new(name: &'static str, passes: u32, units: u32) -> Self {
        Self {
            name,
            passes,
            units,
        }
    }

    /// Instructions for one document or message.
    fn count(self, callgrind: &Callgrind<'_>) -> Result<f64> {
        let once = callgrind.run(self.name, self.passes)?;
        let twice = callgrind.run(self.name, 2 * self.passes)?;
        let difference = twice
            .checked_sub(once)
            .and_then(|difference| u32::try_from(difference).ok())
            .with_context(|| format!("{once} and {twice} instructions make no sense"))?;
        Ok(f64::from(difference) / f64::from(self.passes * self.units))
    }
}

/// What the counts depend on besides the code: the compiler and what it compiles for.
fn compiler(project: &Project) -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let mut command = Command::new(rustc);
    command.arg("-vV").current_dir(&project.root);
    let text = child::output(command, &project.interrupt, STEP_LIMIT)?;
    let mut lines = text.lines();
    let version = lines.next().unwrap_or_default();
    let host = lines.find_map(|line| line.strip_prefix("host: "));
    Ok(format!("{version}, {}", host.unwrap_or("unknown host")))
}
