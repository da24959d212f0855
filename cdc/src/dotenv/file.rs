//! Reads the text of `.env` and names the line of everything that is wrong in it. The toolkit compiles this file too.

use std::{
    cell::Cell,
    collections::BTreeMap,
    io::{self, Read},
};

/// Variables in the order of their lines: name, value, number of the line.
pub(crate) type Variables = Vec<(String, String, usize)>;
/// Numbers of lines, from 1, and what is wrong with each. No value is shown, since it may be a secret.
pub(crate) type Faults = Vec<(usize, String)>;

/// Reads `text`; `unknown` says what is wrong with a name, if anything.
///
/// # Errors
/// All faults together.
pub(crate) fn parse(
    text: &str,
    unknown: impl Fn(&str) -> Option<String>,
) -> Result<Variables, Faults> {
    let text = text.trim_start_matches('\u{feff}');
    let lines: Vec<&str> = text.lines().collect();
    let lines_read = Cell::new(0);
    let mut statements = dotenvy::Iter::new(LineByLine {
        rest: text.as_bytes(),
        lines_read: &lines_read,
    });
    let (mut variables, mut faults) = (Variables::new(), Faults::new());
    let mut lines_of = BTreeMap::new();
    loop {
        let start = lines_read.get();
        let Some(statement) = statements.next() else {
            break;
        };
        let line = 1 + start + lines_without_meaning(&lines[start..]);
        let mut fault = |text: String| faults.push((line, text));
        if has_stray_dollar(&lines[line - 1..lines_read.get()].join("\n"), &variables) {
            fault(
                "a `$` outside of single quotes stands for a variable, and none is meant"
                    .to_owned(),
            );
        } else if statement.is_err() {
            fault("the line is not NAME=value, or a quote is not closed".to_owned());
        }
        let Ok((name, value)) = statement else {
            continue;
        };
        if let Some(text) = unknown(&name) {
            fault(text);
        } else if let Some(first) = lines_of.insert(name.clone(), line) {
            fault(format!(
                "{name} is set a second time, first on line {first}"
            ));
        }
        variables.push((name, value, line));
    }
    if faults.is_empty() {
        Ok(variables)
    } else {
        Err(faults)
    }
}

/// How many blank and comment lines stand at the front.
fn lines_without_meaning(lines: &[&str]) -> usize {
    let is_empty = |line: &&&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    lines.iter().take_while(is_empty).count()
}

/// Whether a `$` would be taken for the beginning of a variable's name, and is not `${NAME}` of one that is set.
fn has_stray_dollar(statement: &str, variables: &Variables) -> bool {
    let is_set = |name: &str| {
        std::env::var_os(name).is_some() || variables.iter().any(|(known, ..)| known == name)
    };
    let (mut quote, mut before) = (None, ' ');
    let mut characters = statement.char_indices();
    while let Some((at, character)) = characters.next() {
        match (character, quote) {
            ('\'', Some('\'')) | ('"', Some('"')) => quote = None,
            (_, Some('\'')) => {}
            ('\\', _) => drop(characters.next()),
            ('\'' | '"', None) => quote = Some(character),
            ('#', None) if before.is_whitespace() => return false,
            ('$', _) => {
                let name = statement[at + 1..].strip_prefix('{');
                if !name
                    .and_then(|rest| rest.split_once('}'))
                    .is_some_and(|(name, _)| is_set(name))
                {
                    return true;
                }
            }
            _ => {}
        }
        before = character;
    }
    false
}

/// Hands out one line per read, so that the number of reads tells how far the parser has come, which itself does not.
struct LineByLine<'a> {
    rest: &'a [u8],
    lines_read: &'a Cell<usize>,
}

impl Read for LineByLine<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line_end = self.rest.iter().position(|byte| *byte == b'\n');
        let line_end = line_end.map_or(self.rest.len(), |at| at + 1);
        let count = line_end.min(buffer.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest = &self.rest[count..];
        if count > 0 && count == line_end {
            self.lines_read.set(self.lines_read.get() + 1);
        }
        Ok(count)
    }
}
