//! Change events as the server sends them for an insert.

use bson::{DateTime, RawDocumentBuf, Timestamp, rawdoc};
use cdc::event::ChangeEvent;

/// The collection of every event.
pub(crate) const COLLECTION: &str = "orders";

/// The event of the insert of `document`.
pub(crate) fn insert(document: &RawDocumentBuf) -> ChangeEvent {
    let id = document
        .get_object_id(bson::cstr!("_id"))
        .expect("a document has an id");
    // As long as the server's are for an ObjectId: 138 digits.
    let token = "8266".repeat(34) + "04";
    let event = rawdoc! {
        "_id": { "_data": token },
        "operationType": "insert",
        "clusterTime": Timestamp { time: 1_751_293_805, increment: 7 },
        "wallTime": DateTime::from_millis(1_751_293_805_250),
        "fullDocument": document.clone(),
        "ns": { "db": "shop", "coll": COLLECTION },
        "documentKey": { "_id": id },
    };
    ChangeEvent::parse(event.into_bytes().into()).expect("it has every field of an event")
}
