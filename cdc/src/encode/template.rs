//! A template over a change: text with names in braces, which stand for values of the change.

use std::fmt;

use bson::{RawDocument, spec::ElementType};

use super::{JsonMode, extended_json};
use crate::{event::ChangeEvent, raw_bson::Cursor};

/// A template such as `changes.{database}.{document.tenant.id}`; without braces, a constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Database,
    Collection,
    Operation,
    /// The document key's `_id`.
    Key,
    /// A field of the full document, by the names that lead to it.
    Document(Vec<String>),
    Partition,
}

/// Why a template is not one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateError {
    /// A name in braces that we do not know.
    Unknown(String),
    /// A brace without its partner.
    Unbalanced,
    /// The partition, where it has a header of its own.
    HasHeader,
    /// Longer than it may be, in bytes: what it has, and what is allowed.
    TooLong(usize, usize),
}

/// How values that a document's author chose are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// As they are.
    Plain,
    /// With `.`, `*`, `#` and `%` as `%2E`, `%2A`, `%23` and `%25`, so that a value is one word of a topic.
    OneWord,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Unknown names and single braces.
    pub(super) fn parse(template: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((text, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(TemplateError::Unbalanced)?;
            push_text(&mut parts, text)?;
            parts.push(Part::named(name)?);
            rest = after;
        }
        push_text(&mut parts, rest)?;
        Ok(Self(parts))
    }

    /// The text `text`, braces and all, and then the partition's number where `by_partition`.
    pub(super) fn literal(text: &str, by_partition: bool) -> Self {
        let text = (!text.is_empty()).then(|| Part::Text(text.to_owned()));
        let partition = by_partition.then_some(Part::Partition);
        Self(text.into_iter().chain(partition).collect())
    }

    /// Whether the partition's number is in it.
    pub(super) fn has_partition(&self) -> bool {
        self.0.contains(&Part::Partition)
    }

    /// Bytes of its own text.
    pub(super) fn text_bytes(&self) -> usize {
        let texts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.len(),
            _ => 0,
        });
        texts.sum()
    }

    /// The text in partition `partition`, where that is all that it depends on.
    pub(super) fn without_event(&self, partition: Option<u16>) -> Option<String> {
        let texts = self.0.iter().map(|part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Partition => Some(number(partition)),
            _ => None,
        });
        texts.collect()
    }

    /// Writes what it makes of `event` in partition `partition` to the end of `out`. What a change does not have is
    /// empty.
    ///
    /// # Errors
    /// The value of a field cannot be written as text.
    pub(super) fn render(
        &self,
        event: &ChangeEvent,
        partition: Option<u16>,
        values: Values,
        out: &mut String,
    ) -> Result<(), extended_json::Error> {
        let namespace = event.namespace();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Database => out.push_str(namespace.database),
                Part::Collection => out.push_str(namespace.collection.unwrap_or_default()),
                Part::Operation => out.push_str(event.operation().as_str()),
                Part::Key => push_value(find(event.document_key(), &["_id"])?, values, out)?,
                Part::Document(path) => {
                    push_value(find(event.full_document(), path)?, values, out)?;
                }
                Part::Partition => out.push_str(&number(partition)),
            }
        }
        Ok(())
    }
}

impl Part {
    fn named(name: &str) -> Result<Self, TemplateError> {
        Ok(match name {
            "database" => Self::Database,
            "collection" => Self::Collection,
            "operation" => Self::Operation,
            "key" => Self::Key,
            "partition" => Self::Partition,
            _ => {
                let path = name.strip_prefix("document.").unwrap_or_default();
                let names: Vec<String> = path.split('.').map(str::to_owned).collect();
                if names.iter().any(String::is_empty) {
                    return Err(TemplateError::Unknown(name.to_owned()));
                }
                Self::Document(names)
            }
        })
    }
}

/// The template.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Database => f.write_str("{database}"),
            Part::Collection => f.write_str("{collection}"),
            Part::Operation => f.write_str("{operation}"),
            Part::Key => f.write_str("{key}"),
            Part::Document(path) => write!(f, "{{document.{}}}", path.join(".")),
            Part::Partition => f.write_str("{partition}"),
        })
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(
                f,
                "`{{{name}}}` is not one of {{database}}, {{collection}}, {{operation}}, {{key}}, {{document.FIELD}}, \
                 {{partition}}"
            ),
            Self::Unbalanced => f.write_str("a brace has no partner"),
            Self::HasHeader => f.write_str("`{partition}` is in the header cdc-partition"),
            Self::TooLong(bytes, allowed) => {
                write!(f, "{bytes} bytes long, at most {allowed} may be")
            }
        }
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) -> Result<(), TemplateError> {
    if text.contains('}') {
        return Err(TemplateError::Unbalanced);
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
    Ok(())
}

fn number(partition: Option<u16>) -> String {
    partition.map_or_else(String::new, |number| number.to_string())
}

/// The value that `path` leads to, through documents and arrays.
fn find<'a>(
    document: Option<&'a RawDocument>,
    path: &[impl AsRef<str>],
) -> Result<Option<(ElementType, Cursor<'a>)>, extended_json::Error> {
    let (Some(document), Some((last, parents))) = (document, path.split_last()) else {
        return Ok(None);
    };
    let mut cursor = Cursor::new(document)?;
    for name in parents {
        match cursor.find(name.as_ref())? {
            Some(ElementType::EmbeddedDocument | ElementType::Array) => {
                cursor = cursor.document()?;
            }
            _ => return Ok(None),
        }
    }
    Ok(cursor.find(last.as_ref())?.map(|kind| (kind, cursor)))
}

fn push_value(
    value: Option<(ElementType, Cursor<'_>)>,
    values: Values,
    out: &mut String,
) -> Result<(), extended_json::Error> {
    let Some((kind, mut from)) = value else {
        return Ok(());
    };
    let mut text = Vec::new();
    extended_json::write_text(kind, &mut from, JsonMode::Relaxed, &mut text)?;
    let text = String::from_utf8(text).expect("the writer checks every text");
    match values {
        Values::Plain => out.push_str(&text),
        Values::OneWord => text.chars().for_each(|letter| match letter {
            '.' => out.push_str("%2E"),
            '*' => out.push_str("%2A"),
            '#' => out.push_str("%23"),
            '%' => out.push_str("%25"),
            _ => out.push(letter),
        }),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
