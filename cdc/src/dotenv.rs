//! Loads `.env` from the current folder. What is already set in the environment wins.

use std::{fs, io::ErrorKind, path::Path};

use crate::cli::Exit;

const FILE: &str = ".env";

/// Reads `.env` into the process's environment, if the file is there.
pub(crate) fn load() -> Result<(), Exit> {
    match dotenvy::from_path(Path::new(FILE)) {
        Ok(()) => Ok(()),
        Err(dotenvy::Error::Io(error)) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(dotenvy::Error::LineParse(text, _)) => {
            let content = fs::read_to_string(FILE).unwrap_or_default();
            Err(Exit::usage(
                // The line may hold a secret, so only its number is told.
                format!(
                    "{FILE}:{}: the line is not NAME=value",
                    line_number(&content, &text)
                ),
                Some("put values with spaces or # in double quotes"),
            ))
        }
        Err(error) => Err(Exit::usage(format!("{FILE}: {error}"), None)),
    }
}

/// Number of the line, from 1, at which the statement `text` begins.
fn line_number(content: &str, text: &str) -> usize {
    let first = text.lines().next().unwrap_or_default().trim();
    content
        .lines()
        .position(|line| line.trim() == first)
        .map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_counted_from_one() {
        assert_eq!(line_number("A=1\n\n# note\nB 2\nC=3\n", "B 2"), 4);
        assert_eq!(line_number("oops\n", "oops"), 1);
    }
}
