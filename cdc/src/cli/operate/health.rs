//! `cdc health`: for the health check of a container.

use std::time::Duration;

use cdc::{
    config::Given,
    operate::health::{Answer, ask},
    retry::chain,
};
use clap::{ArgMatches, Command as Clap};
use serde_json::Value;

use super::{Exit, block_on, json_switch, print, settings, switch};

/// Longest wait for the answer. A health check of docker may take 30 s by default.
const WAIT: Duration = Duration::from_secs(5);

pub(super) fn command() -> Clap {
    Clap::new("health")
        .about("Ask the engine on this machine whether it is ready: exit code 0 or 1, and one line")
        .arg(switch("live", "Ask only whether the engine's loop turns"))
        .arg(json_switch())
        .after_help("Example, in a Dockerfile: HEALTHCHECK CMD [\"cdc\", \"health\"]")
}

pub(super) fn run(given: &Given, matches: &ArgMatches) -> Result<(), Exit> {
    let (config, _) = settings(given)?;
    let Some(address) = config.admin.address.filter(|address| address.port() != 0) else {
        return Err(Exit::usage(
            "the engine's admin port is off, or not known beforehand",
            Some(
                "set CDC_ADMIN_ADDR to an address and a port, for the engine and for this command"
                    .into(),
            ),
        ));
    };
    let is_live = matches.get_flag("live");
    let path = if is_live { "/live" } else { "/ready" };
    let answer = block_on(async {
        let hint = "is the engine running, with the same CDC_ADMIN_ADDR?";
        let token = config.admin.access.token.as_ref();
        let answer = ask(address, token, path, WAIT).await;
        answer.map_err(|error| Exit::failure(chain(&error), Some(hint.into())))
    })?;
    let text = if matches.get_flag("json") && !is_live {
        answer.body.clone()
    } else {
        words(&answer)
    };
    if answer.is_well {
        print(&text);
        return Ok(());
    }
    Err(Exit::failure(text, None))
}

/// The answer in one line: the role, and what is in the way.
fn words(answer: &Answer) -> String {
    let Ok(report) = serde_json::from_str::<Value>(&answer.body) else {
        return answer.body.clone();
    };
    let role = report["role"].as_str().unwrap_or("unknown role");
    let obstacles = report["obstacles"].as_array().into_iter().flatten();
    let obstacles = obstacles.filter_map(|obstacle| {
        let (cause, reason) = (&obstacle["cause"], &obstacle["reason"]);
        Some(format!("; {}: {}", cause.as_str()?, reason.as_str()?))
    });
    let readiness = if answer.is_well { "ready" } else { "not ready" };
    format!("{readiness}: {role}{}", obstacles.collect::<String>())
}
