//! Installs Debian packages, as root on Debian only and never in silence.

use std::{
    fs,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{child, failure::Failure, progress::Progress, project::Project};

const LIMIT: Duration = Duration::from_secs(15 * 60);
const SHORT_LIMIT: Duration = Duration::from_secs(10);

/// Installs `package` after saying so.
///
/// # Errors
/// When this is not Debian or we are not root; the hint is the command that does it.
pub(crate) fn install(
    project: &Project,
    progress: &Progress,
    package: &str,
    why: &str,
) -> Result<()> {
    let id = project.command(cmd!(project.shell, "id -u"));
    let is_root = child::answer(id, &project.interrupt, SHORT_LIMIT).as_deref() == Some("0");
    if !Path::new("/etc/debian_version").exists() {
        return Err(Failure::new(format!("`{package}` is missing ({why})"))
            .hint(format!("install what your system calls {package} (macOS: `brew install {package}`), or use `--backend docker`"))
            .into());
    }
    if !is_root {
        return Err(Failure::new(format!("`{package}` is missing ({why})"))
            .hint(format!("run `sudo apt-get install --no-install-recommends {package}`, or use `--backend docker`"))
            .into());
    }
    progress.say(&format!(
        "installing Debian's package {package} into the system ({why})"
    ));
    let line = progress.line("apt-get");
    let log = project.target.join("servers").join("apt.log");
    let _no_services = NoServices::hold()?;
    line.say("reading the package lists");
    let update = cmd!(project.shell, "apt-get update --quiet");
    child::logged(project.command(update), &log, &project.interrupt, LIMIT)
        .context("read the package lists")?;
    line.say(&format!("installing {package}"));
    let install = cmd!(
        project.shell,
        "apt-get install --quiet --yes --no-install-recommends {package}"
    );
    let install = install
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1");
    child::logged(project.command(install), &log, &project.interrupt, LIMIT)
        .with_context(|| format!("install {package}"))?;
    line.done(&format!("installed {package}"));
    Ok(())
}

/// Keeps packages from starting their services while it lives.
///
/// Debian asks this program before it starts anything; one that is there already is left alone.
#[derive(Debug)]
struct NoServices {
    ours: Option<PathBuf>,
}

impl NoServices {
    fn hold() -> Result<Self> {
        let path = PathBuf::from("/usr/sbin/policy-rc.d");
        let mut options = fs::OpenOptions::new();
        let Ok(_) = options.write(true).create_new(true).mode(0o755).open(&path) else {
            return Ok(Self { ours: None });
        };
        let held = Self {
            ours: Some(path.clone()),
        };
        fs::write(&path, "#!/bin/sh\nexit 101\n")
            .with_context(|| format!("write {}", path.display()))?;
        // The file's mode was cut by our umask.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .context("make policy-rc.d executable")?;
        Ok(held)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(path) = &self.ours {
            // Nothing more can be done about a file that will not go.
            let _ = fs::remove_file(path);
        }
    }
}
