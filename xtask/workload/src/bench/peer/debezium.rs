//! Debezium Server as a child process: its settings, its position, its versions.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use harness::Process;
use lapin::uri::AMQPUri;

use super::{
    Args,
    properties::{Route, Target},
};
use crate::bench::{
    queue::{self, Queue},
    report::Queue as Kind,
    site::Site,
};

/// What its program is named before and after its version.
const RUNNER: [&str; 2] = ["debezium-server-dist-", "-runner.jar"];
const MAIN: &str = "io.debezium.server.Main";
/// Names of files of a process.
const OFFSETS: &str = "offsets.dat";
const LOG: &str = "log";

/// The program, and where it runs.
#[derive(Debug)]
pub(super) struct Debezium {
    java_home: PathBuf,
    folder: PathBuf,
    version: String,
    /// Every process has a folder of its own in it.
    work_folder: PathBuf,
    mongo_uri: String,
    broker: AMQPUri,
    /// Host and port of streams.
    stream_address: (String, String),
}

/// A process of it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) process: Process,
    folder: PathBuf,
}

impl Debezium {
    pub(super) fn new(args: &Args, site: &Site) -> Result<Self> {
        let address = site.stream_address.clone().unwrap_or_default();
        let (host, port) = address.rsplit_once(':').unwrap_or_default();
        Ok(Self {
            java_home: args.java_home.clone(),
            folder: args.debezium.clone(),
            version: version(&args.debezium)?,
            work_folder: args.bench.folder.join("debezium"),
            mongo_uri: args.bench.mongo_uri.clone(),
            broker: queue::parse(&args.bench.amqp_uri)?,
            stream_address: (host.to_owned(), port.to_owned()),
        })
    }

    /// Its version and that of Java, by name.
    pub(super) fn versions(&self) -> impl Iterator<Item = (String, String)> {
        let release = fs::read_to_string(self.java_home.join("release"));
        let java = java_version(&release.unwrap_or_default());
        let names = [
            ("debezium-server", Some(self.version.clone())),
            ("java", java),
        ];
        names
            .into_iter()
            .filter_map(|(name, version)| Some((name.to_owned(), version?)))
    }

    /// Where its processes have their folders.
    pub(super) fn work_folder(&self) -> &Path {
        &self.work_folder
    }

    /// Starts it: it reads `database` from `position` on, or from now on where there is none, and publishes to `queue`.
    pub(super) async fn start(
        &self,
        database: &str,
        queue: &Queue,
        position: Option<&[u8]>,
    ) -> Result<Running> {
        let target = if queue.kind == Kind::Stream {
            let (host, port) = &self.stream_address;
            Target::Stream(&queue.name, (host, port))
        } else {
            queue.bind(&queue.name, &queue.name).await?;
            Target::Queue(&queue.name)
        };
        let folder = self.work_folder.join(&queue.name);
        let route = Route {
            mongo_uri: &self.mongo_uri,
            database,
            offsets: &folder.join(OFFSETS),
            broker: &self.broker,
            target,
        };
        write_files(&folder, &route, position)?;
        let log = folder.join(LOG);
        let process = Process::start_logged(self.command().current_dir(&folder), &log)?;
        Ok(Running { process, folder })
    }

    fn command(&self) -> Command {
        let runner = format!("{}{}{}", RUNNER[0], self.version, RUNNER[1]);
        let (runner, libraries) = (self.folder.join(runner), self.folder.join("lib/*"));
        let classes = format!("{}:{}", runner.display(), libraries.display());
        let mut command = Command::new(self.java_home.join("bin/java"));
        command.args(["-cp", &classes, MAIN]);
        command
    }
}

impl Running {
    /// Fails if it has ended.
    pub(super) fn check_alive(&mut self) -> Result<()> {
        let alive = self.process.check_alive();
        alive.with_context(|| format!("see {}", self.log().display()))
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// The file of its position.
    pub(super) fn offsets(&self) -> PathBuf {
        self.folder.join(OFFSETS)
    }
}

/// Writes its settings and its position.
fn write_files(folder: &Path, route: &Route<'_>, position: Option<&[u8]>) -> Result<()> {
    let settings = folder.join("config");
    fs::create_dir_all(&settings).with_context(|| format!("make {}", settings.display()))?;
    let settings = settings.join("application.properties");
    fs::write(settings, route.properties()).context("write Debezium Server's settings")?;
    match position {
        Some(position) => fs::write(route.offsets, position).context("write its position"),
        None => Ok(()),
    }
}

/// The version of what is in `folder`, as the name of its program tells.
fn version(folder: &Path) -> Result<String> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut versions = names.filter_map(|name| {
        let version = name.to_str()?.strip_prefix(RUNNER[0])?;
        Some(version.strip_suffix(RUNNER[1])?.to_owned())
    });
    let version = versions.next();
    version.with_context(|| format!("{} has no Debezium Server in it", folder.display()))
}

/// The version in the file `release` of a Java.
fn java_version(release: &str) -> Option<String> {
    let mut lines = release.lines();
    let version = lines.find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    Some(version.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_in_the_name_of_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let error = version(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no Debezium Server"), "{error}");
        fs::write(folder.path().join("run.sh"), "").unwrap();
        let runner = "debezium-server-dist-3.6.1.Final-runner.jar";
        fs::write(folder.path().join(runner), "").unwrap();
        assert_eq!(version(folder.path()).unwrap(), "3.6.1.Final");
    }

    #[test]
    fn java_tells_its_version() {
        let release = "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"25.0.3\"\nJAVA_VERSION_DATE=\"y\"\n";
        assert_eq!(java_version(release).as_deref(), Some("25.0.3"));
        assert_eq!(java_version(""), None);
    }
}
