//! Format `debezium`: the envelope that Debezium's connector for MongoDB writes, of the versions from 2.6 on:
//! <https://debezium.io/documentation/reference/stable/connectors/mongodb.html>.
//!
//! It differs where a message has to be the same in every replay: the envelope's own `ts_ms`, for Debezium the moment at
//! which it handled the change, is the moment of the change here; and `transaction` is null, as it is for Debezium by
//! default, since the position in a transaction is not in the event.

mod schema;
#[cfg(test)]
mod tests;

use bson::{RawDocument, spec::ElementType};

use super::{
    Error, JsonMode, Shape, Written,
    extended_json::{Object, all_or_nothing},
    shape::grown,
};
use crate::{
    event::{ChangeEvent, Mark, Namespace, Operation},
    raw_bson::{self, Cursor},
};

/// Bytes of an envelope without its documents.
const ENVELOPE_BYTES: usize = 512;

/// What the envelope says beside the event.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `source.name`, for Debezium its topic prefix.
    pub name: String,
    /// Whether each body has its Kafka Connect schema.
    pub has_schema: bool,
}

/// See the module's text.
#[derive(Debug)]
pub struct Debezium(Options);

impl Debezium {
    /// The shape for these options.
    pub fn new(options: &Options) -> Self {
        Self(options.clone())
    }
}

impl Shape for Debezium {
    fn tells_of(&self, operation: &Operation) -> bool {
        code(operation).is_some()
    }

    fn room(&self, event: &ChangeEvent) -> usize {
        let documents = [event.full_document(), event.full_document_before()];
        let parts = documents.into_iter().chain([event.update_description()]);
        let bytes: usize = parts.flatten().map(|part| part.as_bytes().len()).sum();
        let schema = if self.0.has_schema { schema::BYTES } else { 0 };
        // A quote in a string takes two bytes.
        grown(bytes) + bytes / 4 + ENVELOPE_BYTES + schema
    }

    fn write(
        &self,
        event: &ChangeEvent,
        mode: JsonMode,
        body: &mut Vec<u8>,
    ) -> Result<Written, Error> {
        let documents = [event.full_document_before(), event.full_document()];
        self.write_body(event, documents, mode, body)?;
        Ok(Written::Whole)
    }

    fn write_trimmed(
        &self,
        event: &ChangeEvent,
        mode: JsonMode,
        body: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.write_body(event, [None, None], mode, body)
    }
}

impl Debezium {
    fn write_body(
        &self,
        event: &ChangeEvent,
        documents: [Option<&RawDocument>; 2],
        mode: JsonMode,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let operation = event.operation();
        let code = code(operation).ok_or_else(|| Error::Untold(operation.clone()))?;
        all_or_nothing(out, |out| {
            if self.0.has_schema {
                schema::open(&self.0.name, event.namespace(), mode, out);
            }
            self.write_envelope(event, code, documents, Object::open(mode, out))?;
            if self.0.has_schema {
                schema::close(out);
            }
            Ok(())
        })
    }

    fn write_envelope(
        &self,
        event: &ChangeEvent,
        code: &str,
        [before, after]: [Option<&RawDocument>; 2],
        mut envelope: Object<'_>,
    ) -> Result<(), raw_bson::Error> {
        envelope.document_as_string("before", before)?;
        envelope.document_as_string("after", after)?;
        match event.update_description() {
            Some(description) => {
                write_update(description, envelope.object("updateDescription"))?;
            }
            None => envelope.null("updateDescription"),
        }
        self.write_source(event, envelope.object("source"))?;
        envelope.string("op", code);
        envelope.integer("ts_ms", event.millis());
        envelope.null("transaction");
        envelope.close();
        Ok(())
    }

