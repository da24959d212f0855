//! One run of a kind at a time: a second one would take the first one's servers away.

use std::{
    fs::File,
    io::{Read, Write},
    process,
};

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};

use crate::{failure::Failure, project::Project};

/// A lock of this checkout, which ends with this value or with the process.
#[derive(Debug)]
#[must_use]
pub(crate) struct Turn {
    _file: File,
}

impl Turn {
    /// Takes the turn of the command `name`.
    ///
    /// # Errors
    /// When another run of this command goes on in this checkout.
    pub(crate) fn take(project: &Project, name: &str) -> Result<Self> {
        let path = project.target.join(format!("{name}-run.pid"));
        let context = || format!("write {}", path.display());
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).with_context(context)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            file.read_to_string(&mut pid).with_context(context)?;
            return Err(Failure::new(format!(
                "another {name} run of this checkout goes on (pid {pid})"
            ))
            .hint("wait for it, or stop it with Ctrl-C")
            .into());
        }
        file.set_len(0).with_context(context)?;
        write!(file, "{}", process::id()).with_context(context)?;
        Ok(Self { _file: file })
    }
}
