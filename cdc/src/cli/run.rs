//! `cdc run`: the engine.

use std::{env, process, time::Duration};

use cdc::{
    app::{self, Supervisor},
    config::{Config, Given, LogFormat},
    retry::chain,
};
use tracing::{info, warn};

use super::{
    Exit, block_on,
    hints::{Hint as _, advice},
    log, warnings,
};

pub(super) fn run(given: &Given) -> Result<(), Exit> {
    let format = LogFormat::of(given);
    engine(given).map_err(|exit| exit.told_as(format))
}

fn engine(given: &Given) -> Result<(), Exit> {
    let (mut config, log_config) = Config::check(given)?;
    config.admin.advice = Some(advice);
    log::start(&log_config);
    if log_config.filter.is_lowered {
        warn!("RUST_LOG asks for trace, which is compiled out of release builds; shown is debug");
    }
    for text in warnings().chain(config.doubts.clone()) {
        warn!("{text}");
    }
    for note in &config.notes {
        info!("{note}");
    }
    block_on(async {
        let outcome = Box::pin(app::run(config, supervisor())).await;
        outcome.map_err(|error| {
            if error.is_bad_configuration() {
                return Exit::bad_connection_string(&chain(&error), error.hint());
            }
            Exit::failure(chain(&error), error.hint())
        })
    })
}

/// The supervisor that started this process and wants to hear of it, as systemd does with `Type=notify`.
fn supervisor() -> Option<Supervisor> {
    let address = env::var_os("NOTIFY_SOCKET")?;
    let text = |name| env::var(name).ok();
    let is_ours = text("WATCHDOG_PID").is_none_or(|pid| pid == process::id().to_string());
    let watchdog = text("WATCHDOG_USEC").filter(|_| is_ours);
    let watchdog = watchdog.and_then(|limit| limit.parse().ok().filter(|limit| 0 < *limit));
    Supervisor::connect(&address, watchdog.map(Duration::from_micros))
        .inspect_err(|error| warn!(%error, "nobody listens at NOTIFY_SOCKET"))
        .ok()
}
