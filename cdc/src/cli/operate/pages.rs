//! `cdc completions` and `cdc man`: made from the command line's own declaration.

use std::{io, path::PathBuf};

use clap::{Arg, ArgMatches, Command as Clap, value_parser};
use clap_complete::Shell;

use super::{Exit, print};

pub(super) fn commands() -> [Clap; 2] {
    let completions = Clap::new("completions")
        .about("Print completions for a shell")
        .arg(
            Arg::new("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell)),
        )
        .after_help(
            "Example: cdc completions bash > ~/.local/share/bash-completion/completions/cdc",
        );
    let man = Clap::new("man")
        .about("Print the manual page, or write those of all commands")
        .arg(
            Arg::new("directory")
                .long("directory")
                .value_name("DIRECTORY")
                .value_parser(value_parser!(PathBuf))
                .help("Write a page for each command here"),
        )
        .after_help("Example: cdc man | man -l -");
    [completions, man]
}

pub(super) fn run(name: &str, matches: &ArgMatches, mut whole: Clap) -> Result<(), Exit> {
    let mut page = Vec::new();
    if name == "completions" {
        let shell = matches.get_one::<Shell>("SHELL").copied();
        let shell = shell.unwrap_or(Shell::Bash);
        clap_complete::generate(shell, &mut whole, "cdc", &mut page);
    } else if let Some(directory) = matches.get_one::<PathBuf>("directory") {
        let written = clap_mangen::generate_to(whole, directory);
        return written.map_err(|error| failed(&format!("{}", directory.display()), &error));
    } else {
        let rendered = clap_mangen::Man::new(whole).render(&mut page);
        rendered.map_err(|error| failed("the manual page", &error))?;
    }
    print(String::from_utf8_lossy(&page).trim_end());
    Ok(())
}

fn failed(what: &str, error: &io::Error) -> Exit {
    Exit::failure(format!("write {what}: {error}"), None)
}
