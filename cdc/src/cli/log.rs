//! Log lines, which go to stderr, to the last one.

use cdc::config::{LogConfig, LogFormat};
use tracing::error;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, LevelFilter, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Logs from now on.
pub(super) fn start(log: &LogConfig) {
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

/// Why the program ends, as one JSON object like those of the log before it, whatever the filter leaves out.
pub(super) fn last_line(text: &str, hint: Option<&str>) {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log = tracing_subscriber::registry().with(lines.json().flatten_event(true));
    tracing::subscriber::with_default(log, || error!(error = text, hint, "stopped"));
}
