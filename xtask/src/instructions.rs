//! `cargo xtask bench --instructions`: how many instructions the writer and the window take, counted under callgrind, a
//! tool of valgrind.
//!
//! A count is the same on a busy machine, so it shows a regression that a time would hide. Each case is run twice, the
//! second time with twice as many passes: the difference is what the passes took, without the program's start.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{child, failure::Failure, progress::Progress, project::Project};

const BASELINE: &str = "xtask/bench/instructions.json";
/// How far a count may be from the baseline's.
const TOLERANCE: f64 = 0.03;
const STEP_LIMIT: Duration = Duration::from_secs(10 * 60);
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);

/// What the bench program can run, how often it does, and how many documents or messages one pass has.
const CASES: [(&str, u32, u32); 5] = [
    ("writer/300", 500, 1),
    ("writer/3000", 100, 1),
    ("writer/300000", 4, 1),
    ("window/in_order", 5, 2048),
    ("window/shuffled", 5, 2048),
];

/// Instructions for one document or message of each case.
type Counts = BTreeMap<String, f64>;

/// Counts, and compares with the baseline or, with `accept`, makes what was counted the baseline.
pub(crate) fn run(project: &Project, accept: bool) -> Result<ExitCode> {
    let program = program(project)?;
    let compiler = compiler(project)?;
    let mut counts = Counts::new();
    let progress = Progress::new();
    for (name, passes, units) in CASES {
        let _line = progress.busy("counting", name);
        let [once, twice] =
            [passes, 2 * passes].map(|passes| count(project, &program, name, passes));
        let each = (twice? - once?) / f64::from(passes * units);
        // Tenths are enough, and keep the file free of noise.
        counts.insert(name.to_owned(), (each * 10.0).round() / 10.0);
    }
    println!("instructions for one document or message, {compiler}");
    let path = project.root.join(BASELINE);
    if accept {
        print(&counts, &Counts::new());
        let text = format!(
            "{:#}\n",
            json!({ "compiler": compiler, "instructions": counts })
        );
        fs::write(&path, text).with_context(|| format!("write {BASELINE}"))?;
        println!("\nthis is the baseline now: {BASELINE}");
        return Ok(ExitCode::SUCCESS);
    }
    let text = fs::read_to_string(&path).map_err(|error| {
        Failure::new(format!("{BASELINE}: {error}"))
            .hint("`cargo xtask bench --instructions --accept` writes it")
    })?;
    let (of, baseline) = parse(&text).with_context(|| format!("{BASELINE} is damaged"))?;
    if of != compiler {
        print(&counts, &Counts::new());
        println!("\nnot compared: the baseline was counted with another compiler ({of})");
        return Ok(ExitCode::SUCCESS);
    }
    print(&counts, &baseline);
    let outside = outside(&counts, &baseline);
    if outside.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::new("a count is more than 3 % away from the baseline")
        .evidence(outside.join("\n"))
        .hint("if that is meant, run `cargo xtask bench --instructions --accept` and commit the file")
        .into())
}

/// Looks for valgrind and builds the program.
fn program(project: &Project) -> Result<PathBuf> {
    let mut version = Command::new("valgrind");
    version.arg("--version");
    if child::answer(version, &project.interrupt, STEP_LIMIT).is_none() {
        return Err(Failure::new("valgrind does not run here")
            .hint("on Debian and Ubuntu: apt-get install valgrind")
            .into());
    }
    let mut cargo = project.cargo();
    cargo
        .args(["bench", "--no-run", "-p", "cdc", "--bench", "instructions"])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit());
    let messages = child::output(cargo, &project.interrupt, BUILD_LIMIT)?;
    messages
        .lines()
        .find_map(executable)
        .context("cargo names no program")
}

/// The path of the bench program, if `message` is what cargo says of it.
fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_ours = message.pointer("/target/name")? == "instructions";
    Some(message["executable"].as_str().filter(|_| is_ours)?.into())
}

