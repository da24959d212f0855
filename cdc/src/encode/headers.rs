//! Headers that a user adds to every message.

use std::{borrow::Cow, sync::Arc};

use super::{
    extended_json,
    routing_key::fit,
    template::{Template, TemplateError, Values},
};
use crate::{
    event::ChangeEvent,
    message::{OwnHeader, Value},
};

/// Names of headers that RabbitMQ gives a meaning of its own, or sets itself; `x-stream-filter-value` and `x-delay` are for
/// publishers.
const RESERVED: [&str; 10] = [
    "CC",
    "BCC",
    "x-death",
    "x-first-death-",
    "x-last-death-",
    "x-delivery-count",
    "x-acquired-count",
    "x-stream-offset",
    "x-received-from",
    "x-shovelled",
];

/// Names and values, where a text is a template over the change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Arc<str>, Form)>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Text(Template),
    Number(i64),
}

impl Headers {
    /// Most headers: all that a message has must fit into one frame.
    pub const COUNT_MAX: usize = 16;
    /// Longest value in bytes. A longer one is cut, and gets a hash of the rest, as a routing key does.
    pub const VALUE_BYTES_MAX: usize = 1024;

    /// Why a header cannot have that name.
    pub fn fault_of_name(name: &str) -> Option<String> {
        let is = |reserved: &str| {
            name == reserved || (reserved.ends_with('-') && name.starts_with(reserved))
        };
        if name.is_empty() || 255 < name.len() {
            Some(format!("`{name}` is not a name of 1 to 255 bytes"))
        } else if name.to_ascii_lowercase().starts_with("cdc-") {
            Some(format!(
                "`{name}`: names that begin with cdc- are the engine's"
            ))
        } else if RESERVED.into_iter().any(is) {
            Some(format!("`{name}` has a meaning of its own in RabbitMQ"))
        } else {
            None
        }
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// Adds a text. In braces stand values of the change, as they are.
    ///
    /// # Errors
    /// Unknown names, single braces, the partition, which has a header of its own, and more text than there is room for.
    pub fn add_text(&mut self, name: &str, template: &str) -> Result<(), TemplateError> {
        let template = Template::parse(template)?;
        if template.has_partition() {
            return Err(TemplateError::HasHeader);
        }
        match template.text_bytes() {
            bytes if Self::VALUE_BYTES_MAX < bytes => {
                Err(TemplateError::TooLong(bytes, Self::VALUE_BYTES_MAX))
            }
            _ => {
                self.0.push((name.into(), Form::Text(template)));
                Ok(())
            }
        }
    }

    /// Adds a whole number.
    pub fn add_number(&mut self, name: &str, number: i64) {
        self.0.push((name.into(), Form::Number(number)));
    }

    /// The headers of one change. A value that the change does not have is empty.
    ///
    /// # Errors
    /// The value of a field cannot be written as text.
    pub(super) fn render(
        &self,
        event: &ChangeEvent,
    ) -> Result<Vec<OwnHeader>, extended_json::Error> {
        let each = self.0.iter().map(|(name, form)| {
            let value = match form {
                Form::Number(number) => Value::Number(*number),
                Form::Text(template) => {
                    let mut text = String::new();
                    template.render(event, None, Values::Plain, &mut text)?;
                    Value::Text(Cow::Owned(fit(text, Self::VALUE_BYTES_MAX)))
                }
            };
            Ok((Arc::clone(name), value))
        });
        each.collect()
    }
}

#[cfg(test)]
mod tests {
    use bson::{Timestamp, rawdoc};

    use super::*;

    fn render(headers: &Headers) -> Vec<(String, Value<'static>)> {
        let raw = rawdoc! {
            "_id": { "_data": "82" }, "operationType": "insert", "clusterTime": Timestamp { time: 1, increment: 1 },
            "fullDocument": { "tenant": "a.b", "long": "é".repeat(600) }, "ns": { "db": "d", "coll": "c" },
        };
        let event = ChangeEvent::parse(raw.into_bytes().into()).unwrap();
        let headers = headers.render(&event).unwrap().into_iter();
        headers
            .map(|(name, value)| (name.to_string(), value))
            .collect()
    }

    #[test]
    fn headers_are_texts_of_the_change_and_numbers() {
        let mut headers = Headers::default();
        headers.add_text("env", "prod").unwrap();
        headers.add_text("tenant", "<{document.tenant}>").unwrap();
        headers.add_text("none", "{document.none}").unwrap();
        headers.add_number("x-delay", 500);
        let text = |text: &str| Value::Text(text.to_owned().into());
        let expected = [
            ("env", text("prod")),
            ("tenant", text("<a.b>")),
            ("none", text("")),
            ("x-delay", Value::Number(500)),
        ];
        assert_eq!(
            render(&headers),
            expected.map(|(name, value)| (name.to_owned(), value))
        );
    }

    #[test]
    fn a_long_value_is_cut_to_what_has_room() {
        let mut headers = Headers::default();
        headers.add_text("long", "{document.long}").unwrap();
        let (_, Value::Text(text)) = &render(&headers)[0] else {
            panic!("a text")
        };
        assert_eq!(text.len(), 990 + 1 + 32);
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let mut headers = Headers::default();
        let long = "x".repeat(1025);
        for (template, error) in [
            ("{a", TemplateError::Unbalanced),
            ("{partition}", TemplateError::HasHeader),
            (&long, TemplateError::TooLong(1025, 1024)),
        ] {
            assert_eq!(headers.add_text("a", template), Err(error));
        }
    }
}
