//! `cdc tail`: prints the messages of the queue.

use cdc::{
    config::{TailArgs, TailConfig},
    retry::chain,
    tail,
};

use super::{Exit, hints::Hint as _};

pub(super) fn run(args: &TailArgs) -> Result<(), Exit> {
    let config = TailConfig::check(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::failure(format!("start the runtime: {error}"), None))?;
    let outcome = runtime.block_on(tail::run(config));
    // A write that the reader of our output holds up must not hold up the exit.
    runtime.shutdown_background();
    outcome.map_err(|error| Exit::failure(chain(&error), error.hint()))
}
