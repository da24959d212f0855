//! `cdc checkpoint`: shows and changes where a pipeline goes on.

mod divide;

use std::{
    cmp::Ordering,
    io::{self, IsTerminal as _, Write as _},
};

use cdc::{
    checkpoint::Record,
    config::{Config, Given, Wish},
    operate::checkpoint::{Edit, Editing, Plan, show},
    retry::chain,
    share::Share,
    start::rfc3339,
};
use clap::{Arg, ArgGroup, ArgMatches, Command as Clap};
use serde_json::json;

use super::{Exit, exit, finish, json_switch, print, say, settings, shown, switch};

const WAYS: [(&str, &str, &str); 3] = [
    (
        "at",
        "TIME",
        "Go on with the changes of this second, such as 2026-11-28T12:00:00Z",
    ),
    (
        "cluster-time",
        "T:I",
        "Go on at this cluster time, seconds and increment",
    ),
    ("token", "HEX", "Go on after this resume token"),
];

pub(super) fn command() -> Clap {
    let ways =
        WAYS.map(|(name, value, help)| Arg::new(name).long(name).value_name(value).help(help));
    let set = Clap::new("set")
        .about("Go on from elsewhere; what the server cannot read from is refused")
        .args(ways)
        .arg(switch("now", "Go on with the next change"))
        .arg(switch(
            "earliest",
            "Go on with the oldest change in the oplog",
        ))
        .group(
            ArgGroup::new("where")
                .args(["at", "cluster-time", "token", "now", "earliest"])
                .required(true),
        )
        .after_help("Example: cdc checkpoint set --at 2026-11-28T12:00:00Z");
    let clear = Clap::new("clear")
        .about("Forget it: the next start begins where CDC_START says")
        .after_help("Example: cdc checkpoint clear --yes");
    let copy = Clap::new("copy")
        .about("Give the pipeline NAME the checkpoint of this one")
        .arg(Arg::new("NAME").required(true).help("The other pipeline"))
        .after_help("Example: cdc checkpoint copy orders-2");
    let undo = Clap::new("undo")
        .about("Go back to what the last change by hand replaced; twice is as before")
        .after_help("Example: cdc checkpoint undo");
    let divide = Clap::new("divide")
        .about("Divide the pipeline into N shares (CDC_SHARE), while no engine of it runs; 1 makes it whole")
        .arg(Arg::new("N").required(true).help("How many shares, 1 to 64"))
        .after_help("Example: cdc checkpoint divide 4");
    let writing = [set, clear, copy, undo, divide]
        .map(|command| command.arg(switch("yes", "Do not ask")).arg(json_switch()));
    let show = Clap::new("show")
        .about("Print it")
        .arg(json_switch())
        .after_help("Example: cdc checkpoint show --json");
    Clap::new("checkpoint")
        .about("Show or change where a pipeline goes on")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(show)
        .subcommands(writing)
}

pub(super) fn run(given: &Given, matches: &ArgMatches) -> Result<(), Exit> {
    let (config, _) = settings(given)?;
    match matches.subcommand() {
        Some(("show", matches)) => print_checkpoint(&config, matches.get_flag("json")),
        Some(("divide", matches)) => divide::run(&config, matches),
        Some((name, matches)) => change(config, name, matches),
        None => Ok(()),
    }
}

fn print_checkpoint(config: &Config, as_json: bool) -> Result<(), Exit> {
    let pipeline = &config.checkpoint.pipeline;
    let found = finish(show(config))?;
    let own = Some(&found.record).filter(|_| found.shares.is_empty());
    let position = own.and_then(|record| record.position().ok().flatten());
    let time = position.and_then(|position| position.cluster_time());
    let age = time.map(|time| shown::seconds_between(time, found.now).max(0));
    let former = found.former.as_ref().ok().and_then(Option::as_ref);
    if as_json {
        let former = former.map(|former| {
            json!({
                "checkpoint": shown::record_json(&former.record),
                "replaced_at": former.replaced_at.map(rfc3339),
            })
        });
        let shares = found.shares.iter().map(|(share, record)| {
            json!({ "share": share.to_string(), "checkpoint": shown::record_json(record) })
        });
        let shares: Vec<_> = shares.collect();
        let checkpoint = own.map(shown::record_json);
        let all = json!({
            "pipeline": pipeline, "checkpoint": checkpoint, "age_seconds": age, "shares": shares, "former": former
        });
        print(&all.to_string());
        return Ok(());
    }
    print(&shown::line("pipeline", pipeline));
    if found.shares.is_empty() {
        print(&shown::line("position", shown::record(&found.record)));
    } else {
        let text = format!(
            "into {} shares, each with a checkpoint of its own (CDC_SHARE)",
            found.shares.len()
        );
        print(&shown::line("divided", text));
    }
    for (share, record) in &found.shares {
        let position = shown::share(record, &found.record);
        print(&shown::line(&format!("share {share}"), position));
    }
    if let Some(age) = age {
        print(&shown::line("age", shown::duration(age)));
    }
    for text in details(&found.record) {
        print(&text);
    }
    if let Some(former) = former {
        let at = former.replaced_at.map_or_else(String::new, |time| {
            format!(", replaced {} ago", shown::duration(shown::age(time)))
        });
        print(&shown::line("former", shown::record(&former.record) + &at));
    }
    if let Err(error) = &found.former {
        print(&shown::line(
            "former",
            format!("not known: {}", chain(error)),
        ));
    }
    Ok(())
}

