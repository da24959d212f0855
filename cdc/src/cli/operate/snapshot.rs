//! `cdc snapshot`: asks for the documents that exist, and for what becomes of a run.

mod shown;
mod watch;

use bson::DateTime;
use cdc::{
    config::{Asked, Config, Given, run_name},
    operate::snapshot::{Accepted, Standing, start, want},
    snapshot::requests::Wanted,
};
use clap::{Arg, ArgMatches, Command as Clap};
use serde_json::json;

use super::{Exit, exit, finish, json_switch, print, say, settings, switch};

/// What becomes of a run: the command, what is wanted, what is said of it.
const WISHES: [(&str, Wanted, &str, &str); 3] = [
    (
        "pause",
        Wanted::Pause,
        "Let a run wait, until it is resumed",
        "it is paused within seconds; `cdc snapshot resume` lets it go on",
    ),
    (
        "resume",
        Wanted::Run,
        "Let a run go on where it was paused",
        "it goes on within seconds",
    ),
    (
        "cancel",
        Wanted::Cancel,
        "End a run where it is; what it has published stays published",
        "it ends within seconds",
    ),
];

pub(super) fn command() -> Clap {
    let start = Clap::new("start")
        .about("Ask for the documents that exist, once everything that can be known of it is as it should be")
        .args([
            value("collections", "NAMES", "Collections of those that are watched, separated by commas; `*` stands for any \
                   text, `?` for any one character [default: all]"),
            value("filter", "JSON", "Only documents that match this query, Extended JSON [default: all]"),
            value("rate", "N", "Most documents in a second [default: CDC_SNAPSHOT_RATE]"),
            value("name", "RUN", "Name of the run [default: the time, such as 2026-11-29T15-04-05]"),
        ])
        .arg(json_switch())
        .after_help("Example: cdc snapshot start --collections 'games,moves_*' --filter '{\"level\": {\"$gte\": 3}}' --rate 2000");
    let status = Clap::new("status")
        .about("Show every run, or one: how far it is, how fast, and why not")
        .arg(run_argument("Only this run"))
        .arg(switch(
            "watch",
            "Look again every two seconds, until every run that is shown is over",
        ))
        .arg(json_switch())
        .after_help("Example: cdc snapshot status --watch");
    let wishes = WISHES.map(|(name, _, about, _)| {
        Clap::new(name)
            .about(about)
            .arg(run_argument(
                "The run; needless where only one waits or runs",
            ))
            .arg(json_switch())
            .after_help(format!("Example: cdc snapshot {name}"))
    });
    Clap::new("snapshot")
        .about("Publish the documents that exist, in order with the changes, while the engine runs")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([start, status])
        .subcommands(wishes)
}

pub(super) fn run(given: &Given, matches: &ArgMatches) -> Result<(), Exit> {
    let (config, _) = settings(given)?;
    match matches.subcommand() {
        Some(("start", matches)) => ask_for(&config, matches),
        Some(("status", matches)) => status(&config, matches),
        Some((name, matches)) => wish(&config, name, matches),
        None => Ok(()),
    }
}

fn value(name: &'static str, placeholder: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(placeholder).help(help)
}

fn run_argument(help: &'static str) -> Arg {
    Arg::new("RUN").help(help)
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    matches.get_one::<String>(name).map(String::as_str)
}

fn ask_for(config: &Config, matches: &ArgMatches) -> Result<(), Exit> {
    let asked = Asked {
        collections: text(matches, "collections"),
        filter: text(matches, "filter"),
        rate: text(matches, "rate"),
        name: text(matches, "name"),
    };
    let request = asked.check(config, DateTime::now())?;
    let accepted = finish(start(config, request))?;
    if matches.get_flag("json") {
        print(&in_json(config, &accepted).to_string());
        return Ok(());
    }
    for (collection, reason) in &accepted.left_out {
        say(&format!("left out: `{collection}`: {reason}"));
    }
    let Accepted {
        request,
        collections,
        ..
    } = accepted;
    print(&format!(
        "snapshot `{}` of {} is asked for: the engine that leads begins within seconds; `cdc snapshot status --watch` \
         shows how far it is",
        request.run,
        shown::collections(&collections),
    ));
    Ok(())
}

fn in_json(config: &Config, accepted: &Accepted) -> serde_json::Value {
    let left_out = accepted
        .left_out
        .iter()
        .map(|(collection, reason)| json!({ "collection": collection, "reason": reason }));
    json!({
        "pipeline": config.checkpoint.pipeline,
        "run": accepted.request.run,
        "collections": accepted.collections,
        "left_out": left_out.collect::<Vec<_>>(),
    })
}

fn status(config: &Config, matches: &ArgMatches) -> Result<(), Exit> {
    let name = text(matches, "RUN");
    let as_json = matches.get_flag("json");
    super::block_on(async {
        let failed = |error| exit(&error);
        let standing = Standing::open(config).await.map_err(failed)?;
        if matches.get_flag("watch") {
            return watch::run(&standing, config, name, as_json).await;
        }
        let look = standing.look(name).await.map_err(failed)?;
        print(&shown::look(config, &look, as_json));
        Ok(())
    })
}

fn wish(config: &Config, name: &str, matches: &ArgMatches) -> Result<(), Exit> {
    let wish = WISHES.iter().find(|(wish, ..)| *wish == name);
    let Some((_, wanted, _, meaning)) = wish else {
        return Ok(());
    };
    let run = text(matches, "RUN");
    if let Some(run) = run {
        run_name("RUN", run)?;
    }
    let run = finish(want(config, run, *wanted))?;
    if matches.get_flag("json") {
        let pipeline = &config.checkpoint.pipeline;
        print(&json!({ "pipeline": pipeline, "run": run, "wanted": wanted.name() }).to_string());
    } else {
        print(&format!("snapshot `{run}`: {meaning}"));
    }
    Ok(())
}
