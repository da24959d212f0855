//! The fields of log lines, which users' queries name: each is in the documents, with what it is.

use std::{collections::BTreeSet, fs, path::Path};

use super::{files, read};

const MACROS: [&str; 4] = ["error!(", "warn!(", "info!(", "debug!("];

/// The names of the fields of every log line in `source`.
fn fields(source: &str) -> BTreeSet<String> {
    let calls = MACROS
        .iter()
        .flat_map(|name| source.match_indices(name).map(|(at, name)| at + name.len()));
    calls
        .flat_map(|at| arguments(&source[at..]))
        .filter_map(|argument| name(&argument))
        .collect()
}

/// What stands between commas, up to the message or the end of the call.
fn arguments(call: &str) -> Vec<String> {
    let (mut all, mut depth) = (vec![String::new()], 0);
    for letter in call.chars() {
        match letter {
            '"' if depth == 0 && all.last().is_some_and(|one| one.trim().is_empty()) => break,
            ')' if depth == 0 => break,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        match (letter, all.last_mut()) {
            (',', _) if depth == 0 => all.push(String::new()),
            (_, Some(last)) => last.push(letter),
            (_, None) => {}
        }
    }
    all
}

fn name(argument: &str) -> Option<String> {
    let argument =
        argument.trim_start_matches(|letter: char| letter.is_whitespace() || "%?".contains(letter));
    let end = argument.find(|letter: char| !letter.is_ascii_lowercase() && letter != '_');
    let name = &argument[..end.unwrap_or(argument.len())];
    (!name.is_empty()).then(|| name.to_owned())
}

#[test]
fn the_fields_of_a_line_are_what_stands_before_its_message() {
    let source = r#"warn!(error = chain(&error), %to, ?policy, seconds, lag_ms = of(1, 2), "it failed, {}", seconds);
        info!("nothing");"#;
    let expected = ["error", "lag_ms", "policy", "seconds", "to"].map(str::to_owned);
    assert_eq!(fields(source), BTreeSet::from(expected));
}

#[test]
fn the_documents_have_every_field_of_the_log_and_no_other() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = files(&source, "rs").into_iter();
    let sources = sources.map(|file| fs::read_to_string(file).unwrap());
    let used: BTreeSet<String> = sources.flat_map(|source| fields(&source)).collect();
    let page = read("docs/operating.md");
    let (_, section) = page.split_once("\n## The log\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let told: BTreeSet<String> = rows.map(|(name, _)| name.to_owned()).collect();
    assert_eq!(used, told);
}
