//! The command line, as the declarations of the settings make it.

use cdc::config::{Given, Setting, TailOptions, run_settings, tail_settings};
use clap::{Arg, ArgAction, ArgMatches, Command as Clap};

use super::operate;

const ABOUT: &str =
    "Every committed change in MongoDB becomes a message in RabbitMQ: in order, at least once, never silently lost.

Every setting is a flag, an environment variable and a line of `.env` in the current folder; the first one given wins. \
Exit codes: 0 drained and saved, 1 stopped by a failure, 64 bad configuration.";
const RUN: &str = "Watch, publish and checkpoint until SIGINT or SIGTERM (the default command)";

/// What was asked for.
pub(super) enum Command {
    Run(Given),
    Tail(Given, TailOptions),
    Operate(operate::Request),
}

/// Everything that can be typed.
pub(super) fn whole() -> Clap {
    command(&run_settings(), &tail_settings())
}

/// Reads the command line and the environment.
pub(super) fn parse() -> Result<Command, clap::Error> {
    let (run, tail) = (run_settings(), tail_settings());
    let matches = command(&run, &tail).try_get_matches()?;
    if let Some(request) = operate::parse(&run, &matches) {
        return Ok(Command::Operate(request));
    }
    Ok(match matches.subcommand() {
        Some(("tail", matches)) => Command::Tail(given(&tail, matches), options(matches)),
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
    let commands = [engine, tail].map(|command| command.next_line_help(true));
    Clap::new("cdc")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .args_conflicts_with_subcommands(true)
        .max_term_width(120)
        .next_line_help(true)
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

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

pub(super) fn given(settings: &[Setting], matches: &ArgMatches) -> Given {
    let variables = settings.iter().map(|setting| setting.variable);
    let given = variables.filter_map(|variable| {
        let value: &String = matches.get_one(variable)?;
        Some((variable, value.clone()))
    });
    given.collect()
}

fn options(matches: &ArgMatches) -> TailOptions {
    TailOptions {
        count: matches.get_one("count").cloned(),
        no_follow: matches.get_flag("no-follow"),
        peek: matches.get_flag("peek"),
        json: matches.get_flag("json"),
    }
}
