//! Finds the servers' programs on this machine, and has the missing ones installed.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use xshell::cmd;

use super::{broker::Broker, install};
use crate::{
    child,
    failure::{BAD_CONFIGURATION, Failure},
    progress::Progress,
    project::Project,
};

const VERSION_LIMIT: Duration = Duration::from_secs(20);

/// Where packages put Erlang's programs, which need not be on PATH.
const ERLANG_BIN: [&str; 3] = ["/usr/lib/erlang/bin", "/opt/homebrew/bin", "/usr/local/bin"];

/// The programs of a native stack.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) mongod: PathBuf,
    pub(super) broker: Broker,
    /// Erlang's port mapper; without it Erlang starts one as it likes.
    pub(super) epmd: Option<PathBuf>,
}

impl Programs {
    /// # Errors
    /// When one is missing and cannot, or with `offline` may not, be installed.
    pub(super) fn find(project: &Project, progress: &Progress, offline: bool) -> Result<Self> {
        let mongod = mongod(project, progress, offline)?;
        let broker = Broker::find(project, progress, offline)?;
        let epmd = epmd(&broker);
        Ok(Self {
            mongod,
            broker,
            epmd,
        })
    }
}

/// Erlang's port mapper, if the broker's package has it or it is where it usually is.
fn epmd(broker: &Broker) -> Option<PathBuf> {
    let own = broker.beside("epmd");
    own.is_file()
        .then_some(own)
        .or_else(|| on_path("epmd"))
        .or_else(|| in_folders(&ERLANG_BIN, "epmd"))
}

/// From `MONGOD`, else PATH, else the one that we have downloaded or download now.
pub(crate) fn mongod(project: &Project, progress: &Progress, offline: bool) -> Result<PathBuf> {
    let here = named_by(project, "MONGOD")?.or_else(|| on_path("mongod"));
    let program = match here {
        Some(program) => program,
        None => install::mongod(project, progress, offline)?,
    };
    if runs(project, &program)? {
        return Ok(program);
    }
    install::libraries(project, progress, offline, &program)?;
    if runs(project, &program)? {
        return Ok(program);
    }
    Err(
        Failure::new(format!("`{} --version` fails", program.display()))
            .hint("name a mongod that runs here in MONGOD, or use `--backend docker`")
            .into(),
    )
}

/// The program that a variable names.
pub(super) fn named_by(project: &Project, variable: &str) -> Result<Option<PathBuf>> {
    let Some(path) = project.setting(variable).map(PathBuf::from) else {
        return Ok(None);
    };
    if path.is_file() {
        return Ok(Some(path));
    }
    Err(Failure::new(format!(
        "{variable} names `{}`, which is no file",
        path.display()
    ))
    .code(BAD_CONFIGURATION)
    .into())
}

pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

pub(super) fn in_folders(folders: &[&str], name: &str) -> Option<PathBuf> {
    folders
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|program| program.is_file())
}

fn runs(project: &Project, program: &Path) -> Result<bool> {
    let command = project.command(cmd!(project.shell, "{program} --version"));
    let version = child::answer(command, &project.interrupt, VERSION_LIMIT);
    // No answer may mean that someone asked us to stop.
    project.interrupt.check()?;
    Ok(version.is_some())
}
