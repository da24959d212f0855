//! A report's page: what README shows, the plots, and the report itself beside them.

use std::{
    env, fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{page, plot, report::Report, summary::Summary};
use crate::hint::Hinted;

/// Where a report is published unless another folder is named.
pub(super) const FOLDER: &str = "xtask/bench";
/// The page with the block.
const README: &str = "README.md";
/// The lines between which the block is.
const BEGIN: &str = "<!-- bench: begin -->\n";
const END: &str = "<!-- bench: end -->\n";

/// Writes `report`, which was read from `file`, with its plots to `folder`, and the block of README.md in the current
/// folder.
///
/// # Errors
/// If README.md has no place for the block, or a file cannot be read or written.
pub(super) fn publish(file: &Path, report: &Report, folder: &Path) -> Result<()> {
    let readme = fs::read_to_string(README).with_context(|| format!("read {README}"))?;
    let here = env::current_dir().context("find the current folder")?;
    let page = replaced(&readme, &page::page(report, &link(folder, &here)?))?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    // Word for word: a number that was read and written again may end in another digit.
    let json = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    write(&folder.join("report.json"), &json)?;
    for (name, text) in plot::plots(report, &Summary::of(report)) {
        write(&folder.join(name), &text)?;
    }
    write(&PathBuf::from(README), &page)
}

/// `folder` as a link from a page in `here`.
fn link(folder: &Path, here: &Path) -> Result<String> {
    let inside = folder.strip_prefix(here).unwrap_or(folder);
    let mut names = Vec::new();
    for component in inside.components() {
        match (component, component.as_os_str().to_str()) {
            (Component::CurDir, _) => {}
            (Component::Normal(_), Some(name)) if !name.contains([' ', '(', ')']) => {
                names.push(name);
            }
            _ => bail!(Hinted::new(
                format!("{README} cannot link to {}", folder.display()),
                format!("name a folder below it, such as {FOLDER}"),
            )),
        }
    }
    Ok(names.join("/"))
}

/// `readme` with `block` between the marks.
fn replaced(readme: &str, block: &str) -> Result<String> {
    let place = readme
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?)));
    let Some((before, (_, after))) = place else {
        bail!(Hinted::new(
            format!("{README} has no place for the figures"),
            format!("add the lines\n{BEGIN}{END}"),
        ));
    };
    Ok(format!("{before}{BEGIN}{block}{END}{after}"))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("write {}", file.display()))
}

#[cfg(test)]
mod tests;
