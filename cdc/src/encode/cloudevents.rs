//! Format `cloudevents`: CloudEvents 1.0, <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>.
//!
//! Structured, the body is the event as JSON. Binary, the body is its `data`, and its attributes are headers.
//! `data` is the change event without what the attributes tell.

mod attribute;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::{
    Error, JsonMode, Shape, Written, document_key,
    extended_json::{self, Object, all_or_nothing},
    shape::{JSON, grown, is_whole_document},
};
use crate::{
    event::ChangeEvent,
    message::{Header, MessageId, Value},
    raw_bson::{self, Cursor},
};

use self::attribute::Attribute;

/// Bytes of an event's attributes.
const ATTRIBUTES_BYTES: usize = 640;
/// Fields of a change event that the attributes tell.
const TOLD: [&str; 5] = ["_id", "operationType", "clusterTime", "wallTime", "ns"];
/// The same, of an event that belongs to a transaction.
const TOLD_OF_TRANSACTION: [&str; 2] = ["lsid", "txnNumber"];

/// Where the attributes are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// In the body, beside the data.
    #[default]
    Structured,
    /// In headers.
    Binary,
}

/// What the names of the headers that hold attributes begin with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Prefix {
    /// `cloudEvents:`, of the binding for AMQP.
    #[default]
    Colon,
    /// `cloudEvents_`, of the same binding, for those who cannot select by names with a colon.
    Underscore,
    /// `ce-`, of the binding for HTTP and of Knative's for RabbitMQ.
    Dash,
}

/// How events are written.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where the attributes are.
    pub mode: Mode,
    /// What the names of headers begin with.
    pub prefix: Prefix,
    /// The attribute `source`, a URI reference; else the database of each change.
    pub source: Option<String>,
}

/// See the module's text.
#[derive(Debug)]
pub struct CloudEvents(Options);

impl Mode {
    /// The modes and their names.
    pub const NAMES: [(&'static str, Self); 2] =
        [("structured", Self::Structured), ("binary", Self::Binary)];
}

impl Prefix {
    /// The prefixes, by themselves.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("cloudEvents:", Self::Colon),
        ("cloudEvents_", Self::Underscore),
        ("ce-", Self::Dash),
    ];
}

impl CloudEvents {
    /// The shape for these options.
    pub fn new(options: &Options) -> Self {
        Self(options.clone())
    }

    /// Calls `add` with every attribute that `event` has, and its value.
    fn attributes(
        &self,
        event: &ChangeEvent,
        mut add: impl FnMut(Attribute, Cow<'_, str>),
    ) -> Result<(), Error> {
        for attribute in Attribute::ALL {
            if let Some(value) = self.value(attribute, event)? {
                add(attribute, value);
            }
        }
        Ok(())
    }

    fn value<'e>(
        &'e self,
        attribute: Attribute,
        event: &'e ChangeEvent,
    ) -> Result<Option<Cow<'e, str>>, Error> {
        let (namespace, operation) = (event.namespace(), event.operation());
        Ok(match attribute {
            Attribute::SpecVersion => Some("1.0".into()),
            Attribute::Id => Some(MessageId::from_token(event.token()).to_string().into()),
            Attribute::Source => Some(self.source(namespace.database)),
            Attribute::Type => Some(format!("mongodb.change.{operation}.v1").into()),
            Attribute::Subject => document_key(event)?.map(|key| key.into_text().into()),
            Attribute::Time => extended_json::moment(event.millis()).map(Cow::from),
            Attribute::Database => {
                (!namespace.database.is_empty()).then(|| namespace.database.into())
            }
            Attribute::Collection => namespace.collection.map(Cow::from),
            Attribute::Operation => Some(operation.as_str().into()),
            Attribute::ClusterTime => {
                let time = event.cluster_time();
                Some(format!("{}:{}", time.time, time.increment).into())
            }
            Attribute::Lsid => match event.transaction() {
                Some((lsid, _)) => Some(extended_json::text(lsid)?.into()),
                None => None,
            },
            // As a number it would have 32 bits.
            Attribute::TxnNumber => event
                .transaction()
                .map(|(_, number)| number.to_string().into()),
        })
    }

    /// The one that was chosen, else the database, each byte that a path may not have percent-encoded.
    fn source(&self, database: &str) -> Cow<'_, str> {
        if let Some(chosen) = &self.0.source {
            return chosen.into();
        }
        let mut source = "/mongodb".to_owned();
        if !database.is_empty() {
            source.push('/');
        }
        for byte in database.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                source.push(byte.into());
            } else {
                source.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
        source.into()
    }

    fn write_body(
        &self,
        event: &ChangeEvent,
        is_trimmed: bool,
        mode: JsonMode,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        all_or_nothing(out, |out| {
            let mut object = Object::open(mode, out);
            if self.0.mode == Mode::Binary {
                return Ok(write_data(event, is_trimmed, object)?);
            }
            self.attributes(event, |attribute, value| {
                object.string(attribute.name(), &value);
            })?;
            object.string("datacontenttype", JSON);
            write_data(event, is_trimmed, object.object("data"))?;
            object.close();
            Ok(())
        })
    }
}

impl Shape for CloudEvents {
    fn content_type(&self) -> &'static str {
        match self.0.mode {
            Mode::Structured => "application/cloudevents+json; charset=utf-8",
            Mode::Binary => JSON,
        }
    }

    fn room(&self, event: &ChangeEvent) -> usize {
        let attributes = match self.0.mode {
            Mode::Structured => ATTRIBUTES_BYTES,
            Mode::Binary => 0,
        };
        grown(event.raw().len()) + attributes
    }

    fn write(
        &self,
        event: &ChangeEvent,
        mode: JsonMode,
        body: &mut Vec<u8>,
    ) -> Result<Written, Error> {
        self.write_body(event, false, mode, body)?;
        Ok(Written::Whole)
    }

    fn write_trimmed(
        &self,
        event: &ChangeEvent,
        mode: JsonMode,
        body: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.write_body(event, true, mode, body)
    }

    fn headers(&self, event: &ChangeEvent) -> Result<Vec<Header>, Error> {
        let mut headers = Vec::new();
        if self.0.mode == Mode::Binary {
            self.attributes(event, |attribute, value| {
                let value = Value::Text(value.into_owned().into());
                headers.push((attribute.header(self.0.prefix), value));
            })?;
        }
        Ok(headers)
    }
}

/// A hexadecimal digit.
fn digit(half_a_byte: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(half_a_byte)])
}

/// Writes the fields of `event` that are not told elsewhere.
fn write_data(
    event: &ChangeEvent,
    is_trimmed: bool,
    mut data: Object<'_>,
) -> Result<(), raw_bson::Error> {
    let mut cursor = Cursor::of_bytes(event.raw())?;
    while let Some(field) = cursor.field()? {
        let name = field.name.as_bytes();
        if is_told(event, name) {
            cursor.skip(field.kind)?;
        } else if is_trimmed && is_whole_document(name) {
            data.skip(&field, &mut cursor)?;
        } else {
            data.element(&field, &mut cursor)?;
        }
    }
    data.close();
    Ok(())
}

/// Whether the attributes tell the field called `name`.
fn is_told(event: &ChangeEvent, name: &[u8]) -> bool {
    let is_one_of = |names: &[&str]| names.iter().any(|one| one.as_bytes() == name);
    is_one_of(&TOLD) || event.transaction().is_some() && is_one_of(&TOLD_OF_TRANSACTION)
}
