//! Reads `.env` without touching the process environment.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context, Result};

use crate::failure::{BAD_CONFIGURATION, Failure};

/// The variables of the file at `path`; none if there is no such file.
///
/// # Errors
/// A line that does not parse is named by file and number, never by its content: it may hold a secret.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    parse(&text).map_err(|line| {
        Failure::new(format!("{}: line {line} does not parse", path.display()))
            .hint("each line is NAME=value; put quotes around a value with spaces or special characters")
            .code(BAD_CONFIGURATION)
            .into()
    })
}

/// Like a shell's `source`, the last line for a name wins. Fails with the number of the first bad line.
fn parse(text: &str) -> Result<BTreeMap<String, String>, usize> {
    let text = text.trim_start_matches('\u{feff}');
    let lines_read = Cell::new(0);
    let mut entries = dotenvy::Iter::new(LineByLine {
        rest: text.as_bytes(),
        lines_read: &lines_read,
    });
    let mut variables = BTreeMap::new();
    loop {
        let line_start = lines_read.get();
        match entries.next() {
            None => return Ok(variables),
            Some(Ok((name, value))) => drop(variables.insert(name, value)),
            Some(Err(_)) => return Err(1 + line_start + lines_without_meaning(text, line_start)),
        }
    }
}

/// How many blank and comment lines stand from line `start` (counted from 0) on.
fn lines_without_meaning(text: &str, start: usize) -> usize {
    let is_empty = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    text.lines().skip(start).take_while(is_empty).count()
}

/// Hands out one line per read, so that the number of reads tells how far the parser has come.
///
/// The parser buffers what it reads and its errors have no line number.
struct LineByLine<'a> {
    rest: &'a [u8],
    lines_read: &'a Cell<usize>,
}

impl Read for LineByLine<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line_end = self
            .rest
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(self.rest.len(), |at| at + 1);
        let count = line_end.min(buffer.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest = &self.rest[count..];
        if count > 0 && count == line_end {
            self.lines_read.set(self.lines_read.get() + 1);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_bad(text: &str, line: usize) {
        assert_eq!(parse(text), Err(line), "{text:?}");
    }

    #[test]
    fn good_lines_become_variables_and_the_last_one_wins() {
        let variables = parse("\u{feff}A=1\n# note\n\nB='two words'\nA=\"3\"\n").unwrap();
        assert_eq!(variables["A"], "3");
        assert_eq!(variables["B"], "two words");
    }

    #[test]
    fn a_bad_line_is_counted_past_blank_and_comment_lines() {
        check_bad("no equals sign\n", 1);
        check_bad("A=1\nB=two words\n", 2);
        check_bad("A=1\n\n# note\n\nB\nC=2\n", 5);
        check_bad("A=1\r\nB=two words\r\n", 2);
    }

    #[test]
    fn an_open_quote_is_reported_where_it_opens() {
        check_bad("A=1\nB='never\nclosed\nC=2\n", 2);
    }

    #[test]
    fn a_value_over_several_lines_does_not_shift_the_count() {
        check_bad("A='one\ntwo'\nB\n", 3);
    }

    #[test]
    fn a_line_longer_than_any_buffer_counts_once() {
        check_bad(&format!("A={}\nB\n", "x".repeat(100_000)), 2);
    }
}
