//! `cdc status`: how a pipeline stands, from the servers alone.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use cdc::{
    config::{Config, Given},
    operate::{
        Error,
        status::{QueueStatus, SourceStatus, Status, TargetStatus, ask},
    },
    position::time_text,
    retry::chain,
    start::{moment, wall_time},
};
use clap::{ArgMatches, Command as Clap};
use serde_json::{Value, json};

use super::{Exit, block_on, exit, json_switch, settings, shown, switch};

/// Time between two looks of `--watch`.
const INTERVAL: Duration = Duration::from_secs(2);
/// Clears a terminal.
const CLEAR: &str = "\x1b[H\x1b[2J";

pub(super) fn command() -> Clap {
    Clap::new("status")
        .about("Show position, lag, oplog headroom, leader and queues, from the servers alone")
        .arg(switch(
            "watch",
            "Look again every two seconds, until a signal",
        ))
        .arg(json_switch())
        .after_help("Example: cdc status --json | jq .lag_seconds")
}

pub(super) fn run(given: &Given, matches: &ArgMatches) -> Result<(), Exit> {
    let (config, _) = settings(given)?;
    let (watches, as_json) = (matches.get_flag("watch"), matches.get_flag("json"));
    block_on(async {
        loop {
            let status = ask(&config).await;
            let text = if as_json {
                in_json(&config, &status).to_string()
            } else {
                in_words(&config, &status).join("\n")
            };
            let clear = if watches && !as_json && io::stdout().is_terminal() {
                CLEAR
            } else {
                ""
            };
            let printed = writeln!(io::stdout(), "{clear}{text}");
            if watches && printed.is_ok() {
                tokio::time::sleep(INTERVAL).await;
                continue;
            }
            let failed = |error| Err(exit(error));
            return match (&status.source, &status.target) {
                (Err(error), _) | (_, Err(error)) => failed(error),
                _ => Ok(()),
            };
        }
    })
}

fn in_words(config: &Config, status: &Status) -> Vec<String> {
    let mut lines = vec![shown::line("pipeline", &config.checkpoint.pipeline)];
    match &status.source {
        Ok(source) => lines.extend(source_words(source)),
        Err(error) => lines.push(shown::line("mongodb", chain(error))),
    }
    match &status.target {
        Ok(target) => lines.extend(target_words(target)),
        Err(error) => lines.push(shown::line("rabbitmq", chain(error))),
    }
    lines
}

fn source_words(source: &SourceStatus) -> [String; 3] {
    let document = source.record.0.as_ref();
    let saved = document.and_then(|document| document.get_datetime("saved_at").ok());
    let saved = saved.map_or_else(String::new, |time| {
        format!(", saved {} ago", shown::duration(shown::age(*time)))
    });
    let lag = source
        .lag_seconds()
        .map(|seconds| shown::duration(seconds.into()));
    let oplog = match &source.oplog {
        Ok(oplog) => {
            let window = shown::duration(shown::seconds_between(oplog.first, oplog.last));
            let headroom = source
                .headroom_seconds()
                .map_or_else(String::new, |seconds| {
                    format!(
                        "; the checkpoint has {} of it left",
                        shown::duration(seconds)
                    )
                });
            format!("{window}, since {}{headroom}", wall_time(oplog.first))
        }
        Err(error) => format!("unknown: {}", chain(error)),
    };
    [
        shown::line("position", shown::record(&source.record) + &saved),
        shown::line("lag", lag.unwrap_or_else(|| "unknown".to_owned())),
        shown::line("oplog", oplog),
    ]
}

fn target_words(target: &TargetStatus) -> Vec<String> {
    let engine = if target.has_leader {
        "one publishes (the lock is held); who stands by, the broker does not tell"
    } else {
        "none (the lock is free)"
    };
    let exchange = target.exchange.as_ref();
    let exchange = exchange.map(|exchange| shown::line("exchange", exchange));
    let queues = target.queues.iter().map(|QueueStatus { name, depth }| {
        let depth = match depth {
            Some((ready, consumers)) => format!("{ready} messages ready, {consumers} consumers"),
            None => "not there".to_owned(),
        };
        shown::line("queue", format!("{name}: {depth}"))
    });
    let engine = shown::line("engine", engine);
    [engine].into_iter().chain(exchange).chain(queues).collect()
}

fn in_json(config: &Config, status: &Status) -> Value {
    let source = status.source.as_ref().ok();
    let target = status.target.as_ref().ok();
    let fault = |error: Option<&Error>| error.map(|error| chain(error));
    let oplog = source.and_then(|source| source.oplog.as_ref().ok());
    let queues = target.map(|target| {
        let queues = target.queues.iter().map(|queue| {
            json!({
                "name": queue.name,
                "ready": queue.depth.map(|(ready, _)| ready),
                "consumers": queue.depth.map(|(_, consumers)| consumers),
            })
        });
        queues.collect::<Vec<_>>()
    });
    json!({
        "pipeline": config.checkpoint.pipeline,
        "checkpoint": source.map(|source| shown::record_json(&source.record)),
        "now": source.map(|source| moment(source.now)),
        "lag_seconds": source.and_then(SourceStatus::lag_seconds),
        "oplog": oplog.map(|oplog| json!({ "first": time_text(oplog.first), "last": time_text(oplog.last) })),
        "headroom_seconds": source.and_then(SourceStatus::headroom_seconds),
        "has_leader": target.map(|target| target.has_leader),
        "exchange": target.and_then(|target| target.exchange.as_ref()),
        "queues": queues,
        "faults": {
            "mongodb": fault(status.source.as_ref().err()),
            "oplog": fault(source.and_then(|source| source.oplog.as_ref().err())),
            "rabbitmq": fault(status.target.as_ref().err()),
        },
    })
}
