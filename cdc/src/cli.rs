//! The command line: what can be typed, and how it ends.

mod arguments;
mod grant;
mod hints;
mod run;
mod tail;

use std::{io::Write as _, process::ExitCode};

use cdc::config::{self, Faults};

/// How the program ends when not well.
#[derive(Debug)]
pub(crate) struct Exit {
    code: u8,
    text: String,
    hint: Option<String>,
}

/// Does what the command line says.
pub(crate) fn run() -> Result<(), Exit> {
    match arguments::parse()? {
        arguments::Command::Run(given) => run::run(&given),
        arguments::Command::Tail(given, options) => tail::run(&given, &options),
    }
}

/// What is set in the environment and looks like a mistyped setting.
fn warnings() -> impl Iterator<Item = String> {
    std::env::vars_os().filter_map(|(name, _)| config::ignored(name.to_str()?))
}

impl Exit {
    /// Bad configuration.
    pub(crate) fn usage(text: impl Into<String>, hint: Option<&str>) -> Self {
        Self {
            code: 64,
            text: text.into(),
            hint: hint.map(str::to_owned),
        }
    }

    /// A failure.
    pub(crate) fn failure(text: impl Into<String>, hint: Option<&str>) -> Self {
        Self {
            code: 1,
            text: text.into(),
            hint: hint.map(str::to_owned),
        }
    }

    /// Says why on stderr and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        // A closed stderr is no reason to panic; the exit code still tells.
        let mut stderr = std::io::stderr().lock();
        if !self.text.is_empty() {
            let _ = writeln!(stderr, "error: {}", self.text);
        }
        if let Some(hint) = self.hint {
            let _ = writeln!(stderr, "\nhint: {hint}");
        }
        ExitCode::from(self.code)
    }
}

impl From<Faults> for Exit {
    fn from(faults: Faults) -> Self {
        Self::usage(
            format!("bad configuration\n{faults}"),
            Some("cdc --help lists every setting"),
        )
    }
}

impl From<clap::Error> for Exit {
    /// Help and version are no errors; everything else is a bad configuration.
    fn from(error: clap::Error) -> Self {
        let _ = error.print();
        let code = if error.use_stderr() { 64 } else { 0 };
        Self {
            code,
            text: String::new(),
            hint: None,
        }
    }
}
