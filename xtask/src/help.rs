//! `cargo xtask help`: the commands, a line each, grouped.

use std::{ffi::OsString, fmt::Write, process::ExitCode};

use clap::{
    Subcommand,
    builder::StyledStr,
    error::{ContextKind, ContextValue, Error},
};

use crate::Command;

/// Every command, in the order that a newcomer meets them.
const GROUPS: [(&str, &[&str]); 4] = [
    ("First", &["demo"]),
    (
        "Step by step",
        &[
            "local-start",
            "local-start-cdc",
            "local-test-cdc",
            "consume",
            "local-stop",
        ],
    ),
    ("Checks", &["test", "browser-test", "chaos", "bench", "ci"]),
    ("This tool", &["help"]),
];

/// What people type who do not know the names yet, and the command that they mean.
const OTHER_NAMES: [(&str, &str); 8] = [
    ("start", "local-start"),
    ("up", "local-start"),
    ("status", "local-start"),
    ("stop", "local-stop"),
    ("down", "local-stop"),
    ("run", "local-start-cdc"),
    ("tail", "consume"),
    ("check", "test"),
];

pub(crate) fn run() -> ExitCode {
    print!("{}", text());
    ExitCode::SUCCESS
}

/// The page that `help` and `--help` print.
pub(crate) fn text() -> String {
    let root = Command::augment_subcommands(clap::Command::new("xtask"));
    let about = |name: &str| {
        root.find_subcommand(name)
            .and_then(clap::Command::get_about)
            .map(StyledStr::to_string)
    };
    let mut page = "Usage: cargo xtask <command> [options]\n".to_owned();
    for (title, commands) in GROUPS {
        let _ = write!(page, "\n{title}\n");
        for name in commands {
            let _ = writeln!(page, "  {name:<16} {}", about(name).unwrap_or_default());
        }
    }
    page + "\n`cargo xtask help <command>` lists a command's options.\n"
}

/// `help demo` means `demo --help`.
pub(crate) fn arguments(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if arguments.len() == 3 && arguments[1] == "help" {
        arguments.remove(1);
        arguments.push("--help".into());
    }
    arguments
}

/// `error` with the command that was meant, if a name was given that people expect.
pub(crate) fn with_suggestion(mut error: Error) -> Error {
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    let mut names = OTHER_NAMES.iter();
    if let Some((_, meant)) = names.find(|(name, _)| name == given) {
        let meant = ContextValue::Strings(vec![(*meant).to_owned()]);
        error.insert(ContextKind::SuggestedSubcommand, meant);
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Cli;

    #[test]
    fn every_command_is_listed_once_with_what_it_does() {
        let root = Command::augment_subcommands(clap::Command::new("xtask"));
        let mut commands: Vec<_> = root
            .get_subcommands()
            .map(clap::Command::get_name)
            .collect();
        let mut listed: Vec<_> = GROUPS
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        commands.sort_unstable();
        listed.sort_unstable();
        assert_eq!(commands, listed);
        assert!(
            root.get_subcommands()
                .all(|command| command.get_about().is_some())
        );
        let of_nobody = OTHER_NAMES
            .iter()
            .find(|(_, name)| !commands.contains(name));
        assert_eq!(of_nobody, None);
    }

    #[test]
    fn the_page_fits_a_terminal_of_80_columns() {
        let long: Vec<_> = text()
            .lines()
            .filter(|line| 80 < line.chars().count())
            .map(str::to_owned)
            .collect();
        assert_eq!(long, [""; 0]);
    }

    #[test]
    fn help_of_a_command_is_its_own_help() {
        let of = |words: &[&str]| arguments(words.iter().map(OsString::from).collect());
        assert_eq!(of(&["xtask", "help", "demo"]), ["xtask", "demo", "--help"]);
        assert_eq!(of(&["xtask", "help"]), ["xtask", "help"]);
    }

    #[test]
    fn a_name_that_people_expect_leads_to_the_command() {
        let error = with_suggestion(Cli::try_parse_from(["xtask", "stop"]).unwrap_err());
        assert!(error.to_string().contains("local-stop"), "{error}");
        let error = with_suggestion(Cli::try_parse_from(["xtask", "nonsense"]).unwrap_err());
        assert!(!error.to_string().contains("tip:"), "{error}");
    }
}
