//! Has programs of another release of Debian run from a folder of ours, on the libraries that came with them.
//!
//! Their files name the loader and the folder of the libraries. No variable does: it would reach the programs of this
//! machine that they start, such as `sh`.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{child, project::Project};

const ERLANG: &str = "usr/lib/erlang";
const PATCH_LIMIT: Duration = Duration::from_secs(60);

/// Puts in order what is unpacked in `part`, to be used from `folder`.
pub(super) fn relocate(project: &Project, part: &Path, folder: &Path, log: &Path) -> Result<()> {
    let erlang = files(&part.join(ERLANG))?;
    let (libraries, programs): (Vec<_>, Vec<_>) = erlang
        .iter()
        .filter(|file| is_elf(file))
        .partition(|file| file.extension().is_some_and(|ending| ending == "so"));
    let loader = loader(part)?;
    let place = |path: &Path| Ok::<_, anyhow::Error>(folder.join(path.strip_prefix(part)?));
    let own_libraries = loader.parent().context("find the libraries")?;
    let (its_loader, its_libraries) = (place(&loader)?, place(own_libraries)?);
    let patchelf = part.join("usr/bin/patchelf");
    // A path of its own for what it loads later too, hence the older kind of the two, which is passed on.
    let patch = |options: &[&Path], files: &[&PathBuf]| {
        let command = cmd!(
            project.shell,
            "{loader} --library-path {own_libraries} {patchelf} {options...} --force-rpath --set-rpath {its_libraries} {files...}"
        );
        child::logged(
            project.command(command),
            log,
            &project.interrupt,
            PATCH_LIMIT,
        )
        .context("change the folder of Erlang's libraries")
    };
    patch(&[], &libraries)?;
    patch(&["--set-interpreter".as_ref(), &its_loader], &programs)?;
    change_scripts(part, folder, &erlang)
}

/// Erlang's own start script names its folder; RabbitMQ's take Erlang from PATH.
fn change_scripts(part: &Path, folder: &Path, erlang: &[PathBuf]) -> Result<()> {
    let root = folder.join(ERLANG);
    let root = root.display();
    let own = format!("ROOTDIR=/{ERLANG}\n");
    for script in erlang.iter().filter(|file| file.ends_with("bin/erl")) {
        change(script, |text| {
            text.replace(&own, &format!("ROOTDIR={root}\n"))
        })?;
    }
    // What every script reads first. Providers of this machine's OpenSSL are not for another version.
    let head = format!(
        "PATH=\"{root}/bin:$PATH\"\nOPENSSL_MODULES=\"{root}/none\"\nexport PATH OPENSSL_MODULES\n"
    );
    let bin = part.join("usr/lib/rabbitmq/bin");
    change(&bin.join("rabbitmq-env"), |text| {
        match text.split_once('\n') {
            Some((first, rest)) => format!("{first}\n{head}{rest}"),
            None => String::new(),
        }
    })?;
    symlink("../../erlang/bin/epmd", bin.join("epmd")).context("link Erlang's port mapper")
}

/// # Errors
/// When there is nothing to change: the package is another one than is expected here.
fn change(script: &Path, change: impl Fn(&str) -> String) -> Result<()> {
    let text = fs::read_to_string(script).with_context(|| format!("read {}", script.display()))?;
    let changed = change(&text);
    anyhow::ensure!(
        changed.len() > text.len(),
        "{} is not as expected",
        script.display()
    );
    fs::write(script, changed).with_context(|| format!("write {}", script.display()))
}

/// The dynamic loader, which stands among the libraries of its architecture.
fn loader(part: &Path) -> Result<PathBuf> {
    let libraries = part.join("usr/lib");
    let mut loaders = files(&libraries)?.into_iter().filter(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("ld-linux") && name.contains(".so.")
    });
    loaders
        .next()
        .with_context(|| format!("find the loader in {}", libraries.display()))
}

/// All files below `folder`, without links.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || format!("read {}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(read)? {
        let entry = entry.with_context(read)?;
        let kind = entry.file_type().with_context(read)?;
        if kind.is_dir() {
            files.extend(self::files(&entry.path())?);
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(files)
}

fn is_elf(file: &Path) -> bool {
    let mut head = [0; 4];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == *b"\x7fELF"
}
