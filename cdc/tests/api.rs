//! The public API, as the sources have it, against `api.txt`: a change of it is seen in review, and made on purpose.
//!
//! It reads what `rustfmt` wrote: an item begins at the margin, and what is in it four spaces further in.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{collections::BTreeSet, fs, path::Path};

const HIDDEN: &str = "#[doc(hidden)]";
const HIDDEN_MODULE: &str = "#[cfg_attr(doc, doc(hidden))]";

#[test]
fn the_public_api_is_as_it_is_written_down() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let api = api(&folder.join("src"));
    let written = folder.join("api.txt");
    if std::env::var_os("CDC_TEST_REGENERATE").is_some() {
        fs::write(&written, &api).unwrap();
    }
    assert!(
        fs::read_to_string(written).unwrap_or_default() == api,
        "cdc/api.txt is not what the sources have; where that is meant, this writes it:\n\
         CDC_TEST_REGENERATE=1 cargo test -p cdc --test api\n\n{api}"
    );
}

#[test]
fn members_are_found_and_hidden_ones_are_not() {
    let text = "/// Text.\n#[derive(Debug, Clone)]\npub struct One<'a> {\n    pub name: &'a str,\n    secret: u8,\n}\n\n\
        impl One<'_> {\n    /// Text.\n    pub fn long(\n        &self,\n        that: u8,\n    ) -> u8 {\n        1\n    }\n\n    \
        #[doc(hidden)]\n    pub fn hidden(&self) {}\n\n    fn private(&self) {}\n}\n\n\
        impl fmt::Debug for One<'_> {\n    fn fmt(&self) {}\n}\n\npub struct Other;\n";
    let found = declaration(text, "One").unwrap();
    assert_eq!(
        found,
        [
            "#[derive(Debug, Clone)]",
            "pub struct One<'a>",
            "    pub name: &'a str",
            "    pub fn long(&self, that: u8) -> u8",
            "    impl fmt::Debug"
        ]
    );
    assert_eq!(declaration(text, "Another"), None);
    let text = "pub trait Two: Send {\n    type Error: Send;\n\n    fn first(&self) -> u8 {\n        1\n    }\n}\n\npub enum Three {\n    \
        A,\n    B(u8),\n}\n";
    assert_eq!(
        declaration(text, "Two").unwrap(),
        [
            "pub trait Two: Send",
            "    type Error: Send",
            "    fn first(&self) -> u8 { .. }"
        ]
    );
    assert_eq!(
        declaration(text, "Three").unwrap(),
        ["pub enum Three", "    A", "    B(u8)"]
    );
}

/// Every name at the root with all that can be used of it.
fn api(source: &Path) -> String {
    let root = fs::read_to_string(source.join("lib.rs")).unwrap();
    let mut lines = vec![open_modules(&root)];
    for (path, name, shown) in names(&root) {
        lines.push(format!("{shown}, from {}", path.join("::")));
        lines.extend(found(source, &path, &name));
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n") + "\n"
}

/// The modules of the root that are shown, which there should be none of.
fn open_modules(root: &str) -> String {
    let lines: Vec<&str> = root.lines().collect();
    let shown = lines
        .windows(2)
        .filter(|two| two[1].starts_with("pub mod ") && two[0] != HIDDEN_MODULE);
    shown.map(|two| two[1]).collect::<Vec<_>>().join("\n")
}

/// Module, name and shown name of each item that the root hands on.
fn names(root: &str) -> BTreeSet<(Vec<String>, String, String)> {
    let (_, group) = root.split_once("pub use self::{").unwrap();
    let group = group.split_once("\n};").unwrap().0;
    let mut all = BTreeSet::new();
    for entry in entries(group) {
        let (path, items) = if let Some((path, items)) = entry.split_once("::{") {
            (path.to_owned(), entries(items.trim_end_matches('}')))
        } else {
            let (path, item) = entry.rsplit_once("::").unwrap();
            (path.to_owned(), vec![item.to_owned()])
        };
        for item in items {
            let (name, shown) = item.split_once(" as ").unwrap_or((&item, &item));
            let path = path.split("::").map(str::to_owned).collect();
            all.insert((path, name.to_owned(), shown.to_owned()));
        }
    }
    all
}

/// What is between the commas outside braces.
fn entries(text: &str) -> Vec<String> {
    let (mut depth, mut entries) = (0, vec![String::new()]);
    for character in text.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match entries.last_mut() {
            Some(last) if character != ',' || 0 < depth => last.push(character),
            _ => entries.push(String::new()),
        }
    }
    let trimmed = entries
        .iter()
        .map(|entry| entry.split_whitespace().collect::<Vec<_>>().join(" "));
    trimmed.filter(|entry| !entry.is_empty()).collect()
}

