//! Python packages that tests and bench compare with, in folders of their own.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{child, progress::Progress, project::Project, servers::native::install};

const LIMIT: Duration = Duration::from_secs(5 * 60);

/// Packages that belong together.
#[derive(Debug)]
pub(crate) struct Packages {
    /// Folder below `target/servers`.
    folder: &'static str,
    /// Names the packages and their hashes, which pip checks.
    requirements: &'static str,
    /// What is in the folder once they are installed.
    installed: &'static [&'static str],
    /// What is downloaded, for a person.
    what: &'static str,
    /// What a person can do instead.
    otherwise: &'static str,
}

/// The original reader's library.
pub(crate) const TESTS: Packages = Packages {
    folder: "python",
    requirements: "xtask/requirements/tests.txt",
    installed: &["pymongo-4.20.0.dist-info"],
    what: "pymongo 4.20.0 from the Python package of that name: 1 MB to download, 8 MB",
    otherwise: "or install nothing and use `cargo test`",
};

/// What a user would take instead of the engine.
pub(crate) const BENCH: Packages = Packages {
    folder: "python-bench",
    requirements: "xtask/requirements/bench.txt",
    installed: &["pymongo-4.20.0.dist-info", "pika-1.4.4.dist-info"],
    what: "pymongo 4.20.0 and pika 1.4.4 from the Python packages of these names: 1 MB to download, 9 MB",
    otherwise: "which leaves them there",
};

impl Packages {
    /// The folder to put on `PYTHONPATH`, filling it unless an earlier run has.
    pub(crate) fn path(
        &self,
        project: &Project,
        progress: &Progress,
        offline: bool,
    ) -> Result<PathBuf> {
        let folder = project.target.join("servers").join(self.folder);
        if self.installed.iter().all(|name| folder.join(name).is_dir()) {
            return Ok(folder);
        }
        let what = format!("{} in {}", self.what, project.relative(&folder));
        install::announce(progress, offline, &what, self.otherwise)?;
        install::pip(project, progress)?;
        let _ = fs::remove_dir_all(&folder);
        let log = folder.with_extension("log");
        let requirements = self.requirements;
        let pip = cmd!(
            project.shell,
            "python3 -m pip install --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: --target {folder} --requirement {requirements}"
        );
        child::logged(project.command(pip), &log, &project.interrupt, LIMIT)
            .context("install the Python packages")?;
        Ok(folder)
    }
}
