//! `cdc replay`: what happened between two times once more, into a queue of its own.

use cdc::{
    config::{Config, Faults, Given, Value, range},
    operate::replay::{Progress, QUEUE_BYTES_MAX, Range, run as replay},
    start::wall_time,
};
use clap::{Arg, ArgMatches, Command as Clap};
use serde_json::json;

use super::{Exit, finish, json_switch, print, say, settings};
use crate::cli::log;

pub(super) fn command() -> Clap {
    Clap::new("replay")
        .about("Publish what happened between two times once more, into a queue of its own")
        .long_about(
            "Publish what happened between two times once more, into a queue of its own, which is declared durable if it \
             is missing.\n\nThe engine may run meanwhile: neither its checkpoint nor its lock is touched. Messages have \
             the same message_id as before and the header cdc-replay. Broken off, it can just be run again.",
        )
        .args([
            Arg::new("from")
                .long("from")
                .value_name("TIME")
                .required(true)
                .help("From this second on, such as 2026-11-28T12:00:00Z"),
            Arg::new("to")
                .long("to")
                .value_name("TIME")
                .help("Up to this time, which is not in it any more [default: now]"),
            Arg::new("queue")
                .long("queue")
                .value_name("NAME")
                .required(true)
                .help("Queue to publish to"),
            json_switch(),
        ])
        .after_help(
            "Example: cdc replay --from 2026-11-28T12:00:00Z --to 2026-11-28T12:15:00Z --queue orders.again",
        )
}

pub(super) fn run(given: &Given, matches: &ArgMatches) -> Result<(), Exit> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let (from, to) = range(text("from").unwrap_or_default(), text("to"))?;
    let config = into_queue(given.clone(), text("queue").unwrap_or_default())?;
    let as_json = matches.get_flag("json");
    let mut seen = 0;
    let say_progress = |progress: &Progress| {
        if progress.events != seen {
            seen = progress.events;
            say(&words(progress));
        }
    };
    let summary = finish(replay(config, Range { from, to }, say_progress))?;
    if as_json {
        print(&in_json(&summary).to_string());
    } else {
        print(&format!("replayed {}", words(&summary)));
    }
    Ok(())
}

/// The engine's configuration, with another queue, no partitions and no exchange.
fn into_queue(mut given: Given, queue: &str) -> Result<Config, Exit> {
    let (engine, _) = settings(&given)?;
    let mut faults = Faults::default();
    if queue.trim().is_empty() || QUEUE_BYTES_MAX < queue.len() {
        faults.add(
            "--queue",
            format!("has to have 1 to {QUEUE_BYTES_MAX} bytes"),
        );
    } else if is_of_engine(&engine, queue.trim()) {
        faults.add(
            "--queue",
            "is the engine's own (RABBITMQ_QUEUE_NAME): a replay gets a queue of its own",
        );
    }
    faults.or(())?;
    given.insert("RABBITMQ_QUEUE_NAME", Value::from_flag(queue));
    given.remove("RABBITMQ_EXCHANGE");
    given.remove("RABBITMQ_ROUTING_KEY");
    given.remove("CDC_PARTITIONS");
    // Its own words are enough, unless somebody wants more.
    let quiet = || Value::from_flag("warn");
    given.entry("RUST_LOG").or_insert_with(quiet);
    let (config, log) = Config::check(&given)?;
    log::start(&log);
    Ok(config)
}

fn is_of_engine(engine: &Config, queue: &str) -> bool {
    let mut targets = engine.publish.topology.targets.iter();
    targets.any(|target| target.name == queue)
}

fn words(progress: &Progress) -> String {
    let up_to = progress.reached.map_or_else(String::new, |time| {
        format!(", up to {}", wall_time(time.min(progress.to)))
    });
    let seconds = progress.elapsed.as_secs_f64();
    format!(
        "{} messages, {} bytes, {seconds:.1} s{up_to}",
        progress.events, progress.bytes
    )
}

fn in_json(summary: &Progress) -> serde_json::Value {
    json!({
        "messages": summary.events,
        "bytes": summary.bytes,
        "seconds": summary.elapsed.as_secs_f64(),
        "from": wall_time(summary.from),
        "to": wall_time(summary.to),
    })
}
