//! Format `cloudevents`: CloudEvents 1.0, <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>.
//!
//! Structured, the body is the event as JSON. Binary, the body is its `data`, and its attributes are headers.
//! `data` is the change event without what the attributes tell.

mod attribute;
#[cfg(test)]
mod tests;

use std::fmt::Arguments;

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

use self::attribute::{Attribute, Source};

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

    /// Calls `add` with every attribute of `event` and its value, beside `datacontenttype`.
    fn attributes(
        &self,
        event: &ChangeEvent,
        add: &mut dyn FnMut(Attribute, Arguments<'_>),
    ) -> Result<(), Error> {
        let (namespace, operation) = (event.namespace(), event.operation());
        let source = Source(self.0.source.as_deref(), namespace.database);
        add(Attribute::SpecVersion, format_args!("1.0"));
        add(
            Attribute::Id,
            format_args!("{}", MessageId::from_token(event.token())),
        );
        add(Attribute::Source, format_args!("{source}"));
        add(
            Attribute::Type,
            format_args!("mongodb.change.{operation}.v1"),
        );
        if let Some(key) = document_key(event)? {
            add(Attribute::Subject, format_args!("{}", key.as_str()));
        }
        if let Some(time) = extended_json::moment(event.millis()) {
            add(Attribute::Time, format_args!("{time}"));
        }
        if !namespace.database.is_empty() {
            add(Attribute::Database, format_args!("{}", namespace.database));
        }
        if let Some(collection) = namespace.collection {
            add(Attribute::Collection, format_args!("{collection}"));
        }
        add(Attribute::Operation, format_args!("{operation}"));
        let time = event.cluster_time();
        add(
            Attribute::ClusterTime,
            format_args!("{}:{}", time.time, time.increment),
        );
        if let Some((lsid, number)) = event.transaction() {
            let mut text = Vec::new();
            extended_json::write_document(lsid, JsonMode::Canonical, &mut text)?;
            let text = String::from_utf8_lossy(&text);
            add(Attribute::Lsid, format_args!("{text}"));
            // A number would have 32 bits.
            add(Attribute::TxnNumber, format_args!("{number}"));
        }
        Ok(())
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
            self.attributes(event, &mut |attribute, text| {
                object.display(attribute.name(), text);
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
            self.attributes(event, &mut |attribute, text| {
                let value = Value::Text(text.to_string().into());
                headers.push((attribute.header(self.0.prefix), value));
            })?;
        }
        Ok(headers)
    }
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
