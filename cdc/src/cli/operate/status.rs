//! `cdc status`: how a pipeline stands, from the servers alone.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use cdc::{
    checkpoint::Record,
    config::{Config, Given},
    operate::{
        Error,
        status::{QueueStatus, SourceStatus, Status, TargetStatus, ask},
    },
    position::time_text,
    retry::chain,
    share::Share,
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
        Ok(source) => {
            lines.extend(source_words(source));
            let led = status.target.as_ref().ok();
            let led = led.map_or(&[][..], |target| &target.led);
            lines.extend(share_words(source, led));
        }
        Err(error) => lines.push(shown::line("mongodb", chain(error))),
    }
    match &status.target {
        Ok(target) => lines.extend(target_words(target)),
        Err(error) => lines.push(shown::line("rabbitmq", chain(error))),
    }
    lines
}

fn source_words(source: &SourceStatus) -> [String; 3] {
    let position = match source.shares.len() {
        0 => shown::record(&source.record) + &saved(&source.record),
        count => format!("that of each of its {count} shares"),
    };
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
        shown::line("position", position),
        shown::line("lag", lag.unwrap_or_else(|| "unknown".to_owned())),
        shown::line("oplog", oplog),
    ]
}

fn saved(record: &Record) -> String {
    let document = record.0.as_ref();
    let saved = document.and_then(|document| document.get_datetime("saved_at").ok());
    saved.map_or_else(String::new, |time| {
        format!(", saved {} ago", shown::duration(shown::age(*time)))
    })
}

/// A line for each share: its position, its lag, and whether an engine has it.
fn share_words(source: &SourceStatus, led: &[(Share, bool)]) -> Vec<String> {
    let line = |(share, record): &(Share, Record)| {
        let lag = source.lag_of(record);
        let lag = lag.map_or_else(String::new, |lag| {
            format!(", lag {}", shown::duration(lag.into()))
        });
        let engine = match led.iter().find(|(one, _)| one == share) {
            Some((_, true)) => ", one engine publishes",
            Some((_, false)) => ", no engine",
            None => "",
        };
        let position = shown::share(record, &source.record) + &saved(record);
        shown::line(&format!("share {share}"), position + &lag + engine)
    };
    source.shares.iter().map(line).collect()
}

fn target_words(target: &TargetStatus) -> Vec<String> {
    let led = target.led.iter().filter(|(_, is_led)| *is_led).count();
    let engine = match target.led.len() {
        0 if target.has_leader => {
            "one publishes (the lock is held); who stands by, the broker does not tell".to_owned()
        }
        0 => "none (the lock is free)".to_owned(),
        count => format!("{led} of {count} shares have one that publishes"),
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
    let own = source.filter(|source| source.shares.is_empty());
    json!({
        "pipeline": config.checkpoint.pipeline,
        "checkpoint": own.map(|source| shown::record_json(&source.record)),
        "shares": source.map(|source| shares_json(source, target)),
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

fn shares_json(source: &SourceStatus, target: Option<&TargetStatus>) -> Vec<Value> {
    let has_leader = |share: &Share| {
        let led = target.and_then(|target| target.led.iter().find(|(one, _)| one == share));
        led.map(|(_, is_led)| *is_led)
    };
    let one = |(share, record): &(Share, Record)| {
        json!({
            "share": share.to_string(),
            "checkpoint": shown::record_json(record),
            "lag_seconds": source.lag_of(record),
            "headroom_seconds": source.headroom_of(record),
            "has_leader": has_leader(share),
        })
    };
    source.shares.iter().map(one).collect()
}
