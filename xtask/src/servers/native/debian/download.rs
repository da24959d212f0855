//! Downloads packages of another release of Debian, with an `apt-get` whose lists and packages are in a folder of ours.
//!
//! The mirror is the one that the machine is configured with, and Debian's own keys have to have signed its lists.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{child, failure::Failure, progress::Line, project::Project, servers::native::programs};

const SUITE: &str = "trixie";
/// What RabbitMQ needs to run, and `patchelf` to have it run from another folder.
const PACKAGES: [&str; 25] = [
    "rabbitmq-server",
    "erlang-base",
    "erlang-asn1",
    "erlang-crypto",
    "erlang-eldap",
    "erlang-inets",
    "erlang-mnesia",
    "erlang-os-mon",
    "erlang-parsetools",
    "erlang-public-key",
    "erlang-runtime-tools",
    "erlang-ssl",
    "erlang-syntax-tools",
    "erlang-tools",
    "erlang-xmerl",
    "libc6",
    "libcap2",
    "libgcc-s1",
    "libssl3t64",
    "libstdc++6",
    "libsystemd0",
    "libtinfo6",
    "libzstd1",
    "patchelf",
    "zlib1g",
];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const QUESTION_LIMIT: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// A download that is possible here. What it has fetched goes with it.
#[derive(Debug)]
pub(super) struct Download {
    folder: PathBuf,
    log: PathBuf,
}

impl Download {
    /// Into a folder in `servers`.
    ///
    /// # Errors
    /// When this machine has no apt with Debian's keys.
    pub(super) fn possible(servers: &Path) -> Result<Self> {
        let programs = ["apt-get", "dpkg-deb"].map(programs::on_path);
        if programs.contains(&None) || !Path::new(KEYRING).is_file() {
            return Err(Failure::new("this machine has no apt with Debian's keys").into());
        }
        Ok(Self {
            folder: servers.join("rabbitmq.apt"),
            log: servers.join("rabbitmq.log"),
        })
    }

    /// Returns the packages.
    pub(super) fn fetch(&self, project: &Project, line: &Line) -> Result<Vec<PathBuf>> {
        self.clear();
        for folder in ["lists/partial", "archives/partial", "packages"] {
            let folder = self.folder.join(folder);
            fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        }
        // A machine on which nothing is installed.
        self.write("status", "")?;
        self.read_lists(project, line)?;
        line.say("downloading");
        let packages = self.folder.join("packages");
        let mut command = self.apt_get(project, &["download", "--quiet"]);
        command.args(PACKAGES).current_dir(&packages);
        child::logged(command, &self.log, &project.interrupt, LIMIT)
            .with_context(|| format!("download packages of Debian {SUITE}"))?;
        let entries = fs::read_dir(&packages).context("read the downloaded packages")?;
        Ok(entries.flatten().map(|entry| entry.path()).collect())
    }

    fn clear(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// Reads the lists of the first mirror that has them; a machine may have sources of others than Debian too.
    fn read_lists(&self, project: &Project, line: &Line) -> Result<()> {
        line.say(&format!("reading the package lists of Debian {SUITE}"));
        let mirrors = self.mirrors(project)?;
        let mut last = Failure::new("apt is configured with no mirror of Debian").into();
        for mirror in mirrors {
            let source = format!("deb [signed-by={KEYRING}] {mirror} {SUITE} main\n");
            self.write("sources.list", &source)?;
            let command = self.apt_get(project, &["update", "--quiet"]);
            match child::logged(command, &self.log, &project.interrupt, LIMIT) {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
            project.interrupt.check()?;
        }
        Err(last).with_context(|| {
            format!(
                "read the package lists of Debian {SUITE}, see {}",
                project.relative(&self.log)
            )
        })
    }

    /// Those that the machine is configured with.
    fn mirrors(&self, project: &Project) -> Result<Vec<String>> {
        let lists = option("Dir::State::lists", &self.folder.join("lists"));
        let question = cmd!(
            project.shell,
            "apt-get --option Debug::NoLocking=1 --option {lists} update --print-uris"
        );
        let uris = child::output(
            project.command(question),
            &project.interrupt,
            QUESTION_LIMIT,
        );
        Ok(mirrors(&uris.context("ask apt for its mirrors")?))
    }

    /// `apt-get` that knows nothing of this machine but how it reaches the network.
    fn apt_get(&self, project: &Project, arguments: &[&str]) -> std::process::Command {
        let path = |name: &str, value: &str| option(name, &self.folder.join(value));
        let mut command = project.command(cmd!(project.shell, "apt-get"));
        let options = [
            path("Dir::State", ""),
            path("Dir::State::lists", "lists"),
            path("Dir::State::status", "status"),
            path("Dir::Cache", ""),
            path("Dir::Etc::sourcelist", "sources.list"),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            "Dir::Etc::preferences=/dev/null".to_owned(),
            "Dir::Etc::preferencesparts=/dev/null".to_owned(),
            "APT::Default-Release=".to_owned(),
            // Its own user for downloads need not be allowed into our folder.
            "APT::Sandbox::User=root".to_owned(),
            // Else it succeeds where a list cannot be read.
            "APT::Update::Error-Mode=any".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=3".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Debug::NoLocking=1".to_owned(),
        ];
        for option in options {
            command.arg("--option").arg(option);
        }
        command.args(arguments);
        command
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.clear();
    }
}

fn option(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

/// The mirrors in what apt would read for its lists: `'MIRROR/dists/SUITE/InRelease' ...`, without those that only have
/// what came after a release.
fn mirrors(uris: &str) -> Vec<String> {
    let mut mirrors: Vec<String> = Vec::new();
    for line in uris.lines() {
        let uri = line
            .strip_prefix('\'')
            .and_then(|rest| rest.split('\'').next());
        let parts = uri.and_then(|uri| uri.strip_suffix("/InRelease")?.split_once("/dists/"));
        let Some((mirror, suite)) = parts else {
            continue;
        };
        if !suite.contains(['-', '/']) && !mirrors.iter().any(|known| known == mirror) {
            mirrors.push(mirror.to_owned());
        }
    }
    mirrors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirrors_are_those_of_whole_releases() {
        let uris = "\
            'http://mirror.example/debian/dists/bookworm/InRelease' mirror.example_InRelease 0 \n\
            'http://mirror.example/debian/dists/bookworm-updates/InRelease' x_InRelease 0 \n\
            'http://mirror.example/security/dists/bookworm-security/InRelease' y_InRelease 0 \n\
            'http://mirror.example/old/dists/buster/updates/InRelease' z_InRelease 0 \n\
            'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' p 0 \n\
            'http://mirror.example/debian/dists/sid/InRelease' mirror.example_sid_InRelease 0 \n\
            'http://other.example/dists/stable/InRelease' other.example_InRelease 0 \n\
            Reading package lists...\n";
        assert_eq!(
            mirrors(uris),
            ["http://mirror.example/debian", "http://other.example"]
        );
        assert_eq!(mirrors(""), [""; 0]);
    }
}
