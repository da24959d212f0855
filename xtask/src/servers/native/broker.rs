//! Which broker runs here, and what it can do.

use std::{
    fmt, iter,
    path::{Component, Path, PathBuf},
};

use anyhow::Result;

use super::{debian, install, programs};
use crate::{progress::Progress, project::Project};

/// The first version whose stream protocol has what the engine asks for.
const STREAMS: Version = Version([3, 11, 0]);
/// The first version that reads no data of the series before it.
const NEW_DATA: Version = Version([4, 0, 0]);
/// Folders of a node's data, before that and since.
const DATA: [&str; 2] = ["mnesia", "mnesia-4"];

/// Debian's package has the program itself here; the one on PATH changes to the user `rabbitmq`.
const DEBIAN: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const DEBIAN_WRAPPER: &str = "rabbitmq-script-wrapper";
/// Where Homebrew links it, which need not be on PATH.
const SBIN: [&str; 2] = ["/opt/homebrew/sbin", "/usr/local/sbin"];

/// A broker's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broker {
    /// Starts a node.
    pub(crate) server: PathBuf,
    /// Nothing if its path does not tell: to ask it leaves a port mapper of Erlang behind.
    version: Option<Version>,
}

/// A version of RabbitMQ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version([u32; 3]);

impl Broker {
    /// From `RABBITMQ_SERVER`, else one of this machine that has streams, else one of our own, installed now if need
    /// be, else an older one of this machine.
    ///
    /// # Errors
    /// When there is none and none can, or with `offline` may not, be installed.
    pub(crate) fn find(project: &Project, progress: &Progress, offline: bool) -> Result<Self> {
        if let Some(server) = programs::named_by(project, "RABBITMQ_SERVER")? {
            return Ok(Self::of(server));
        }
        let older = match on_this_machine().map(Self::of) {
            Some(broker) if broker.has_streams() => return Ok(broker),
            older => older,
        };
        match debian::rabbitmq(project, progress, offline) {
            Ok(server) => Ok(Self::of(server)),
            Err(error) => {
                // The cause may be that someone asked us to stop.
                project.interrupt.check()?;
                Self::instead(project, progress, offline, older, &error)
            }
        }
    }

    /// The one that there is, or that the system's packages have, where one of our own cannot be had.
    fn instead(
        project: &Project,
        progress: &Progress,
        offline: bool,
        older: Option<Self>,
        why: &anyhow::Error,
    ) -> Result<Self> {
        if let Some(broker) = older {
            progress.say(&format!(
                "broker: {broker}, so streams go over AMQP; no newer one: {why:#}"
            ));
            return Ok(broker);
        }
        progress.say(&format!("broker: none of our own: {why:#}"));
        Ok(Self::of(install::rabbitmq(project, progress, offline)?))
    }

    fn of(server: PathBuf) -> Self {
        let version = Version::in_path(&server.canonicalize().unwrap_or_else(|_| server.clone()));
        Self { server, version }
    }

    /// Whether the engine can use its streams in their own protocol.
    pub(crate) fn has_streams(&self) -> bool {
        self.version.is_some_and(|version| STREAMS <= version)
    }

    /// Folder of a node's data.
    pub(super) fn data_folder(&self) -> &'static str {
        match self.version {
            Some(version) if NEW_DATA <= version => DATA[1],
            _ => DATA[0],
        }
    }

    /// The data of the others.
    pub(super) fn other_data_folder(&self) -> &'static str {
        let [old, new] = DATA;
        if self.data_folder() == old { new } else { old }
    }

    /// A program of the same package.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.server.with_file_name(name)
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(formatter, "RabbitMQ {version}"),
            None => write!(formatter, "{}", self.server.display()),
        }
    }
}

impl Version {
    /// The folder that its package has its programs in bears the version: `rabbitmq_server-4.0.5`, or with Homebrew
    /// `rabbitmq/4.0.5`.
    pub(super) fn in_path(path: &Path) -> Option<Self> {
        let names = path.components().map(Component::as_os_str);
        let names: Vec<_> = names.filter_map(|name| name.to_str()).collect();
        let parents = iter::once("").chain(names.iter().copied());
        let mut versions = parents.zip(&names).filter_map(|(parent, name)| {
            let is_own = name.contains("rabbitmq") || parent == "rabbitmq";
            Self::parse(name.rsplit('-').next()?).filter(|_| is_own)
        });
        versions.next()
    }

    /// Three numbers.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parts = text.split('.').map(str::parse);
        let parts: Vec<u32> = parts.collect::<Result<_, _>>().ok()?;
        parts.try_into().ok().map(Self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(formatter, "{major}.{minor}.{patch}")
    }
}

/// Where packages put it.
pub(super) fn on_this_machine() -> Option<PathBuf> {
    let debian = Path::new(DEBIAN);
    let debian = debian.exists().then(|| debian.to_owned());
    debian
        .or_else(|| {
            programs::on_path("rabbitmq-server").filter(|program| !is_debian_wrapper(program))
        })
        .or_else(|| programs::in_folders(&SBIN, "rabbitmq-server"))
}

fn is_debian_wrapper(program: &Path) -> bool {
    program
        .canonicalize()
        .is_ok_and(|target| target.ends_with(DEBIAN_WRAPPER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(path: &str) -> Broker {
        Broker {
            server: path.into(),
            version: Version::in_path(path.as_ref()),
        }
    }

    #[test]
    fn the_folder_of_the_programs_tells_the_version() {
        let debian = broker("/usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin/rabbitmq-server");
        assert_eq!(debian.to_string(), "RabbitMQ 3.10.8");
        let homebrew = broker("/opt/homebrew/Cellar/rabbitmq/4.1.0/sbin/rabbitmq-server");
        assert_eq!(homebrew.to_string(), "RabbitMQ 4.1.0");
        let other = broker("/store/x1-rabbitmq-server-4.2.1/bin/rabbitmq-server");
        assert_eq!(other.to_string(), "RabbitMQ 4.2.1");
        for other in [
            "/usr/bin/rabbitmq-server",
            "/opt/4.1.0/sbin/rabbitmq-server",
        ] {
            assert_eq!(broker(other).to_string(), other);
        }
    }

    #[test]
    fn streams_and_the_data_go_by_the_version() {
        let of = |version: &str| {
            let broker = broker(&format!("/rabbitmq_server-{version}/rabbitmq-server"));
            (broker.has_streams(), broker.data_folder())
        };
        assert_eq!(of("3.9.29"), (false, "mnesia"));
        assert_eq!(of("3.11.0"), (true, "mnesia"));
        assert_eq!(of("3.13.7"), (true, "mnesia"));
        assert_eq!(of("4.0.5"), (true, "mnesia-4"));
        assert_eq!(of("unknown"), (false, "mnesia"));
    }
}
