//! Reads `.env` without touching the process environment.

#[path = "../../cdc/src/dotenv/file.rs"]
mod file;

use std::{collections::BTreeMap, fs, io, path::Path};

use anyhow::{Context, Result};

use crate::failure::{BAD_CONFIGURATION, Failure};

/// The variables of the file at `path`; none if there is no such file.
///
/// # Errors
/// Each fault is named by file and line, never by its content: it may hold a secret.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text + "\n",
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    // The engine knows its settings; here every name is let through.
    let faults = match file::parse(&text, |_| None) {
        Ok(variables) => {
            let variables = variables.into_iter();
            return Ok(variables.map(|(name, value, _)| (name, value)).collect());
        }
        Err(faults) => faults.into_iter(),
    };
    let faults = faults.map(|(line, fault)| format!("{}:{line}: {fault}", path.display()));
    let faults: Vec<String> = faults.collect();
    Err(Failure::new(faults.join("\n"))
        .hint("a value with a `$`, a space, a quote or a # goes into single quotes")
        .code(BAD_CONFIGURATION)
        .into())
}
