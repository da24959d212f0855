//! `cdc run`: the engine.

use cdc::{
    app,
    config::{Config, LogConfig, LogFormat, RunArgs},
    retry::chain,
};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

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
    outcome.map_err(|error| {
        if error.is_bad_configuration() {
            let text = format!(
                "bad configuration\n  MONGO_DATABASE_HOST: {}",
                chain(&error)
            );
            return Exit::usage(text, error.hint());
        }
        Exit::failure(chain(&error), error.hint())
    })
}

/// Log lines go to stderr.
fn start_logging(log: &LogConfig) {
    // The client library logs returned messages with their bodies, and whole frames, whatever the filter's wording.
    let discreet = filter_fn(|metadata| {
        !["lapin", "amq_protocol"]
            .iter()
            .any(|library| metadata.target().starts_with(library))
    });
    let filter = EnvFilter::builder().parse_lossy(&log.filter).and(discreet);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry();
    match log.format {
        LogFormat::Text => registry
            .with(lines.with_ansi(use_colour()).with_filter(filter))
            .init(),
        LogFormat::Json => registry
            .with(lines.json().flatten_event(true).with_filter(filter))
            .init(),
    }
}

fn use_colour() -> bool {
    use std::io::IsTerminal as _;
    std::io::stderr().is_terminal()
        && anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}
