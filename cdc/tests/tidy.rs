//! Checks of the tree itself: who imports whom, and whether the documents name what the code has.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "tidy/log_fields.rs"]
mod log_fields;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Who may import whom, from the outside in. A module is a file of `src` with the folder of its name.
const EDGES: &[(&str, &[&str])] = &[
    (
        "engine",
        &[
            "app", "config", "encode", "event", "health", "metrics", "pipeline", "sink", "snapshot",
        ],
    ),
    (
        "app",
        &[
            "admin",
            "rabbitmq",
            "checkpoint",
            "config",
            "headroom",
            "health",
            "lease",
            "metrics",
            "mongo",
            "pipeline",
            "position",
            "retry",
            "sabotage",
            "signals",
            "sink",
            "snapshot",
            "source",
            "start",
        ],
    ),
    (
        "operate",
        &[
            "admin",
            "rabbitmq",
            "checkpoint",
            "config",
            "health",
            "lease",
            "metrics",
            "mongo",
            "pipeline",
            "position",
            "share",
            "signals",
            "sink",
            "snapshot",
            "source",
            "start",
        ],
    ),
    ("admin", &["headroom", "health", "metrics", "retry"]),
    (
        "tail",
        &["rabbitmq", "config", "encode", "retry", "signals"],
    ),
    (
        "config",
        &[
            "admin",
            "rabbitmq",
            "checkpoint",
            "encode",
            "event",
            "headroom",
            "lease",
            "mongo",
            "pipeline",
            "position",
            "projection",
            "share",
            "sink",
            "snapshot",
            "source",
            "start",
        ],
    ),
    ("start", &["mongo", "position", "retry", "source"]),
    (
        "pipeline",
        &[
            "checkpoint",
            "encode",
            "event",
            "health",
            "message",
            "metrics",
            "position",
            "projection",
            "retry",
            "sabotage",
            "sink",
            "snapshot",
            "source",
        ],
    ),
    (
        "snapshot",
        &[
            "event", "health", "metrics", "mongo", "position", "raw_bson", "reply", "retry",
            "sabotage", "share",
        ],
    ),
    (
        "source",
        &[
            "event", "health", "metrics", "mongo", "position", "raw_bson", "reply", "retry",
            "share",
        ],
    ),
    ("projection", &["event", "message", "raw_bson"]),
    ("encode", &["event", "message", "raw_bson", "retry"]),
    (
        "sink",
        &[
            "rabbitmq", "event", "health", "lease", "message", "metrics", "position", "retry",
            "sabotage",
        ],
    ),
    ("lease", &["health", "rabbitmq", "retry"]),
    ("checkpoint", &["mongo", "position", "retry", "share"]),
    ("message", &["event", "position"]),
    ("event", &["position", "raw_bson"]),
    ("rabbitmq", &["retry", "tls"]),
    ("mongo", &["retry", "tls"]),
    ("headroom", &[]),
    ("health", &[]),
    ("metrics", &["event", "health", "message"]),
    ("position", &[]),
    ("raw_bson", &[]),
    ("reply", &["raw_bson"]),
    ("retry", &[]),
    ("share", &[]),
    ("signals", &[]),
    ("tls", &[]),
    ("sabotage", &[]),
    ("property", &[]),
];
/// Modules of the binary, which reach the library by its name.
const BINARY: [&str; 4] = ["main", "lib", "cli", "dotenv"];

#[test]
fn modules_import_only_what_they_may() {
    let edges: BTreeMap<_, _> = EDGES.iter().copied().collect();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut looked_at = BTreeSet::new();
    for file in files(&source, "rs") {
        let inside = file.strip_prefix(&source).unwrap();
        let first = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let module = first.trim_end_matches(".rs").to_owned();
        if BINARY.contains(&module.as_str()) {
            continue;
        }
        let allowed = edges
            .get(module.as_str())
            .unwrap_or_else(|| panic!("{module} is not in EDGES"));
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            let fine =
                import == module || import == "property" || allowed.contains(&import.as_str());
            assert!(
                fine,
                "{} imports `{import}`, which EDGES does not allow",
                inside.display()
            );
        }
        looked_at.insert(module);
    }
    assert_eq!(
        looked_at.len(),
        EDGES.len(),
        "EDGES names modules that are gone"
    );
}

