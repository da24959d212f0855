//! `cdc run`: the engine.

use cdc::{
    app,
    config::{Config, Given, LogConfig, LogFormat},
    retry::chain,
};
use tracing::warn;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, LevelFilter, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use super::{Exit, hints::Hint as _, warnings};

pub(super) fn run(given: &Given) -> Result<(), Exit> {
    let (config, log) = Config::check(given)?;
    start_logging(&log);
    if log.filter.is_lowered {
        warn!("RUST_LOG asks for trace, which is compiled out of release builds; shown is debug");
    }
    for text in warnings() {
        warn!("{text}");
    }
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
        Exit::failure(chain(&error), error.advice().as_deref())
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
    // Without a hint the other filter's would not count, and the client library, which has a line for every step of
    // every message, would ask for each.
    let discreet = discreet.with_max_level_hint(LevelFilter::TRACE);
    let filter = EnvFilter::builder()
        .parse_lossy(&log.filter.text)
        .and(discreet);
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