/// The declaration of `name`, in the module's file or in one of the files that it takes it from.
fn found(source: &Path, path: &[String], name: &str) -> Vec<String> {
    let module = source.join(path.join("/"));
    let mut files = vec![module.with_extension("rs")];
    if let Ok(entries) = fs::read_dir(&module) {
        files.extend(
            entries
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.is_file()),
        );
    }
    files.sort();
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let all: Vec<Vec<String>> = texts.filter_map(|text| declaration(&text, name)).collect();
    let [one] = &all[..] else {
        panic!(
            "{name} is declared {} times in {}",
            all.len(),
            module.display()
        );
    };
    one.clone()
}

/// What `text` declares of the type or trait `name`, a line each.
fn declaration(text: &str, name: &str) -> Option<Vec<String>> {
    let (mut found, mut derived) = (None, Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if ["#[derive(", "#[non_exhaustive"]
            .iter()
            .any(|kind| line.starts_with(kind))
        {
            derived.push(line.to_owned());
        }
        let is_it = ["pub struct ", "pub enum ", "pub trait "]
            .iter()
            .any(|kind| {
                line.strip_prefix(kind)
                    .is_some_and(|rest| begins_with(rest, name))
            });
        let inherent = line.strip_prefix("impl").is_some_and(|rest| {
            let rest = rest.trim_start_matches("<'a>").trim_start();
            begins_with(rest, name) && !line.contains(" for ")
        });
        let of_trait = line
            .strip_prefix("impl ")
            .and_then(|rest| rest.split_once(" for "));
        if is_it {
            let mut lines_of_it = derived.clone();
            lines_of_it.push(head(line));
            if line.ends_with('{') {
                lines_of_it.extend(members(&mut lines, line.contains("struct")));
            }
            found.get_or_insert_with(Vec::new).extend(lines_of_it);
        } else if inherent {
            let members = members(&mut lines, true);
            found.get_or_insert_with(Vec::new).extend(members);
        } else if let Some((what, whom)) = of_trait
            && begins_with(whom, name)
        {
            found
                .get_or_insert_with(Vec::new)
                .push(format!("    impl {what}"));
        }
        if !line.starts_with("#[") {
            derived.clear();
        }
    }
    found
}

fn begins_with(text: &str, name: &str) -> bool {
    let rest = text.strip_prefix(name);
    rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}

/// The line of an item without what opens its body.
fn head(line: &str) -> String {
    match line.split_once('(') {
        // What is in a tuple is private here.
        Some((head, _)) if line.starts_with("pub struct ") => head.to_owned(),
        _ => line.trim_end_matches(['{', ';']).trim_end().to_owned(),
    }
}

/// The members of an item, up to its end; only those that are `pub` where `needs_pub`.
fn members<'a>(lines: &mut impl Iterator<Item = &'a str>, needs_pub: bool) -> Vec<String> {
    let (mut members, mut is_hidden) = (Vec::new(), false);
    while let Some(line) = lines.next().filter(|line| *line != "}") {
        let Some(inner) = line.strip_prefix("    ") else {
            continue;
        };
        if inner == HIDDEN {
            is_hidden = true;
        }
        let begins = inner.starts_with(|first: char| first.is_alphabetic());
        if !begins {
            continue;
        }
        let mut signature = inner.to_owned();
        while !signature.ends_with(['{', '}', ';', ',']) || signature.ends_with("(,") {
            signature.push_str(lines.next().unwrap());
        }
        // Arguments over several lines end with a comma each.
        while signature.matches('(').count() > signature.matches(')').count()
            || (inner.contains("fn ") && signature.ends_with(','))
        {
            signature.push_str(lines.next().unwrap());
        }
        let is_public = inner.starts_with("pub ") || !needs_pub;
        if is_public && !is_hidden {
            members.push(format!("    {}", tidy(&signature)));
        }
        is_hidden = false;
    }
    members
}

/// A signature on one line, without its body or its value.
fn tidy(signature: &str) -> String {
    let signature = signature.split(" = ").next().unwrap();
    let words = signature.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = words.replace("( ", "(").replace(", )", ")");
    let is_given = words.starts_with("fn ") && words.ends_with('{');
    let bare = words
        .trim_end_matches("{}")
        .trim_end_matches(['{', ';', ','])
        .trim_end();
    format!("{bare}{}", if is_given { " { .. }" } else { "" })
}