/// What the counts depend on besides the code: the compiler and what it compiles for.
fn compiler(project: &Project) -> Result<String> {
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.arg("-vV").current_dir(&project.root);
    let text = child::output(command, &project.interrupt, STEP_LIMIT)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    let version = text.lines().next().unwrap_or_default();
    Ok(format!("{version}, {}", host.unwrap_or("unknown host")))
}

/// Instructions of a whole run. Its profile stays in the target folder, for who wants to look at it.
fn count(project: &Project, program: &PathBuf, case: &str, passes: u32) -> Result<f64> {
    let folder = project.target.join("callgrind");
    let profile = folder.join(case.replace('/', "-")).with_extension("out");
    let mut option = OsString::from("--callgrind-out-file=");
    option.push(&profile);
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg(option).arg(program);
    command.args([case, &passes.to_string()]);
    let log = profile.with_extension("log");
    child::logged(command, &log, &project.interrupt, STEP_LIMIT)?;
    let text = fs::read_to_string(&profile).context("read the profile")?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse().ok());
    total.with_context(|| format!("{} has no total", profile.display()))
}

/// Compiler and counts of a baseline.
fn parse(text: &str) -> Option<(String, Counts)> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    let counts = serde_json::from_value(value["instructions"].take()).ok()?;
    Some((value["compiler"].as_str()?.to_owned(), counts))
}

fn print(counts: &Counts, baseline: &Counts) {
    for (name, count) in counts {
        println!("  {}", line(name, *count, baseline));
    }
}

/// The lines of the cases that are further from `baseline` than is allowed, or are not in it.
fn outside(counts: &Counts, baseline: &Counts) -> Vec<String> {
    let is_near = |(name, count): &(&String, &f64)| {
        baseline
            .get(*name)
            .is_some_and(|before| (*count / before - 1.0).abs() <= TOLERANCE)
    };
    let outside = counts.iter().filter(|case| !is_near(case));
    outside
        .map(|(name, count)| line(name, *count, baseline))
        .collect()
}

fn line(name: &str, count: f64, baseline: &Counts) -> String {
    let change = baseline
        .get(name)
        .map(|before| format!("  {:+.1} %", (count / before - 1.0) * 100.0));
    format!("{name:<16} {count:>12.1}{}", change.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(writer: f64, window: f64) -> Counts {
        let counts = [("writer/300", writer), ("window/in_order", window)];
        counts.map(|(name, count)| (name.to_owned(), count)).into()
    }

    #[test]
    fn the_committed_baseline_has_every_case() {
        let (_, baseline) = parse(include_str!("../bench/instructions.json")).unwrap();
        assert!(
            CASES.iter().all(|(name, ..)| baseline.contains_key(*name)),
            "{baseline:?}"
        );
        assert_eq!(parse("{}"), None);
    }

    #[test]
    fn three_percent_either_way_are_allowed() {
        let baseline = counts(1000.0, 100.0);
        assert_eq!(outside(&counts(1029.0, 98.0), &baseline), [""; 0]);
        let outside = outside(&counts(1031.0, 96.0), &baseline);
        assert_eq!(outside.len(), 2);
        assert!(outside[0].ends_with("96.0  -4.0 %"), "{outside:?}");
        assert!(outside[1].ends_with("1031.0  +3.1 %"), "{outside:?}");
    }

    #[test]
    fn a_case_without_a_baseline_is_outside() {
        assert_eq!(outside(&counts(1.0, 1.0), &Counts::new()).len(), 2);
    }

    #[test]
    fn the_program_is_found_among_cargos_messages() {
        let ours = r#"{"reason":"compiler-artifact","target":{"name":"instructions"},"executable":"/t/i-1"}"#;
        let library = r#"{"reason":"compiler-artifact","target":{"name":"cdc"},"executable":null}"#;
        assert_eq!(executable(ours), Some(PathBuf::from("/t/i-1")));
        assert_eq!(executable(library), None);
        assert_eq!(executable("warning: text"), None);
    }
}
