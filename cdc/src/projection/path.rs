//! Paths: which fields a rule is about, as users write it.

use std::{fmt, str::FromStr};

use crate::event::Namespace;

/// The document's identity.
pub(super) const ID: &str = "_id";
/// Stands for any one name.
const ANY: &str = "*";
/// Fields of a change event that hold documents; paths begin inside of these.
const HOLDERS: [&str; 4] = [
    "documentKey",
    "fullDocument",
    "fullDocumentBeforeChange",
    "updateDescription",
];

/// A dotted path of a document such as `players.email`, or `games:players.email` in one collection. It passes through
/// arrays, and reaches all that is beneath it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// `collection` or `database.collection`; none for every collection.
    namespace: Option<String>,
    names: Vec<String>,
}

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing on one side of the colon.
    #[error("write a collection, a colon and a path, as in `games:players.email`")]
    Halved,
    /// Nothing between two dots, or before or after them.
    #[error("a name is empty: write names with single dots between them, as in `players.email`")]
    EmptyName,
    /// A name of the server's own.
    #[error("`{0}` begins with a `$`, as no field that can be chosen does")]
    Dollar(String),
    /// What looks like an index.
    #[error(
        "`{0}` is a number: leave it out, since a path passes through arrays by itself; `*` stands for any one name or \
         number"
    )]
    Number(String),
    /// A pattern.
    #[error("`*` stands for a whole name: write `*` in the place of `{0}`, or the name itself")]
    Pattern(String),
    /// A collection that is a pattern.
    #[error("`{0}` is no collection: without one before the colon, a path is of every collection")]
    Collection(String),
    /// A name with a character that separates.
    #[error(
        "the name `{0}` has a colon or an `=`, which cannot be written: `*` in its place reaches it"
    )]
    Separator(String),
    /// A field of the change event.
    #[error(
        "`{0}` is a field of the change event: a path begins in the document, and counts for each copy of it"
    )]
    Holder(String),
}

impl Path {
    /// The path `_id` in every collection.
    pub(super) fn id() -> Self {
        Self {
            namespace: None,
            names: vec![ID.to_owned()],
        }
    }

    /// Whether it is about documents of `namespace`.
    pub(super) fn is_in(&self, namespace: Namespace<'_>) -> bool {
        let Some(wanted) = &self.namespace else {
            return true;
        };
        let Some(collection) = namespace.collection else {
            return false;
        };
        let after_database = wanted.strip_prefix(namespace.database);
        let after_dot = after_database.and_then(|rest| rest.strip_prefix('.'));
        wanted == collection || after_dot == Some(collection)
    }

    /// How many names it has; one at least.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether the name number `index` may be `name`. The document's identity has to be named.
    pub(super) fn accepts(&self, index: usize, name: &[u8]) -> bool {
        let wanted = self.names[index].as_bytes();
        let is_any = wanted == ANY.as_bytes() && (index > 0 || name != ID.as_bytes());
        is_any || wanted == name
    }

    /// Whether it leads to the document's identity, or to a part of it.
    pub fn is_of_id(&self) -> bool {
        self.names[0] == ID
    }

    /// Whether it leads to the document's identity as a whole.
    pub fn is_id(&self) -> bool {
        self.is_of_id() && self.names.len() == 1
    }

    /// Whether `other` reaches everything that this path does.
    pub fn is_within(&self, other: &Self) -> bool {
        let mut pairs = self.names.iter().zip(&other.names);
        (other.namespace.is_none() || other.namespace == self.namespace)
            && other.names.len() <= self.names.len()
            && pairs.all(|(name, wanted)| name == wanted || wanted == ANY)
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let (namespace, names) = match text.split_once(':') {
            Some((namespace, names)) => (Some(namespace.trim().to_owned()), names.trim()),
            None => (None, text),
        };
        if names.is_empty() || namespace.as_deref() == Some("") {
            return Err(PathError::Halved);
        }
        if let Some(namespace) = namespace.as_ref().filter(|text| text.contains(['*', '?'])) {
            return Err(PathError::Collection(namespace.clone()));
        }
        let names: Vec<String> = names.split('.').map(str::to_owned).collect();
        if let Some(holder) = HOLDERS.iter().find(|holder| names[0] == **holder) {
            return Err(PathError::Holder((*holder).to_owned()));
        }
        names.iter().try_for_each(|name| check(name))?;
        Ok(Self { namespace, names })
    }
}

fn check(name: &str) -> Result<(), PathError> {
    if name.is_empty() {
        Err(PathError::EmptyName)
    } else if name.starts_with('$') {
        Err(PathError::Dollar(name.to_owned()))
    } else if is_number(name.as_bytes()) {
        Err(PathError::Number(name.to_owned()))
    } else if name.contains([':', '=']) {
        Err(PathError::Separator(name.to_owned()))
    } else if name.contains(ANY) && name != ANY {
        Err(PathError::Pattern(name.to_owned()))
    } else {
        Ok(())
    }
}

/// Whether `name` looks like an array's index.
pub(super) fn is_number(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(u8::is_ascii_digit)
}

/// As users write it.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}:")?;
        }
        f.write_str(&self.names.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        text.parse().unwrap()
    }

    #[test]
    fn a_path_is_shown_as_it_was_written() {
        for text in ["email", "a.b.c", "a.*.c", "*", "games:a.b", "shop.games:a"] {
            assert_eq!(path(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_path_is_refused_by_its_reason() {
        let owned = str::to_owned;
        for (text, error) in [
            ("", PathError::Halved),
            ("games:", PathError::Halved),
            (":a", PathError::Halved),
            ("a..b", PathError::EmptyName),
            (".a", PathError::EmptyName),
            ("games:a.", PathError::EmptyName),
            ("a.$b", PathError::Dollar(owned("$b"))),
            ("a.0.b", PathError::Number(owned("0"))),
            ("addr*", PathError::Pattern(owned("addr*"))),
            ("games_*:email", PathError::Collection(owned("games_*"))),
            (
                "shop:games:email",
                PathError::Separator(owned("games:email")),
            ),
            ("email=hash", PathError::Separator(owned("email=hash"))),
            ("fullDocument.a", PathError::Holder(owned("fullDocument"))),
        ] {
            assert_eq!(text.parse::<Path>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_path_is_of_one_collection_or_of_all() {
        let games = Namespace {
            database: "shop",
            collection: Some("games"),
        };
        for text in ["a", "games:a", "shop.games:a"] {
            assert!(path(text).is_in(games), "{text}");
        }
        for text in ["game:a", "shop:a", "hop.games:a", "shopgames:a"] {
            assert!(!path(text).is_in(games), "{text}");
        }
    }

    #[test]
    fn a_path_is_within_those_that_reach_as_much() {
        for (inner, outer) in [("a.b", "a"), ("a", "a"), ("a.b", "*"), ("games:a", "a")] {
            assert!(path(inner).is_within(&path(outer)), "{inner} {outer}");
        }
        for (inner, outer) in [("a", "a.b"), ("ab", "a"), ("a", "games:a"), ("*", "a")] {
            assert!(!path(inner).is_within(&path(outer)), "{inner} {outer}");
        }
    }
}