/// Hints live in `cli`: whoever uses the library may set it up in other ways.
#[test]
fn the_library_names_no_setting_and_no_command() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in files(&source, "rs") {
        let inside = file.strip_prefix(&source).unwrap();
        // The library's face names settings too, since a program sets them by their names.
        let face = ["engine", "lib.rs", "encode/own.rs", "sink/own/"];
        let speaks_to_users = [&["cli", "config", "dotenv", "main", "sabotage"][..], &face]
            .concat()
            .iter()
            .any(|room| inside.to_str().unwrap().starts_with(room));
        let text = fs::read_to_string(&file).unwrap();
        for name in ["CDC_", "MONGO_DATABASE_", "RABBITMQ_", "RUST_LOG", "xtask"] {
            assert!(
                speaks_to_users || !text.contains(name),
                "{} names {name}",
                inside.display()
            );
        }
    }
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::{\n    event::{self, Operation},\n    mongo,\n};\nuse crate::retry::chain;\n// crate::comment\n";
    assert_eq!(
        imports(text),
        BTreeSet::from(["event", "mongo", "retry"].map(str::to_owned))
    );
}

#[test]
fn the_documents_say_what_the_settings_are() {
    for (path, text) in [
        (".env.example", cdc::config::env_example()),
        ("docs/configuration.md", cdc::config::reference()),
    ] {
        is_made(path, &text);
    }
}

/// The metrics have their place in a document that people write.
#[test]
fn the_documents_say_what_the_metrics_are() {
    let (begin, end) = ("<!-- metrics: begin -->\n", "<!-- metrics: end -->\n");
    is_made_between(
        "docs/operating.md",
        (begin, end),
        &cdc::metrics::reference(),
    );
}

/// Docker compose hands a variable to a container only by its name.
#[test]
fn the_documents_say_to_docker_compose_what_the_settings_are() {
    // These have values of their own there, and a URI would win over them.
    let elsewhere = [
        "MONGO_DATABASE_HOST",
        "RABBITMQ_HOST",
        "RABBITMQ_PORT",
        "RABBITMQ_STREAM_PORT",
        "RABBITMQ_URI",
    ];
    let settings = cdc::config::run_settings().into_iter();
    let names = settings.map(|setting| setting.variable);
    let names = names.filter(|name| !elsewhere.contains(name));
    let lines = names
        .flat_map(|name| ["      - ", name, "\n"])
        .collect::<String>();
    let marks = ("      # settings: begin\n", "      # settings: end\n");
    is_made_between("docker-compose.yaml", marks, &lines);
}

#[test]
fn the_example_is_a_file_that_the_engine_reads() {
    let example = cdc::config::env_example();
    let settings = example.lines().filter(|line| !line.starts_with("# "));
    let settings: Vec<&str> = settings.map(|line| line.trim_start_matches('#')).collect();
    let text = settings.join("\n") + "\n";
    let mut names = 0;
    for statement in dotenvy::Iter::new(text.as_bytes()) {
        let (name, _) = statement.unwrap();
        assert_eq!(cdc::config::unknown(&name), None);
        names += 1;
    }
    assert!(names > 30, "{names}");
}

