//! The command line: what can be typed, and how it ends.

mod arguments;
mod config;
mod grants;
mod hints;
mod log;
mod operate;
mod run;
mod tail;

use std::{borrow::Cow, io::Write as _, process::ExitCode};

use cdc::config::{Faults, LogFormat, ignored};

use crate::dotenv::Start;

/// How the program ends when not well.
#[derive(Debug)]
pub(crate) struct Exit {
    code: u8,
    text: String,
    hint: Option<Cow<'static, str>>,
    format: LogFormat,
}

/// Does what the command line says.
pub(crate) fn run(start: &Start) -> Result<(), Exit> {
    match arguments::parse(start)? {
        arguments::Command::Run(given) => run::run(&given),
        arguments::Command::Tail(given, options) => tail::run(&given, &options),
        arguments::Command::Config(given, shown) => config::run(&given, shown),
        arguments::Command::Operate(request) => operate::run(&request, arguments::whole()),
    }
}

/// What is set in the environment and looks like a mistyped setting.
fn warnings() -> impl Iterator<Item = String> {
    std::env::vars_os().filter_map(|(name, _)| ignored(name.to_str()?))
}

/// Waits for `work` on the one thread of this process.
fn block_on<T>(work: impl Future<Output = Result<T, Exit>>) -> Result<T, Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::failure(format!("start the runtime: {error}"), None))?;
    let outcome = runtime.block_on(work);
    // What is still running, such as a name look-up or a write that nobody takes, must not hold up the exit.
    runtime.shutdown_background();
    outcome
}

impl Exit {
    /// A connection string that no client can be made of, which only a library could tell.
    fn bad_connection_string(text: &str, hint: Option<Cow<'static, str>>) -> Self {
        Self::usage(
            format!("bad configuration\n  MONGO_DATABASE_HOST: {text}"),
            hint,
        )
    }

    /// Bad configuration.
    pub(crate) fn usage(text: impl Into<String>, hint: Option<Cow<'static, str>>) -> Self {
        Self {
            code: 64,
            ..Self::failure(text, hint)
        }
    }

    /// A failure.
    pub(crate) fn failure(text: impl Into<String>, hint: Option<Cow<'static, str>>) -> Self {
        Self {
            code: 1,
            text: text.into(),
            hint,
            format: LogFormat::Text,
        }
    }

    /// The same, told as log lines look.
    pub(crate) fn told_as(self, format: LogFormat) -> Self {
        Self { format, ..self }
    }

    /// Says why on stderr and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        if self.format == LogFormat::Json {
            log::last_line(&self.text, self.hint.as_deref());
            return ExitCode::from(self.code);
        }
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
            Some("cdc --help lists every setting".into()),
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
            ..Self::failure("", None)
        }
    }
}
