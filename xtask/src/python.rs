//! The Python packages that tests and bench compare with, in a folder of their own.

use std::path::PathBuf;

use anyhow::Result;

use crate::{progress::Progress, project::Project, servers::native::install::Packages};

const PACKAGES: Packages = Packages {
    what: "pymongo 4.20.0, pika 1.4.4, cloudevents 2.2.0 and python-dateutil 4.0.0 from the Python packages of these \
           names: 2 MB to download, 10 MB",
    otherwise: "or install nothing and use `cargo test`",
    requirements: "xtask/requirements/python.txt",
    options: &[],
};
const INSTALLED: [&str; 4] = [
    "pymongo-4.20.0.dist-info",
    "pika-1.4.4.dist-info",
    "cloudevents-2.2.0.dist-info",
    "python_dateutil-4.0.0.dist-info",
];

/// The folder to put on `PYTHONPATH`, filling it unless an earlier run has.
pub(crate) fn packages(project: &Project, progress: &Progress, offline: bool) -> Result<PathBuf> {
    let folder = project.target.join("servers").join("python");
    if !INSTALLED.iter().all(|name| folder.join(name).is_dir()) {
        PACKAGES.fetch(project, progress, offline, &folder, |_| Ok(()))?;
    }
    Ok(folder)
}
