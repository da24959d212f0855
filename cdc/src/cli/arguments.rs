//! The command line, as the declarations of the settings make it.

use std::collections::BTreeMap;

use cdc::config::{Given, Origin, Setting, TailOptions, Value, run_settings, tail_settings};
use clap::{Arg, ArgAction, ArgMatches, Command as Clap, parser::ValueSource};

use super::operate;
use crate::dotenv::{ENV_FILE, Start};

const ABOUT: &str =
    "Every committed change in MongoDB becomes a message in RabbitMQ: in order, at least once, never silently lost.

Every setting is a flag, an environment variable and a line of `.env` in the current folder; the first one given wins, \
and `cdc config` shows which. \
Exit codes: 0 drained and saved, 1 stopped by a failure, 64 bad configuration.";
const RUN: &str = "Watch, publish and checkpoint until SIGINT or SIGTERM (the default command)";

/// What was asked for.
pub(super) enum Command {
    Run(Given),
    Tail(Given, TailOptions),
    Config(Given, Shown),
    Operate(operate::Request),
}

/// How something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Text,
    Json,
}

/// Everything that can be typed.
pub(super) fn whole() -> Clap {
    command(&run_settings(), &tail_settings())
}

/// Reads the command line and the environment.
pub(super) fn parse(start: &Start) -> Result<Command, clap::Error> {
    let (run, tail) = (run_settings(), tail_settings());
    let matches = command(&run, &tail).try_get_matches_from(&start.arguments)?;
    let given =
        |settings: &[Setting], matches: &ArgMatches| given(settings, matches, &start.loaded);
    if let Some(request) = operate::parse(&run, &matches, given) {
        return Ok(Command::Operate(request));
    }
    Ok(match matches.subcommand() {
        Some(("tail", matches)) => {
            // Beside its own settings it is told the engine's, with whose user it may work.
            let engine = command(&run, &tail).try_get_matches_from(["cdc"])?;
            let mut all = given(&run, &engine);
            all.extend(given(&tail, matches));
            Command::Tail(all, options(matches))
        }
        Some(("config", matches)) => Command::Config(given(&run, matches), shown(matches)),
        Some((_, matches)) => Command::Run(given(&run, matches)),
        None => Command::Run(given(&run, &matches)),
    })
}

fn command(run: &[Setting], tail: &[Setting]) -> Clap {
    let tail = Clap::new("tail")
        .about("Print the messages of the queue")
        .args([
            Arg::new("count")
                .long("count")
                .value_name("N")
                .help("Stop after this many messages [default: no limit]"),
            Arg::new("from")
                .long("from")
                .value_name("WHERE")
                .help(
                    "Where to begin in a stream: first, last, next, an offset, or a time such as 2026-11-28T12:00:00Z \
                     [default: first]",
                ),
            switch(
                "no-follow",
                "Stop when the queue is empty, instead of waiting for more",
            ),
            switch(
                "peek",
                "Only look: every message stays in the queue, in its place; while tail runs, no other reader gets \
                 those shown",
            ),
            switch(
                "json",
                "One JSON object a line, which a pipe or a file gets anyway",
            ),
        ])
        .args(tail.iter().map(argument));
    let engine = Clap::new("run").about(RUN).args(run.iter().map(argument));
    let config = Clap::new("config")
        .about("Print every setting with its value and where that came from; secrets are hidden")
        .arg(switch("json", "One JSON object"))
        .args(run.iter().map(argument));
    let commands = [engine, tail, config].map(|command| command.next_line_help(true));
    Clap::new("cdc")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .args_conflicts_with_subcommands(true)
        .max_term_width(120)
        .next_line_help(true)
        .arg(env_file())
        .args(run.iter().map(argument))
        .subcommands(commands)
        .subcommands(operate::commands(run))
}

pub(super) fn argument(setting: &Setting) -> Arg {
    let (variable, default) = (setting.variable, setting.default);
    let help = format!(
        "{}\n[env: {variable}] [default: {default}]",
        setting.help().join(". ")
    );
    Arg::new(variable)
        .long(setting.flag())
        .env(variable)
        .hide_env(true)
        .value_name(setting.placeholder)
        .help_heading(setting.group)
        .help(help)
}

/// For the help alone: whoever loads the file takes the flag off the command line.
fn env_file() -> Arg {
    Arg::new(ENV_FILE)
        .long(ENV_FILE)
        .global(true)
        .value_name("FILE")
        .help("Read this file instead of `.env` in the current folder; it must be there")
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

/// What was typed for `settings`. What is in the environment may have been `loaded` from a file.
fn given(settings: &[Setting], matches: &ArgMatches, loaded: &BTreeMap<String, Origin>) -> Given {
    let given = settings.iter().filter_map(|setting| {
        let variable = setting.variable;
        let text: &String = matches.get_one(variable)?;
        let origin = match matches.value_source(variable) {
            Some(ValueSource::EnvVariable) => loaded.get(variable),
            _ => Some(&Origin::Flag),
        };
        let value = Value {
            text: text.clone(),
            origin: origin.unwrap_or(&Origin::Environment).clone(),
        };
        Some((variable, value))
    });
    given.collect()
}

fn shown(matches: &ArgMatches) -> Shown {
    if matches.get_flag("json") {
        Shown::Json
    } else {
        Shown::Text
    }
}

fn options(matches: &ArgMatches) -> TailOptions {
    TailOptions {
        count: matches.get_one("count").cloned(),
        from: matches.get_one("from").cloned(),
        no_follow: matches.get_flag("no-follow"),
        peek: matches.get_flag("peek"),
        json: matches.get_flag("json"),
    }
}
