//! Loads `.env` from the current folder, or another file that the command line names. What is already set in the
//! environment wins.

mod file;
mod option;

use std::{collections::BTreeMap, env, ffi::OsString, fs, io::ErrorKind};

use cdc::config::{self, Faults, Origin};

pub(crate) use self::option::ENV_FILE;
use crate::cli::Exit;

const FILE: &str = ".env";

/// What the program was started with.
#[derive(Debug, Default)]
pub(crate) struct Start {
    /// The command line without the name of the file.
    pub(crate) arguments: Vec<OsString>,
    /// Variables of the environment that are there because of the file.
    pub(crate) loaded: BTreeMap<String, Origin>,
}

/// Reads the file into the process's environment. `.env` may be missing, a file that was named may not.
pub(crate) fn load(arguments: impl Iterator<Item = OsString>) -> Result<Start, Exit> {
    let (files, arguments) = option::take(arguments);
    let (file, is_named) = match &files[..] {
        [] => (FILE, false),
        [file] => (file.as_str(), true),
        _ => return Err(Exit::usage(format!("--{ENV_FILE} is given twice"), None)),
    };
    let loaded = match fs::read_to_string(file) {
        Ok(text) => read(file, &(text + "\n"))?,
        Err(error) if error.kind() == ErrorKind::NotFound && !is_named => BTreeMap::new(),
        Err(error) => return Err(Exit::usage(format!("read `{file}`: {error}"), None)),
    };
    Ok(Start { arguments, loaded })
}

/// Reads `text`, the content of `file`, into the environment; gives what was not there before.
fn read(file: &str, text: &str) -> Result<BTreeMap<String, Origin>, Exit> {
    let variables = file::parse(text, config::unknown).map_err(|wrong| bad(file, wrong))?;
    let new = variables.into_iter().filter_map(|(name, _, line)| {
        let file = file.to_owned();
        let is_new = env::var_os(&name).is_none();
        is_new.then_some((name, Origin::EnvFile { file, line }))
    });
    let new = new.collect();
    dotenvy::Iter::new(text.as_bytes())
        .load()
        .map_err(|_| Exit::usage(format!("`{file}` cannot be read"), None))?;
    Ok(new)
}

fn bad(file: &str, wrong: file::Faults) -> Exit {
    let mut faults = Faults::default();
    for (line, text) in wrong {
        faults.add(format!("{file}:{line}"), text);
    }
    let hint = "a value with a `$`, a space, a quote or a # goes into single quotes; .env.example and \
                `cdc --help` have every name, and those of other programs belong into the environment";
    Exit::usage(format!("bad configuration\n{faults}"), Some(hint.into()))
}

#[cfg(test)]
mod tests;
