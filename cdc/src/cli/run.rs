//! `cdc run`: the engine.

use cdc::{
    app,
    config::{Config, LogConfig, LogFormat, RunArgs},
    retry::chain,
};
use tracing_subscriber::EnvFilter;

use super::Exit;

pub(super) fn run(args: &RunArgs) -> Result<(), Exit> {
    let (config, log) = Config::check(args)?;
    start_logging(&log);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::failure(format!("start the runtime: {error}"), None))?;
    let outcome = runtime.block_on(app::run(config));
    // What is still running, such as a name look-up, must not hold up the exit.
    runtime.shutdown_background();
    outcome.map_err(|error| Exit::failure(chain(&error), error.hint()))
}

/// Log lines go to stderr.
fn start_logging(log: &LogConfig) {
    let filter = EnvFilter::builder().parse_lossy(&log.filter);
    // The client library logs returned messages with their bodies and writes whole frames at `trace`.
    let filter = ["lapin=off", "amq_protocol=off"]
        .into_iter()
        .fold(filter, |filter, directive| {
            filter.add_directive(directive.parse().expect("a valid directive"))
        });
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => lines.with_ansi(use_colour()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

fn use_colour() -> bool {
    use std::io::IsTerminal as _;
    std::io::stderr().is_terminal()
        && anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}
