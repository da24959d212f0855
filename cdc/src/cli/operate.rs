//! What an operator types beside `cdc run`: each command is a thin one over the library's `operate`.

mod check;
mod checkpoint;
mod health;
mod pages;
mod replay;
mod shown;
mod snapshot;
mod status;

use std::io::{self, Write as _};

use cdc::{
    config::{Config, Given, LogConfig, Setting},
    operate::Error,
    retry::chain,
};
use clap::{Arg, ArgAction, ArgMatches, Command as Clap};

use super::{Exit, arguments::argument, block_on, hints::Hint as _, warnings};

/// Said below the help of every command that has the settings as hidden flags.
const SETTINGS: &str = "Every setting of `cdc run` counts here too: as a flag, from the environment, or from .env \
                        (`cdc run --help`).";

/// A command of these.
#[derive(Debug)]
pub(crate) struct Request {
    name: String,
    given: Given,
    matches: ArgMatches,
}

/// Every command, with `settings` as flags.
pub(in crate::cli) fn commands(settings: &[Setting]) -> Vec<Clap> {
    let asking = [
        check::command(),
        checkpoint::command(),
        replay::command(),
        snapshot::command(),
        status::command(),
        health::command(),
    ];
    let asking = asking.map(|command| with_settings(command, settings));
    asking.into_iter().chain(pages::commands()).collect()
}

/// The command that was typed, if it is one of these.
pub(in crate::cli) fn parse(
    settings: &[Setting],
    matches: &ArgMatches,
    given: impl FnOnce(&[Setting], &ArgMatches) -> Given,
) -> Option<Request> {
    let (name, matches) = matches.subcommand()?;
    let mut leaf = matches;
    while let Some((_, deeper)) = leaf.subcommand() {
        leaf = deeper;
    }
    let given = match name {
        "check" | "checkpoint" | "replay" | "snapshot" | "status" | "health" => {
            given(settings, leaf)
        }
        "completions" | "man" => Given::new(),
        _ => return None,
    };
    Some(Request {
        name: name.to_owned(),
        given,
        matches: matches.clone(),
    })
}

/// Does it. `whole` is the command line of the program.
pub(in crate::cli) fn run(request: &Request, whole: Clap) -> Result<(), Exit> {
    let Request {
        name,
        given,
        matches,
    } = request;
    match name.as_str() {
        "check" => check::run(given, matches),
        "checkpoint" => checkpoint::run(given, matches),
        "replay" => replay::run(given, matches),
        "snapshot" => snapshot::run(given, matches),
        "status" => status::run(given, matches),
        "health" => health::run(given, matches),
        _ => pages::run(name, matches, whole),
    }
}

fn with_settings(command: Clap, settings: &[Setting]) -> Clap {
    if command.has_subcommands() {
        return command.mut_subcommands(|deeper| with_settings(deeper, settings));
    }
    let example = command.get_after_help().map(ToString::to_string);
    let own: Vec<String> = command
        .get_arguments()
        .filter_map(|argument| argument.get_long().map(str::to_owned))
        .collect();
    let hidden = settings.iter().map(|setting| {
        let argument = argument(setting).hide(true);
        // A flag of the command's own wins, and the setting is still read from the environment.
        if own.contains(&setting.flag()) {
            let whole = setting.variable.to_ascii_lowercase().replace('_', "-");
            argument.long(whole)
        } else {
            argument
        }
    });
    command.args(hidden).after_help(
        [example.as_deref(), Some(SETTINGS)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("\n\n"),
    )
}

/// Reads the settings and says what looks like a mistyped one.
fn settings(given: &Given) -> Result<(Config, LogConfig), Exit> {
    let checked = Config::check(given)?;
    for text in warnings() {
        say(&format!("warning: {text}"));
    }
    Ok(checked)
}

/// Waits for `work`, whose errors become exits.
fn finish<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Exit> {
    block_on(async { work.await.map_err(|error| exit(&error)) })
}

fn exit(error: &Error) -> Exit {
    match error {
        Error::Mongo(cause) if cause.is_bad_configuration() => {
            Exit::bad_connection_string(&chain(error), error.hint())
        }
        _ => Exit::failure(chain(error), error.hint()),
    }
}

/// Writes a line of the answer. Whoever reads no further has enough.
fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Says something beside the answer.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn json_switch() -> Arg {
    switch("json", "One JSON object on standard output")
}
