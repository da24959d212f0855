//! Where the project is, what its `.env` says, and how its programs are called.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use xshell::{Cmd, Shell};

use crate::{dotenv, interrupt::Interrupt};

/// What every command of the toolkit needs.
#[derive(Debug)]
pub(crate) struct Project {
    /// Folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, where everything that the toolkit makes goes too.
    pub(crate) target: PathBuf,
    /// A shell in the root folder.
    pub(crate) shell: Shell,
    pub(crate) interrupt: Interrupt,
    dotenv: BTreeMap<String, String>,
}

impl Project {
    pub(crate) fn open(interrupt: Interrupt) -> Result<Self> {
        let root = root()?;
        let dotenv = dotenv::read(&root.join(".env"))?;
        let shell = Shell::new().context("find the current folder")?;
        shell.change_dir(&root);
        Ok(Self {
            target: target()?,
            root,
            shell,
            interrupt,
            dotenv,
        })
    }

    /// A setting from the environment, else from `.env`; an empty one counts as not set.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        in_environment(name).or_else(|| self.in_dotenv(name))
    }

    /// Where [`Self::setting`] has it from, as the beginning of "`.env` says 7".
    pub(crate) fn origin(&self, name: &str) -> &'static str {
        if in_environment(name).is_some() {
            "the environment says"
        } else if self.in_dotenv(name).is_some() {
            "`.env` says"
        } else {
            "the default is"
        }
    }

    fn in_dotenv(&self, name: &str) -> Option<String> {
        let value = self.dotenv.get(name).cloned();
        value.filter(|value| !value.is_empty())
    }

    /// A command that runs in the root folder and sees the variables of `.env`.
    pub(crate) fn command(&self, command: Cmd<'_>) -> Command {
        let mut command = Command::from(command);
        let unset = self
            .dotenv
            .iter()
            .filter(|(name, _)| env::var_os(name).is_none());
        command.envs(unset);
        command
    }

    /// The cargo that runs us, without what it tells us about ourselves.
    ///
    /// Build scripts such as ring's rebuild when the `CARGO_PKG_*` they were run with change.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        for (name, _) in env::vars_os() {
            let about_us = [
                "CARGO_PKG_",
                "CARGO_MANIFEST_",
                "CARGO_BIN_",
                "CARGO_CRATE_",
                "CARGO_PRIMARY_",
            ];
            if about_us
                .iter()
                .any(|prefix| name.to_string_lossy().starts_with(prefix))
            {
                command.env_remove(name);
            }
        }
        command
    }

    /// `path` as a person in the project's folder would type it.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

fn in_environment(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn root() -> Result<PathBuf> {
    // Set by cargo for a program that it runs; the folder at build time serves a program run by hand.
    let manifest_dir =
        env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    let root = Path::new(&manifest_dir)
        .parent()
        .context("find the project's folder")?;
    Ok(root.to_owned())
}

/// Our own program is `<target>/<profile>/xtask`, wherever `CARGO_TARGET_DIR` has put the folder.
fn target() -> Result<PathBuf> {
    let program = env::current_exe().context("find our own program")?;
    let target = program
        .parent()
        .and_then(Path::parent)
        .context("find the target folder")?;
    Ok(target.to_owned())
}
