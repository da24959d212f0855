//! Format `event`: the change event as the server sent it.

use super::{
    Error, JsonMode, Shape, Written,
    extended_json::{self, Object},
    shape::{grown, is_whole_document},
};
use crate::{event::ChangeEvent, raw_bson::Cursor};

/// See the module's text.
#[derive(Debug)]
pub struct Event;

impl Shape for Event {
    fn room(&self, event: &ChangeEvent) -> usize {
        grown(event.raw().len())
    }

    fn write(
        &self,
        event: &ChangeEvent,
        mode: JsonMode,
        body: &mut Vec<u8>,
    ) -> Result<Written, Error> {
        extended_json::write_bytes(event.raw(), mode, body)?;
        Ok(Written::Whole)
    }

    fn write_trimmed(
        &self,
        event: &ChangeEvent,
        mode: JsonMode,
        body: &mut Vec<u8>,
    ) -> Result<(), Error> {
        extended_json::all_or_nothing(body, |out| {
            let mut object = Object::open(mode, out);
            let mut cursor = Cursor::of_bytes(event.raw())?;
            while let Some(field) = cursor.field()? {
                if is_whole_document(field.name.as_bytes()) {
                    object.skip(&field, &mut cursor)?;
                } else {
                    object.element(&field, &mut cursor)?;
                }
            }
            object.close();
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use bson::{Timestamp, rawdoc};

    use super::*;
    use crate::{encode::samples::read, event::Mark};

    #[test]
    fn a_trimmed_event_keeps_all_but_the_whole_documents() {
        let time = Timestamp {
            time: 1,
            increment: 2,
        };
        let event = rawdoc! {
            "_id": { "_data": "82" }, "clusterTime": time, "operationType": "update", "fullDocument": { "a": "x" }, "ns": { "db": "d" },
            "fullDocumentBeforeChange": { "a": "y" }, "documentKey": { "_id": 1 },
        };
        let mut out = Vec::new();
        let event = ChangeEvent::parse(event.into_bytes().into()).unwrap();
        let mode = JsonMode::Relaxed;
        Event.write_trimmed(&event, mode, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            r#"{"_id":{"_data":"82"},"clusterTime":{"$timestamp":{"t":1,"i":2}},"operationType":"update","ns":{"db":"d"},"documentKey":{"_id":1}}"#
        );
    }

    #[test]
    fn a_document_that_a_snapshot_read_is_told_as_a_change_is_with_its_place() {
        let mut out = Vec::new();
        let event = read(&[Mark::RunFirst]);
        Event.write(&event, JsonMode::Relaxed, &mut out).unwrap();
        let token = event.token().get_str("_data").unwrap();
        let head = format!(r#"{{"_id":{{"_data":"{token}"}},"operationType":"read","#);
        let expected = head
            + r#""clusterTime":{"$timestamp":{"t":1700000000,"i":7}},"fullDocument":{"_id":7,"name":"a \"quoted\"\nname","#
            + r#""cents":1250},"ns":{"db":"shop","coll":"orders"},"documentKey":{"_id":7},"snapshot":{"run":"initial","#
            + r#""range":1,"ranges":4,"marks":["run-first"]}}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
