//! Loads `.env` from the current folder. What is already set in the environment wins.

mod file;

use std::{fs, io::ErrorKind};

use cdc::config::{self, Faults};

use crate::cli::Exit;

const FILE: &str = ".env";

/// Reads `.env` into the process's environment, if the file is there.
pub(crate) fn load() -> Result<(), Exit> {
    let text = match fs::read_to_string(FILE) {
        Ok(text) => text + "\n",
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Exit::usage(format!("{FILE}: {error}"), None)),
    };
    match file::parse(&text, config::unknown) {
        Ok(_) => dotenvy::Iter::new(text.as_bytes())
            .load()
            .map_err(|_| Exit::usage(format!("{FILE} cannot be read"), None)),
        Err(wrong) => {
            let mut faults = Faults::default();
            for (line, text) in wrong {
                faults.add(format!("{FILE}:{line}"), text);
            }
            let hint = "a value with a `$`, a space, a quote or a # goes into single quotes; .env.example and \
                        `cdc --help` have every name, and those of other programs belong into the environment";
            Err(Exit::usage(
                format!("bad configuration\n{faults}"),
                Some(hint.into()),
            ))
        }
    }
}

#[cfg(test)]
mod tests;
