//! Reads a message as a change of the copy: canonical Extended JSON, with the order of its fields.

use std::fmt;

use bson::{Bson, Document, doc};

use super::{Key, Moment, names};

/// One message.
#[derive(Debug, Clone)]
pub(in crate::chaos) struct Event {
    pub(super) kind: Kind,
    pub(super) collection: usize,
    pub(super) key: Key,
    pub(super) moment: Moment,
    id: Bson,
}

/// What happened to the document.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Insert(Document),
    Replace(Document),
    Update {
        /// The document after it, where the collection keeps that.
        after: Option<Document>,
        changed: Document,
    },
    Delete,
    Read(Reading),
}

/// What a snapshot says of a document that it read.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) run: String,
    pub(super) marks: Vec<String>,
    pub(super) document: Document,
}

impl Reading {
    pub(super) fn has(&self, mark: &str) -> bool {
        self.marks.iter().any(|own| own == mark)
    }
}

impl Event {
    /// Reads a body; none of another database or about no document.
    ///
    /// # Errors
    /// If it is no change event with all that its operation needs.
    pub(in crate::chaos) fn parse(body: &[u8], database: &str) -> Result<Option<Self>, String> {
        let event: Document =
            serde_json::from_slice(body).map_err(|error| format!("not Extended JSON: {error}"))?;
        if !event.contains_key("documentKey") {
            return Ok(None);
        }
        Self::read(&event, database)
            .map(Some)
            .ok_or_else(|| format!("no change that can be applied: {}", cut(&event.to_string())))
    }

    /// The collection's name.
    pub(super) fn collection(&self) -> &'static str {
        names().nth(self.collection).unwrap_or_default()
    }

    fn read(event: &Document, database: &str) -> Option<Self> {
        let namespace = event.get_document("ns").ok()?;
        if namespace.get_str("db").ok()? != database {
            return None;
        }
        let collection = namespace.get_str("coll").ok()?;
        let id = event.get_document("documentKey").ok()?.get("_id")?.clone();
        let time = event.get_timestamp("clusterTime").ok()?;
        let operation = event.get_str("operationType").ok()?;
        let document = event.get_document("fullDocument").ok().cloned();
        let kind = match operation {
            "insert" => Kind::Insert(document?),
            "replace" => Kind::Replace(document?),
            "update" => Kind::Update {
                after: document,
                changed: event.get_document("updateDescription").ok()?.clone(),
            },
            "delete" => Kind::Delete,
            "read" => Kind::Read(reading(event.get_document("snapshot").ok()?, document?)?),
            _ => return None,
        };
        Some(Self {
            kind,
            collection: names().position(|name| name == collection)?,
            key: key_of(&id),
            moment: Moment {
                time: (time.time, time.increment),
                is_read: operation == "read",
            },
            id,
        })
    }
}

fn reading(snapshot: &Document, document: Document) -> Option<Reading> {
    let marks = snapshot.get_array("marks").cloned().unwrap_or_default();
    let marks = marks.iter().map(|mark| Some(mark.as_str()?.to_owned()));
    Some(Reading {
        run: snapshot.get_str("run").ok()?.to_owned(),
        marks: marks.collect::<Option<_>>()?,
        document,
    })
}

/// An `_id` as BSON.
pub(super) fn key_of(id: &Bson) -> Key {
    doc! { "": id }.to_vec().unwrap_or_default()
}

fn cut(text: &str) -> String {
    text.chars().take(300).collect()
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.kind {
            Kind::Insert(_) => "insert",
            Kind::Replace(_) => "replace",
            Kind::Update { .. } => "update",
            Kind::Delete => "delete",
            Kind::Read(reading) => &format!("read of {}", reading.run),
        };
        let collection = self.collection();
        let (seconds, increment) = self.moment.time;
        let id = cut(&self.id.to_string());
        write!(f, "{name} of {id} in {collection} at {seconds}:{increment}")
    }
}
