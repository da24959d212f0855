//! A report's page: what a page shows, the plots, and the report itself beside them.

use std::{
    env, fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{page, plot, summary::Summary};
use crate::hint::Hinted;

/// Where a report is published unless another folder is named.
pub(super) const FOLDER: &str = "xtask/bench";
/// The project's page with the block, from the project's folder.
const PAGE: &str = "docs/performance.md";
/// The page of a folder that has one of its own.
const OWN_PAGE: &str = "README.md";
/// The lines between which a page has a block of figures, each with its end.
pub(super) type Marks = [&'static str; 2];
/// Those of a report, and those of the bench beside another program.
const REPORT: Marks = ["<!-- bench: begin -->\n", "<!-- bench: end -->\n"];
pub(super) const PEER: Marks = ["<!-- peer: begin -->\n", "<!-- peer: end -->\n"];

/// Writes the report of `summary`, which was read from `file`, with its plots to `folder`, and the block of the page that shows them.
/// Returns that page: the README.md of `folder` where it has one, else [`PAGE`] below the current folder.
///
/// # Errors
/// If the page has no place for the block, or a file cannot be read or written.
pub(super) fn publish(file: &Path, summary: &Summary, folder: &Path) -> Result<PathBuf> {
    let here = env::current_dir().context("find the current folder")?;
    let (path, plots) = page_of(folder, &here)?;
    let page = filled(&path, REPORT, &page::page(summary, &plots))?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    // Word for word: a number that was read and written again may end in another digit.
    let json = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    write(&folder.join("report.json"), &json)?;
    for (name, text) in plot::plots(summary) {
        write(&folder.join(name), &text)?;
    }
    write(&path, &page)?;
    Ok(path)
}

/// The page that shows what is in `folder`, seen from `here`, and what its links to files there begin with.
fn page_of(folder: &Path, here: &Path) -> Result<(PathBuf, String)> {
    let own = folder.join(OWN_PAGE);
    if own.is_file() {
        return Ok((own, String::new()));
    }
    Ok((PathBuf::from(PAGE), link(folder, here)?))
}

/// What a link from [`PAGE`] below `here` to a file in `folder` begins with.
fn link(folder: &Path, here: &Path) -> Result<String> {
    let inside = folder.strip_prefix(here).unwrap_or(folder);
    let mut names = "../".repeat(PAGE.matches('/').count());
    for component in inside.components() {
        match (component, component.as_os_str().to_str()) {
            (Component::CurDir, _) => {}
            (Component::Normal(_), Some(name)) if !name.contains([' ', '(', ')']) => {
                names.extend([name, "/"]);
            }
            _ => bail!(Hinted::new(
                format!("{PAGE} cannot link to {}", folder.display()),
                format!("name a folder of the project, such as {FOLDER}"),
            )),
        }
    }
    Ok(names)
}

/// Writes `block` between the marks of the page at `path`.
///
/// # Errors
/// If the page has no place for the block, or cannot be read or written.
pub(super) fn fill(path: &Path, marks: Marks, block: &str) -> Result<()> {
    write(path, &filled(path, marks, block)?)
}

/// The page at `path` with `block` between its marks.
fn filled(path: &Path, marks: Marks, block: &str) -> Result<String> {
    let page = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    replaced(&page, marks, block).ok_or_else(|| {
        Hinted::new(
            format!("{} has no place for the figures", path.display()),
            format!("add the lines\n{}", marks.concat()),
        )
        .into()
    })
}

/// `page` with `block` between the marks, if it has them.
fn replaced(page: &str, [begin, end]: Marks, block: &str) -> Option<String> {
    let (before, rest) = page.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}{block}{end}{after}"))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("write {}", file.display()))
}

#[cfg(test)]
mod tests;
