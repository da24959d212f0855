//! Debezium Server, which the engine is measured beside: downloaded by Maven, which knows where it has its artifacts from.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use xshell::cmd;

use super::java;
use crate::{
    child,
    failure::Failure,
    progress::{Line, Progress},
    project::Project,
    servers::native::{install, programs},
};

const VERSION: &str = "3.6.1.Final";
const ARTIFACT: &str = "io.debezium:debezium-server-dist";
/// Of the archive.
const SHA256: &str = "f95567c7107e5ae0a778dce850c36e86487b2c49e131dfc9bbb72c7ac2feb944";
const WHAT: &str = "Debezium Server 3.6.1 from Maven's io.debezium:debezium-server-dist: 782 MB to download, 900 MB";
const FOLDER: &str = "debezium-server-3.6.1";
/// The first Java that it runs on.
const JAVA: u32 = 21;
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(60 * 60);
const UNPACK_LIMIT: Duration = Duration::from_secs(10 * 60);

/// The program and the Java that runs it.
#[derive(Debug)]
pub(super) struct Debezium {
    pub(super) folder: PathBuf,
    pub(super) java_home: PathBuf,
}

impl Debezium {
    /// Finds both, downloading the program unless an earlier run has.
    ///
    /// # Errors
    /// When there is no Java for it, or it is missing and cannot, or with `offline` may not, be downloaded.
    pub(super) fn find(project: &Project, progress: &Progress, offline: bool) -> Result<Self> {
        let java_home = java::home(project, JAVA)?;
        let folder = project.target.join("servers").join(FOLDER);
        if !folder.is_dir() {
            fetch(project, progress, offline, &folder)?;
        }
        Ok(Self { folder, java_home })
    }
}

/// Makes `folder`, under another name until it is whole.
fn fetch(project: &Project, progress: &Progress, offline: bool, folder: &Path) -> Result<()> {
    let what = format!("{WHAT} in {}", project.relative(folder));
    let otherwise = format!("or unpack {ARTIFACT}:{VERSION} (tar.gz) there");
    if offline {
        return Err(install::refused(&what, &otherwise).into());
    }
    if programs::on_path("mvn").is_none() {
        return Err(
            Failure::new(format!("there is no mvn on PATH to download {what}"))
                .hint(format!(
                    "install Maven (Debian: `apt-get install maven`), {otherwise}"
                ))
                .into(),
        );
    }
    progress.say(&format!("downloading {what}"));
    let line = progress.line("mvn");
    let [repository, part] = [".repository", ".part"].map(|ending| beside(folder, ending));
    let _ = fs::remove_dir_all(&part);
    let archive = download(project, &line, &repository)?;
    line.say("unpacking");
    check(project, &archive)?;
    unpack(project, &archive, &part)?;
    fs::remove_dir_all(&repository).context("delete the archive")?;
    fs::rename(&part, folder).with_context(|| format!("write {}", folder.display()))?;
    line.done("downloaded, with the pinned sha256");
    Ok(())
}

/// Has Maven fetch the archive into a repository of its own, so that it is not left in the user's, and returns it. What
/// an earlier run has fetched whole is taken as it is.
fn download(project: &Project, line: &Line, repository: &Path) -> Result<PathBuf> {
    line.say("downloading");
    let artifact = format!("-Dartifact={ARTIFACT}:{VERSION}:tar.gz");
    let local = format!("-Dmaven.repo.local={}", repository.display());
    let mvn = cmd!(
        project.shell,
        "mvn --batch-mode --no-transfer-progress {local} dependency:get {artifact} -Dtransitive=false"
    );
    let log = beside(repository, ".log");
    child::logged(
        project.command(mvn),
        &log,
        &project.interrupt,
        DOWNLOAD_LIMIT,
    )
    .with_context(|| format!("download {ARTIFACT}:{VERSION}"))?;
    let group = ARTIFACT.replace([':', '.'], "/");
    let name = format!("debezium-server-dist-{VERSION}.tar.gz");
    Ok(repository.join(group).join(VERSION).join(name))
}

fn check(project: &Project, archive: &Path) -> Result<()> {
    let question = if programs::on_path("sha256sum").is_some() {
        cmd!(project.shell, "sha256sum {archive}")
    } else {
        cmd!(project.shell, "shasum --algorithm 256 {archive}")
    };
    let answer = child::output(project.command(question), &project.interrupt, UNPACK_LIMIT);
    let answer = answer.context("compute the sha256 of the archive")?;
    if answer.split_whitespace().next() == Some(SHA256) {
        return Ok(());
    }
    Err(
        Failure::new(format!("{} is not what was pinned", archive.display()))
            .evidence(answer)
            .hint("somebody else's archive has this name: look where Maven has it from")
            .into(),
    )
}

fn unpack(project: &Project, archive: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let tar = cmd!(
        project.shell,
        "tar --extract --gzip --file {archive} --directory {folder} --strip-components 1"
    );
    let log = beside(folder, ".log");
    child::logged(project.command(tar), &log, &project.interrupt, UNPACK_LIMIT)
        .with_context(|| format!("unpack {}", archive.display()))
}

/// `path` with `ending` behind its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
