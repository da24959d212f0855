//! An error that tells a person what happened, what was seen, and what to do.

use std::{fmt, fs, path::Path, process::ExitCode};

use console::strip_ansi_codes;

/// Exit code of a run that failed.
pub(crate) const FAILED: u8 = 1;
/// Exit code of bad configuration, as in `sysexits.h`.
pub(crate) const BAD_CONFIGURATION: u8 = 64;
/// Exit code after Ctrl-C, as shells count it.
pub(crate) const INTERRUPTED: u8 = 130;

const LOG_TAIL_LINES: usize = 12;
const LOG_LINE_CHARS: usize = 240;

/// A failure with its evidence, a hint and the exit code it leads to.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    evidence: Option<String>,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            evidence: None,
            hint: None,
            code: FAILED,
        }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    pub(crate) fn code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// Adds lines that show what went wrong, such as a compiler's output.
    pub(crate) fn evidence(self, evidence: impl Into<String>) -> Self {
        Self {
            evidence: Some(evidence.into()).filter(|evidence| !evidence.is_empty()),
            ..self
        }
    }

    /// Adds the last lines of a log, if there are any.
    pub(crate) fn log(self, log: &Path) -> Self {
        Self {
            evidence: log_tail(log),
            ..self
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Prints `error` with its evidence and hint, and returns the exit code it asks for.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    let Some(failure) = error.downcast_ref::<Failure>() else {
        return ExitCode::from(FAILED);
    };
    if let Some(evidence) = &failure.evidence {
        eprintln!("\n{evidence}");
    }
    if let Some(hint) = &failure.hint {
        eprintln!("\nhint: {hint}");
    }
    ExitCode::from(failure.code)
}

/// The last lines of the file `log`, under its name; nothing if it is empty.
pub(crate) fn log_tail(log: &Path) -> Option<String> {
    let text = fs::read(log).ok()?;
    tail_under(&log.display().to_string(), &String::from_utf8_lossy(&text))
}

/// The last lines of a log's `text`, under the log's name; nothing if it is empty.
pub(crate) fn tail_under(name: &str, text: &str) -> Option<String> {
    let lines = last_lines(text, LOG_TAIL_LINES);
    (!lines.is_empty()).then(|| format!("last lines of {name}:\n{lines}"))
}

/// The last `count` lines of `text`, indented, long ones cut.
fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let tail = &lines[lines.len().saturating_sub(count)..];
    let cut = |line: &&str| {
        format!(
            "  {}",
            strip_ansi_codes(line)
                .chars()
                .take(LOG_LINE_CHARS)
                .collect::<String>()
        )
    };
    tail.iter().map(cut).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_keeps_the_last_lines_and_cuts_long_ones() {
        let long = "x".repeat(1000);
        let tail = last_lines(&format!("one\n\ntwo\n{long}\n"), 2);
        assert_eq!(tail, format!("  two\n  {}", "x".repeat(LOG_LINE_CHARS)));
    }

    #[test]
    fn colours_are_taken_out() {
        let tail = last_lines("\u{1b}[38;5;246mnode\u{1b}[0m is up\n", 1);
        assert_eq!(tail, "  node is up");
    }

    #[test]
    fn a_failure_is_found_under_its_contexts() {
        let error =
            anyhow::Error::new(Failure::new("port 1 is taken").code(7)).context("start mongo1");
        assert_eq!(format!("{error:#}"), "start mongo1: port 1 is taken");
        assert_eq!(
            error.downcast_ref::<Failure>().map(|failure| failure.code),
            Some(7)
        );
    }
}
