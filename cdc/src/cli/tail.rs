//! `cdc tail`: prints the messages of the queue.

use std::io::Write as _;

use cdc::{
    config::{Given, TailConfig, TailOptions},
    retry::chain,
    tail,
};

use super::{Exit, block_on, hints::Hint as _, warnings};

pub(super) fn run(given: &Given, options: &TailOptions) -> Result<(), Exit> {
    let config = TailConfig::check(given, options)?;
    for text in warnings() {
        // A closed stderr is no reason to stop.
        let _ = writeln!(std::io::stderr(), "warning: {text}");
    }
    block_on(async {
        let outcome = tail::run(config).await;
        outcome.map_err(|error| Exit::failure(chain(&error), error.hint()))
    })
}
