//! `cdc tail`: prints the messages of the queue.

use std::io::Write as _;

use cdc::{
    config::{Given, TailConfig, TailOptions},
    retry::chain,
    tail,
};

use super::{Exit, hints::Hint as _, warnings};

pub(super) fn run(given: &Given, options: &TailOptions) -> Result<(), Exit> {
    let config = TailConfig::check(given, options)?;
    for text in warnings() {
        // A closed stderr is no reason to stop.
        let _ = writeln!(std::io::stderr(), "warning: {text}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::failure(format!("start the runtime: {error}"), None))?;
    let outcome = runtime.block_on(tail::run(config));
    // A write that the reader of our output holds up must not hold up the exit.
    runtime.shutdown_background();
    outcome.map_err(|error| Exit::failure(chain(&error), error.advice().as_deref()))
}
