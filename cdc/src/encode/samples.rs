//! Change events as a server sends them, one of each kind, and a document with every type; for tests of the shapes.

use bson::{
    Binary, Bson, DateTime, Document, RawDocumentBuf, Regex, Timestamp, doc, oid::ObjectId,
    raw::cstr, rawdoc, spec::BinarySubtype,
};

use crate::event::{ChangeEvent, Mark, Marks, Namespace, Reading};

/// 2023-11-14T22:13:20.123Z.
const WALL_TIME: DateTime = DateTime::from_millis(1_700_000_000_123);

/// Id of every message: `printf "\x13\0\0\0\x02_data\0\x03\0\0\0\x38\x32\0\0" | sha256sum | cut -c1-32`.
pub(super) const ID: &str = "3b5cb7fe5131e4a99af7362c93a81387";

/// The event of `operation` in `shop.orders`, with `rest` after what every event has.
pub(super) fn event(operation: &str, rest: Document) -> ChangeEvent {
    let mut event = doc! {
        "_id": { "_data": "82" },
        "operationType": operation,
        "clusterTime": Timestamp { time: 1_700_000_000, increment: 7 },
        "wallTime": WALL_TIME,
        "ns": { "db": "shop", "coll": "orders" },
    };
    event.extend(rest);
    parsed(&event)
}

pub(super) fn parsed(event: &Document) -> ChangeEvent {
    let raw = RawDocumentBuf::try_from(event).unwrap();
    ChangeEvent::parse(raw.into_bytes().into()).unwrap()
}

pub(super) fn insert() -> ChangeEvent {
    let document = doc! { "_id": 7, "name": "a \"quoted\"\nname", "cents": 1250_i64 };
    event(
        "insert",
        doc! { "fullDocument": document, "documentKey": { "_id": 7 } },
    )
}

/// An update of which everything is known, in a transaction.
pub(super) fn update() -> ChangeEvent {
    let session = Binary {
        subtype: BinarySubtype::Uuid,
        bytes: vec![0xab; 16],
    };
    let description = doc! {
        "updatedFields": { "name": "b", "at": WALL_TIME },
        "removedFields": ["note"],
        "truncatedArrays": [{ "field": "tags", "newSize": 3 }],
        "disambiguatedPaths": {},
    };
    let rest = doc! {
        "lsid": { "id": session },
        "txnNumber": 5_i64,
        "fullDocument": { "_id": 7, "name": "b" },
        "fullDocumentBeforeChange": { "_id": 7, "name": "a" },
        "documentKey": { "_id": 7 },
        "updateDescription": description,
    };
    event("update", rest)
}

/// An update without the documents, and with empty lists.
pub(super) fn bare_update() -> ChangeEvent {
    let description =
        doc! { "updatedFields": { "a.b": 1 }, "removedFields": [], "truncatedArrays": [] };
    event(
        "update",
        doc! { "documentKey": { "_id": "x" }, "updateDescription": description },
    )
}

pub(super) fn replace() -> ChangeEvent {
    let document = doc! { "_id": 7, "name": "c" };
    event(
        "replace",
        doc! { "fullDocument": document, "documentKey": { "_id": 7 } },
    )
}

pub(super) fn delete() -> ChangeEvent {
    event("delete", doc! { "documentKey": { "_id": 7 } })
}

pub(super) fn rename() -> ChangeEvent {
    event("rename", doc! { "to": { "db": "shop", "coll": "old" } })
}

/// A document of `shop.orders` that a snapshot read.
pub(super) fn read(marks: &[Mark]) -> ChangeEvent {
    let mut all = Marks::default();
    for mark in marks {
        all.add(*mark);
    }
    let reading = Reading {
        run: "initial",
        namespace: Namespace {
            database: "shop",
            collection: Some("orders"),
        },
        document: &rawdoc! { "_id": 7, "name": "a \"quoted\"\nname", "cents": 1250_i64 },
        time: Timestamp {
            time: 1_700_000_000,
            increment: 7,
        },
        range: (1, 4),
        is_filtered: false,
        marks: all,
    };
    reading.event().unwrap()
}

/// A document with a value of every type that BSON has.
pub(super) fn every_type() -> Document {
    let id = ObjectId::from_bytes([0x11; 12]);
    let binary = Binary {
        subtype: BinarySubtype::Generic,
        bytes: vec![0, 0xff],
    };
    let regex = Regex {
        pattern: cstr!("^a\"b").to_owned(),
        options: cstr!("im").to_owned(),
    };
    doc! {
        "_id": id,
        "double": 1.5,
        "nan": f64::NAN,
        "string": "a\"\\\u{1}é",
        "document": { "a": { "b": 1 } },
        "array": [1, "x", []],
        "binary": binary,
        "undefined": Bson::Undefined,
        "true": true,
        "date": WALL_TIME,
        "null": null,
        "regex": regex,
        "code": Bson::JavaScriptCode("f()".to_owned()),
        "symbol": Bson::Symbol("s".to_owned()),
        "scoped": Bson::JavaScriptCodeWithScope(bson::JavaScriptCodeWithScope { code: "g()".to_owned(), scope: doc! { "x": 1 } }),
        "int": 7,
        "timestamp": Timestamp { time: 1, increment: 2 },
        "long": 1_i64 << 60,
        "decimal": "1.50".parse::<bson::Decimal128>().unwrap(),
        "min": Bson::MinKey,
        "max": Bson::MaxKey,
    }
}
