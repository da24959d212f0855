//! The Python packages that tests and bench compare with, in a folder of their own.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use crate::{progress::Progress, project::Project, servers::native::install::Fetch};

const REQUIREMENTS: &str = "xtask/requirements/python.txt";
const INSTALLED: [&str; 2] = ["pymongo-4.20.0.dist-info", "pika-1.4.4.dist-info"];

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
    let part = folder.with_file_name("python.part");
    let fetch = Fetch {
        what: &what,
        otherwise: "or install nothing and use `cargo test`",
        requirements: REQUIREMENTS,
        options: &[],
    };
    fetch.run(project, progress, offline, &part)?;
    let _ = fs::remove_dir_all(&folder);
    fs::rename(&part, &folder).with_context(|| format!("write {}", folder.display()))?;
    Ok(folder)
}
