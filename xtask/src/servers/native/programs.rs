//! Finds the servers' programs on this machine, and has the missing ones installed.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use xshell::cmd;

use super::install;
use crate::{
    child,
    failure::{BAD_CONFIGURATION, Failure},
    progress::Progress,
    project::Project,
};

const VERSION_LIMIT: Duration = Duration::from_secs(20);

/// Debian's package has the program itself here; the one on PATH changes to the user `rabbitmq`.
const RABBITMQ_SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const DEBIAN_WRAPPER: &str = "rabbitmq-script-wrapper";
/// Where Homebrew links it, which need not be on PATH.
const SBIN: [&str; 2] = ["/opt/homebrew/sbin", "/usr/local/sbin"];
const ERLANG_BIN: [&str; 3] = ["/usr/lib/erlang/bin", "/opt/homebrew/bin", "/usr/local/bin"];

/// The programs of a native stack.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) mongod: PathBuf,
    pub(super) rabbitmq_server: PathBuf,
    /// Erlang's port mapper; without it Erlang starts one as it likes.
    pub(super) epmd: Option<PathBuf>,
}

impl Programs {
    /// # Errors
    /// When one is missing and cannot, or with `offline` may not, be installed.
    pub(super) fn find(project: &Project, progress: &Progress, offline: bool) -> Result<Self> {
        let mongod = mongod(project, progress, offline)?;
        let rabbitmq_server = rabbitmq_server(project, progress, offline)?;
        let epmd = epmd();
        Ok(Self {
            mongod,
            rabbitmq_server,
            epmd,
        })
    }
}

/// Erlang's port mapper, if it is where it usually is.
pub(super) fn epmd() -> Option<PathBuf> {
    on_path("epmd").or_else(|| in_folders(&ERLANG_BIN, "epmd"))
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

/// From `RABBITMQ_SERVER`, else where packages put it, else installed now.
pub(crate) fn rabbitmq_server(
    project: &Project,
    progress: &Progress,
    offline: bool,
) -> Result<PathBuf> {
    let look = || {
        let debian = Path::new(RABBITMQ_SERVER);
        let on_path = || on_path("rabbitmq-server").filter(|program| !is_debian_wrapper(program));
        let debian = debian.exists().then(|| debian.to_owned());
        debian
            .or_else(on_path)
            .or_else(|| in_folders(&SBIN, "rabbitmq-server"))
    };
    if let Some(program) = named_by(project, "RABBITMQ_SERVER")?.or_else(look) {
        return Ok(program);
    }
    install::rabbitmq(project, progress, offline)?;
    look().ok_or_else(|| {
        Failure::new("rabbitmq-server is installed but not where it should be").into()
    })
}

/// The program that a variable names.
fn named_by(project: &Project, variable: &str) -> Result<Option<PathBuf>> {
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

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

fn in_folders(folders: &[&str], name: &str) -> Option<PathBuf> {
    folders
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|program| program.is_file())
}

fn is_debian_wrapper(program: &Path) -> bool {
    program
        .canonicalize()
        .is_ok_and(|target| target.ends_with(DEBIAN_WRAPPER))
}

fn runs(project: &Project, program: &Path) -> Result<bool> {
    let command = project.command(cmd!(project.shell, "{program} --version"));
    let version = child::answer(command, &project.interrupt, VERSION_LIMIT);
    // No answer may mean that someone asked us to stop.
    project.interrupt.check()?;
    Ok(version.is_some())
}
