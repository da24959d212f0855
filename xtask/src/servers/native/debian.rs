//! RabbitMQ from Debian's packages in a folder of our own: nothing of the system changes, and nobody has to be root.
//!
//! Its release of Debian is newer than this machine's may be, so its programs run on the libraries that they came with.

mod download;
mod relocate;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use xshell::cmd;

use self::download::Download;
use super::{broker::Version, install};
use crate::{child, failure::Failure, progress::Progress, project::Project};

const WHAT: &str = "RabbitMQ 4.0 with Erlang 27 from Debian trixie: 52 MB to download, 90 MB";
/// The file that a whole folder has, with its own path in it: its programs find each other by that path.
const RECORD: &str = "path";
const SERVER: &str = "usr/lib/rabbitmq/bin/rabbitmq-server";
const UNPACK_LIMIT: Duration = Duration::from_secs(60);
const TRIAL_LIMIT: Duration = Duration::from_secs(30);

/// The start script of ours, installed unless an earlier run has done it.
///
/// # Errors
/// When it is missing and cannot, or with `offline` may not, be downloaded.
pub(super) fn rabbitmq(project: &Project, progress: &Progress, offline: bool) -> Result<PathBuf> {
    let servers = project.target.join("servers");
    if let Some(folder) = installed(&servers) {
        return Ok(folder.join(SERVER));
    }
    if servers.to_string_lossy().contains(char::is_whitespace) {
        let text = format!(
            "its scripts cannot be below `{}`, a path with a blank",
            servers.display()
        );
        return Err(Failure::new(text).into());
    }
    let download = Download::possible(&servers)?;
    if offline {
        return Err(install::refused(WHAT, "or name a newer one in RABBITMQ_SERVER").into());
    }
    progress.say(&format!(
        "downloading {WHAT} in {}",
        project.relative(&servers)
    ));
    let line = progress.line("apt-get");
    let packages = download.fetch(project, &line)?;
    line.say("unpacking");
    let folder = make(project, &servers, &packages)?;
    line.done("downloaded, with Debian's signature checked");
    Ok(folder.join(SERVER))
}

/// The whole folder with the highest version.
fn installed(servers: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(servers).ok()?.flatten();
    let whole = entries.filter_map(|entry| {
        let folder = entry.path();
        let version = Version::parse(folder.file_name()?.to_str()?.strip_prefix("rabbitmq-")?)?;
        let is_whole =
            fs::read_to_string(folder.join(RECORD)).is_ok_and(|path| Path::new(&path) == folder);
        is_whole.then_some((version, folder))
    });
    whole.max().map(|(_, folder)| folder)
}

/// Unpacks the packages under another name, and gives the folder its own once it is whole and runs.
fn make(project: &Project, servers: &Path, packages: &[PathBuf]) -> Result<PathBuf> {
    let part = servers.join("rabbitmq.part");
    let _ = fs::remove_dir_all(&part);
    let log = servers.join("rabbitmq.log");
    for package in packages {
        let unpack = cmd!(project.shell, "dpkg-deb --extract {package} {part}");
        child::logged(
            project.command(unpack),
            &log,
            &project.interrupt,
            UNPACK_LIMIT,
        )
        .with_context(|| format!("unpack {}", package.display()))?;
    }
    let server = part.join(SERVER);
    let server = server
        .canonicalize()
        .context("find its server among the packages")?;
    let version = Version::in_path(&server).context("find its version among the packages")?;
    let folder = servers.join(format!("rabbitmq-{version}"));
    relocate::relocate(project, &part, &folder, &log)?;
    install::keep_only(&part.join("usr"), &[&part.join("usr/lib")])?;
    install::keep_only(&part, &[&part.join("usr")])?;
    let _ = fs::remove_dir_all(&folder);
    fs::rename(&part, &folder).with_context(|| format!("write {}", folder.display()))?;
    try_out(project, &folder, &log)?;
    let record = folder.join(RECORD);
    fs::write(&record, folder.as_os_str().as_encoded_bytes())
        .with_context(|| format!("write {}", record.display()))?;
    Ok(folder)
}

/// Runs its Erlang once, since this machine may be one that its libraries do not run on.
fn try_out(project: &Project, folder: &Path, log: &Path) -> Result<()> {
    let erlang = folder.join("usr/lib/erlang/bin/erl");
    let program = "ok = crypto:start(), halt().";
    let question = cmd!(project.shell, "{erlang} -noinput -eval {program}");
    child::logged(
        project.command(question),
        log,
        &project.interrupt,
        TRIAL_LIMIT,
    )
    .with_context(|| format!("run {}", erlang.display()))
}