#[test]
fn the_manifests_name_settings_that_exist() {
    let manifest = read("packaging/kubernetes/cdc.yaml");
    let is_name = |letter: char| letter.is_ascii_uppercase() || letter == '_';
    let words = manifest.split(|letter| !is_name(letter));
    let prefixes = ["CDC_", "MONGO_", "RABBITMQ_"];
    let names = words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)));
    let unknown: Vec<&str> = names
        .clone()
        .filter(|name| cdc::config::unknown(name).is_some())
        .collect();
    assert!(names.count() > 10);
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_changelog_begins_with_the_present_version() {
    let changelog = read("CHANGELOG.md");
    let first = changelog
        .lines()
        .find_map(|line| line.strip_prefix("## "))
        .unwrap();
    assert!(first.starts_with(env!("CARGO_PKG_VERSION")), "{first}");
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    for document in documents() {
        let folder = document.parent().unwrap();
        let text = fs::read_to_string(&document).unwrap();
        for target in targets(&text).filter(|target| !target.contains("://")) {
            let (path, section) = target.split_once('#').unwrap_or((target, ""));
            let file = match path {
                "" => document.clone(),
                path => folder.join(path),
            };
            let message = format!("{} links to {target}", document.display());
            assert!(file.exists(), "{message}");
            if !section.is_empty() {
                let text = fs::read_to_string(file).unwrap();
                assert!(sections(&text).any(|name| name == section), "{message}");
            }
        }
    }
}

#[test]
fn links_and_sections_are_found_as_a_reader_of_markdown_finds_them() {
    let text = "# One title\n[a](b.md) and ![c](d.svg)\n\n## `cdc run`, and\n[e](#f)\n";
    assert_eq!(targets(text).collect::<Vec<_>>(), ["b.md", "d.svg", "#f"]);
    assert_eq!(
        sections(text).collect::<Vec<_>>(),
        ["one-title", "cdc-run-and"]
    );
}

#[test]
fn the_readme_is_short_and_names_every_document() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 200);
    let linked: BTreeSet<PathBuf> = targets(&readme).map(|target| root().join(target)).collect();
    for document in files(&root().join("docs"), "md") {
        assert!(linked.contains(&document), "{}", document.display());
    }
}

/// Every document of the project, those of published reports included.
fn documents() -> Vec<PathBuf> {
    let top = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|name| root().join(name));
    let folders = ["docs", "xtask/bench"].map(|name| files(&root().join(name), "md"));
    [top.to_vec(), folders.concat()].concat()
}

/// What the links and pictures of a Markdown text lead to.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .map(|rest| rest.split_once(')').unwrap().0)
}

/// The names that links to the headings of a Markdown text use.
fn sections(text: &str) -> impl Iterator<Item = String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.collect::<String>().replace(' ', "-")
    })
}

/// The first names after `crate::`, outside comments.
fn imports(text: &str) -> BTreeSet<String> {
    let code: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => names.extend(top_level_names(group)),
            None => names.extend(name(rest)),
        }
    }
    names
}

/// The names at the first level of a group whose brace is already open.
fn top_level_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut at_start) = (0, Vec::new(), true);
    for (index, character) in group.char_indices() {
        match character {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            _ if at_start && !character.is_whitespace() => {
                names.extend(name(&group[index..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

fn name(text: &str) -> Option<String> {
    let name: String = text
        .chars()
        .take_while(|character| character.is_alphanumeric() || *character == '_')
        .collect();
    name.starts_with(char::is_lowercase).then_some(name)
}

/// The files in `folder`, at any depth, whose names end so.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
    found
}

/// Asserts that a document is what the declarations make of it, or makes it so.
fn is_made(path: &str, text: &str) {
    if std::env::var_os("CDC_TEST_REGENERATE").is_some() {
        fs::write(root().join(path), text).unwrap();
    }
    assert!(
        fs::read_to_string(root().join(path)).unwrap_or_default() == text,
        "{path} is not what is declared in the code; this writes it:\n\
         CDC_TEST_REGENERATE=1 cargo test -p cdc --test tidy documents_say"
    );
}

/// The same for the part between two lines.
fn is_made_between(path: &str, (begin, end): (&str, &str), part: &str) {
    let text = read(path);
    let (head, rest) = text.split_once(begin).unwrap();
    let (_, tail) = rest.split_once(end).unwrap();
    is_made(path, &[head, begin, part, end, tail].concat());
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}
