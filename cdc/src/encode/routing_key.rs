//! The routing key: a constant, or a template over the change's own names.

use std::{fmt, sync::Arc};

use super::Error;
use crate::event::{Namespace, Operation};

/// Longest routing key that AMQP 0-9-1 carries, in bytes.
const BYTES_MAX: usize = 255;

/// A template such as `changes.{database}.{collection}.{operation}`; without braces, a constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingKey(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// One text, which all messages share.
    Constant(Arc<str>),
    Template(Vec<Part>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Database,
    Collection,
    Operation,
}

/// Why a template is not one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateError {
    /// A name in braces that we do not know.
    Unknown(String),
    /// A brace without its partner.
    Unbalanced,
    /// Longer than any routing key may be.
    TooLong(usize),
}

impl RoutingKey {
    /// Reads a template.
    ///
    /// # Errors
    /// Unknown names and single braces.
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((text, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(TemplateError::Unbalanced)?;
            push_text(&mut parts, text)?;
            parts.push(match name {
                "database" => Part::Database,
                "collection" => Part::Collection,
                "operation" => Part::Operation,
                _ => return Err(TemplateError::Unknown(name.to_owned())),
            });
            rest = after;
        }
        push_text(&mut parts, rest)?;
        Ok(Self(match &parts[..] {
            [] => Form::Constant("".into()),
            [Part::Text(text)] => Form::Constant(text.as_str().into()),
            _ => Form::Template(parts),
        }))
    }

    /// The key `key` for every change, braces and all. At most 255 bytes.
    pub fn constant(key: &str) -> Self {
        Self(Form::Constant(key.into()))
    }

    /// The key, where it is the same for every change.
    pub fn as_constant(&self) -> Option<&str> {
        match &self.0 {
            Form::Constant(key) => Some(key),
            Form::Template(_) => None,
        }
    }

    /// The routing key of one change. A name that a change does not have is empty.
    ///
    /// # Errors
    /// [`Error::RoutingKeyTooLong`].
    pub fn render(
        &self,
        namespace: Namespace<'_>,
        operation: &Operation,
    ) -> Result<Arc<str>, Error> {
        let parts = match &self.0 {
            Form::Constant(key) => return Ok(Arc::clone(key)),
            Form::Template(parts) => parts,
        };
        let mut key = String::new();
        for part in parts {
            key.push_str(match part {
                Part::Text(text) => text,
                Part::Database => namespace.database,
                Part::Collection => namespace.collection.unwrap_or_default(),
                Part::Operation => operation.as_str(),
            });
        }
        if key.len() > BYTES_MAX {
            Err(Error::RoutingKeyTooLong(key.len()))
        } else {
            Ok(key.into())
        }
    }
}

/// The template.
impl fmt::Display for RoutingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = match &self.0 {
            Form::Constant(key) => return f.write_str(key),
            Form::Template(parts) => parts,
        };
        parts.iter().try_for_each(|part| {
            f.write_str(match part {
                Part::Text(text) => text,
                Part::Database => "{database}",
                Part::Collection => "{collection}",
                Part::Operation => "{operation}",
            })
        })
    }
}

impl Default for RoutingKey {
    fn default() -> Self {
        Self(Form::Constant("".into()))
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) -> Result<(), TemplateError> {
    if text.contains('}') {
        return Err(TemplateError::Unbalanced);
    }
    if text.len() > BYTES_MAX {
        return Err(TemplateError::TooLong(text.len()));
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
    Ok(())
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(
                    f,
                    "`{{{name}}}` is not one of {{database}}, {{collection}}, {{operation}}"
                )
            }
            Self::Unbalanced => f.write_str("a brace has no partner"),
            Self::TooLong(bytes) => write!(f, "{bytes} bytes long, AMQP allows {BYTES_MAX}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVES: Namespace<'static> = Namespace {
        database: "scrabble",
        collection: Some("moves"),
    };

    fn check(template: &str, expected: &str) {
        let key = RoutingKey::parse(template).unwrap();
        assert_eq!(&*key.render(MOVES, &Operation::Insert).unwrap(), expected);
    }

    #[test]
    fn a_text_without_braces_is_a_constant() {
        check("test_queue", "test_queue");
        check("", "");
    }

    #[test]
    fn names_in_braces_are_the_changes_own() {
        check(
            "changes.{database}.{collection}.{operation}",
            "changes.scrabble.moves.insert",
        );
        check("{collection}{collection}", "movesmoves");
    }

    #[test]
    fn it_is_shown_as_it_was_written() {
        for template in ["", "test_queue", "a.{database}{collection}-{operation}.b"] {
            assert_eq!(RoutingKey::parse(template).unwrap().to_string(), template);
        }
    }

    #[test]
    fn a_change_of_a_whole_database_has_an_empty_collection() {
        let key = RoutingKey::parse("a.{collection}.b").unwrap();
        let namespace = Namespace {
            database: "scrabble",
            collection: None,
        };
        assert_eq!(
            &*key.render(namespace, &Operation::DropDatabase).unwrap(),
            "a..b"
        );
    }

    #[test]
    fn templates_that_cannot_work_are_refused() {
        assert_eq!(
            RoutingKey::parse("{table}"),
            Err(TemplateError::Unknown("table".to_owned()))
        );
        assert_eq!(RoutingKey::parse("a{b"), Err(TemplateError::Unbalanced));
        assert_eq!(RoutingKey::parse("a}b"), Err(TemplateError::Unbalanced));
        assert_eq!(
            RoutingKey::parse(&"x".repeat(256)),
            Err(TemplateError::TooLong(256))
        );
    }

    #[test]
    fn a_key_over_255_bytes_is_an_error() {
        let key = RoutingKey::parse(&format!("{}{{collection}}", "x".repeat(251))).unwrap();
        let error = key.render(MOVES, &Operation::Insert).unwrap_err();
        assert!(matches!(error, Error::RoutingKeyTooLong(256)), "{error}");
    }
}