    fn write_source(
        &self,
        event: &ChangeEvent,
        mut source: Object<'_>,
    ) -> Result<(), raw_bson::Error> {
        let Namespace {
            database,
            collection,
        } = event.namespace();
        let millis = event.millis();
        source.string("version", env!("CARGO_PKG_VERSION"));
        source.string("connector", "mongodb");
        source.string("name", &self.0.name);
        source.integer("ts_ms", millis);
        source.string("snapshot", snapshot_record(event));
        source.string("db", database);
        source.null("sequence");
        source.integer("ts_us", millis.saturating_mul(1_000));
        source.integer("ts_ns", millis.saturating_mul(1_000_000));
        source.string("collection", collection.unwrap_or_default());
        // A signed number there, as in the Java driver.
        let order = event.cluster_time().increment.cast_signed();
        source.integer("ord", order.into());
        let transaction = event.transaction();
        source.document_as_string("lsid", transaction.map(|(lsid, _)| lsid))?;
        number(
            &mut source,
            "txnNumber",
            transaction.map(|(_, number)| number),
        );
        number(&mut source, "wallTime", event.wall_time_ms());
        source.close();
        Ok(())
    }
}

/// Debezium's letter for the operation. It has none for what happens to collections and databases, and consumers know no
/// other letters.
fn code(operation: &Operation) -> Option<&'static str> {
    match operation {
        Operation::Insert => Some("c"),
        Operation::Update | Operation::Replace => Some("u"),
        Operation::Delete => Some("d"),
        Operation::Read => Some("r"),
        _ => None,
    }
}

/// Debezium's word for a document's place in a snapshot. It has one word where we have several marks, and of several that are
/// true it takes the last before the first, and the snapshot's before the collection's
/// (`RelationalSnapshotChangeEventSource.setSnapshotMarker`). It knows no ranges.
fn snapshot_record(event: &ChangeEvent) -> &'static str {
    let Some(snapshot) = event.snapshot() else {
        return "false";
    };
    let words = [
        (Mark::RunLast, "last"),
        (Mark::RunFirst, "first"),
        (Mark::CollectionLast, "last_in_data_collection"),
        (Mark::CollectionFirst, "first_in_data_collection"),
    ];
    let word = words.iter().find(|(mark, _)| snapshot.marks.has(*mark));
    word.map_or("true", |(_, word)| word)
}

fn number(object: &mut Object<'_>, name: &str, number: Option<i64>) {
    match number {
        Some(number) => object.integer(name, number),
        None => object.null(name),
    }
}

/// Writes an update's description. What is empty is null there, and there are no ambiguous paths.
fn write_update(description: &RawDocument, mut update: Object<'_>) -> Result<(), raw_bson::Error> {
    match elements(description, "removedFields")? {
        Some(mut fields) => update.value("removedFields", ElementType::Array, &mut fields)?,
        None => update.null("removedFields"),
    }
    let mut cursor = Cursor::new(description)?;
    match cursor.find("updatedFields")? {
        Some(kind) => update.json_string("updatedFields", kind, &mut cursor)?,
        None => update.null("updatedFields"),
    }
    match elements(description, "truncatedArrays")? {
        Some(arrays) => write_truncated(arrays, &mut update)?,
        None => update.null("truncatedArrays"),
    }
    update.close();
    Ok(())
}

/// Before the array called `name`, if it has elements.
fn elements<'a>(
    description: &'a RawDocument,
    name: &str,
) -> Result<Option<Cursor<'a>>, raw_bson::Error> {
    let mut cursor = Cursor::new(description)?;
    if cursor.find(name)? != Some(ElementType::Array) {
        return Ok(None);
    }
    let array = cursor;
    let is_empty = cursor.document()?.field()?.is_none();
    Ok((!is_empty).then_some(array))
}

/// Writes the arrays that an update made shorter, with the names that Debezium has for their fields.
fn write_truncated(mut from: Cursor<'_>, update: &mut Object<'_>) -> Result<(), raw_bson::Error> {
    let mut from = from.document()?;
    let mut arrays = update.array("truncatedArrays");
    while let Some(field) = from.field()? {
        if field.kind != ElementType::EmbeddedDocument {
            arrays.value(field.kind, &mut from)?;
            continue;
        }
        let (mut inside, mut array) = (from.document()?, arrays.object());
        while let Some(field) = inside.field()? {
            match (field.name.as_bytes(), field.kind) {
                (b"newSize", ElementType::Int32) => {
                    let size = i32::from_le_bytes(*inside.array()?);
                    array.integer("size", size.into());
                }
                _ => array.element(&field, &mut inside)?,
            }
        }
        array.close();
    }
    arrays.close();
    Ok(())
}