/// What else stands in the document.
fn details(record: &Record) -> Vec<String> {
    let Some(document) = &record.0 else {
        return Vec::new();
    };
    let saved = document.get_datetime("saved_at").ok().map(|time| {
        let age = shown::duration(shown::age(*time));
        shown::line("saved", format!("{} ({age} ago)", rfc3339(*time)))
    });
    let revision = document.get("revision");
    let revision = revision.map(|number| shown::line("revision", number.to_string()));
    let sent = document.get_timestamp("sent_until").ok();
    let sent = sent.map(|time| shown::line("sent until", cdc::start::moment(time)));
    let scope = shown::scope(document);
    let scope = scope.map(|scope| shown::line("scope", scope.to_string()));
    [saved, revision, sent, scope]
        .into_iter()
        .flatten()
        .collect()
}

fn change(config: Config, name: &str, matches: &ArgMatches) -> Result<(), Exit> {
    let own = config.checkpoint.pipeline.clone();
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let (pipeline, edit) = match name {
        "clear" => (own, Edit::Clear),
        "undo" => (own, Edit::Undo),
        "copy" => (other(text("NAME"), &own)?, Edit::CopyOf(own)),
        _ => {
            let wish = WAYS
                .into_iter()
                .find_map(|(way, ..)| Some((way, text(way)?)));
            let wish = match wish {
                Some(("at", time)) => Wish::At(time),
                Some(("cluster-time", time)) => Wish::ClusterTime(time),
                Some((_, token)) => Wish::Token(token),
                None if matches.get_flag("now") => Wish::Now,
                None => Wish::Earliest,
            };
            (own, Edit::Set(wish.check()?))
        }
    };
    let asks = asks(name, matches)?;
    super::block_on(async {
        let failed = |error| exit(&error);
        let editing = Editing::begin(config, &pipeline).await.map_err(failed)?;
        let plan = editing.plan(&edit).await.map_err(failed)?;
        say(&describe(&pipeline, &plan));
        if asks && !agrees().await {
            editing.end().await;
            return Err(Exit::failure("nothing was changed", None));
        }
        editing.apply(&plan).await.map_err(failed)?;
        editing.end().await;
        if matches.get_flag("json") {
            let (former, now) = (
                shown::record_json(&plan.before),
                shown::record_json(&plan.after),
            );
            print(
                &json!({ "pipeline": pipeline, "former": former, "checkpoint": now }).to_string(),
            );
        } else {
            print("written; `cdc checkpoint undo` takes it back");
        }
        Ok(())
    })
}

/// Whether a person is asked before something is written.
fn asks(name: &str, matches: &ArgMatches) -> Result<bool, Exit> {
    let asks = !matches.get_flag("yes");
    if asks && !io::stdin().is_terminal() {
        let text =
            format!("checkpoint {name} asks before it writes, and there is no terminal to ask on");
        return Err(Exit::usage(
            text,
            Some("say --yes where nobody is asked".into()),
        ));
    }
    Ok(asks)
}

fn other(name: Option<&str>, own: &str) -> Result<String, Exit> {
    let name = name.unwrap_or_default();
    let is_a_pipelines = !name.is_empty() && !Share::is_name(name);
    if !is_a_pipelines || name == own || cdc::lease::PIPELINE_BYTES_MAX < name.len() {
        let text = format!("`{name}` is not the name of another pipeline");
        return Err(Exit::usage(
            text,
            Some("NAME is the other pipeline's CDC_PIPELINE".into()),
        ));
    }
    Ok(name.to_owned())
}

/// What the change is, and what it means.
fn describe(pipeline: &str, plan: &Plan) -> String {
    let (before, after) = (shown::record(&plan.before), shown::record(&plan.after));
    let time = |record: &Record| record.position().ok().flatten()?.cluster_time();
    let meaning = match (time(&plan.before), time(&plan.after)) {
        (Some(before), Some(after)) => match after.cmp(&before) {
            Ordering::Less => "what happened in between is published again",
            Ordering::Equal => "that is the same moment",
            Ordering::Greater => "what happened in between is not published, unless it was before",
        },
        (_, None) if Share::is_name(pipeline) => {
            "the next start begins where the shares of its pipeline began"
        }
        (_, None) => "the next start begins where CDC_START says",
        (None, Some(_)) => "the next start goes on from there",
    };
    format!("checkpoint of `{pipeline}`: {before} -> {after}\n{meaning}")
}

async fn agrees() -> bool {
    let ask = || {
        let _ = write!(io::stderr(), "write it? [y/N] ");
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    };
    // In a thread of its own, so that the lock's connection stays alive meanwhile.
    tokio::task::spawn_blocking(ask).await.unwrap_or(false)
}
