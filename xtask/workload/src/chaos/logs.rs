//! The engines' logs, and where in them each moment of the run is.

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Lines shown before and after a moment.
const BEFORE: usize = 8;
const AFTER: usize = 6;
const LINE_CHARS: usize = 300;

/// The log of one engine over all of its starts.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) path: PathBuf,
    /// Its length at some moments, both growing.
    lengths: RefCell<Vec<(Duration, u64)>>,
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            lengths: RefCell::default(),
        }
    }

    /// Notes how long it is now.
    pub(super) fn mark(&self, now: Duration) {
        let length = fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        let mut lengths = self.lengths.borrow_mut();
        if lengths.last().is_none_or(|(_, before)| *before < length) {
            lengths.push((now, length));
        }
    }

    /// The lines around a moment.
    pub(super) fn around(&self, at: Duration) -> String {
        let lengths = self.lengths.borrow();
        let index = lengths.partition_point(|(moment, _)| *moment <= at);
        let offset = index.checked_sub(1).map_or(0, |index| lengths[index].1);
        excerpt(&read(&self.path), offset)
    }
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}

fn excerpt(text: &[u8], offset: u64) -> String {
    let offset = usize::try_from(offset).unwrap_or(text.len());
    let (before, after) = text.split_at(offset.min(text.len()));
    let (before, after) = (
        String::from_utf8_lossy(before),
        String::from_utf8_lossy(after),
    );
    let before: Vec<&str> = before.lines().collect();
    let skipped = before.len().saturating_sub(BEFORE);
    let lines = before
        .into_iter()
        .skip(skipped)
        .chain(after.lines().take(AFTER));
    let cut = |line: &str| format!("    {}", line.chars().take(LINE_CHARS).collect::<String>());
    lines.map(cut).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_has_the_lines_on_both_sides() {
        let numbers: Vec<_> = (0..30).map(|number| format!("{number:02}")).collect();
        let excerpt = excerpt(numbers.join("\n").as_bytes(), 15 * 3);
        let lines: Vec<&str> = excerpt.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "07", "08", "09", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20"
            ]
        );
        assert_eq!(super::excerpt(b"one", 9), "    one");
    }
}
