//! `cargo xtask help`: the commands, a line each, grouped.

use std::{fmt::Write, process::ExitCode};

use clap::{Subcommand, builder::StyledStr};

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
    ("Checks", &["test", "chaos", "instructions", "ci"]),
    ("This tool", &["help"]),
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
    page + "\n`cargo xtask <command> --help` lists a command's options.\n"
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
