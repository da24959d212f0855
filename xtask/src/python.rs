//! The Python packages that tests and bench compare with, in a folder of their own.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{child, progress::Progress, project::Project, servers::native::install};

/// Names the packages and their hashes, which pip checks.
const REQUIREMENTS: &str = "xtask/requirements/python.txt";
const INSTALLED: [&str; 2] = ["pymongo-4.20.0.dist-info", "pika-1.4.4.dist-info"];
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// The folder to put on `PYTHONPATH`, filling it unless an earlier run has.
pub(crate) fn packages(project: &Project, progress: &Progress, offline: bool) -> Result<PathBuf> {
    let folder = project.target.join("servers").join("python");
    if INSTALLED.iter().all(|name| folder.join(name).is_dir()) {
        return Ok(folder);
    }
    let what = format!(
        "pymongo 4.20.0 and pika 1.4.4 from the Python packages of these names: 1 MB to download, 9 MB in {}",
        project.relative(&folder)
    );
    install::announce(
        progress,
        offline,
        &what,
        "or install nothing and use `cargo test`",
    )?;
    install::pip(project, progress)?;
    let _ = fs::remove_dir_all(&folder);
    let log = folder.with_file_name("python.log");
    let pip = cmd!(
        project.shell,
        "python3 -m pip install --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: --target {folder} --requirement {REQUIREMENTS}"
    );
    child::logged(project.command(pip), &log, &project.interrupt, LIMIT)
        .context("install the Python packages")?;
    Ok(folder)
}
