//! Reads a message of the engine: a change event as Extended JSON, and the properties beside it.

use serde_json::Value;

use super::{
    change::{self, COLLECTIONS, DocumentId, Operation},
    ledger::Message,
};

/// How much of a foreign message is shown.
const SHOWN_CHARS: usize = 200;

/// What the broker hands over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    /// The body.
    pub(super) body: &'a [u8],
    /// `message_id`, empty if it has none.
    pub(super) id: &'a str,
    /// `type`.
    pub(super) operation: &'a str,
    /// Number of the queue that it was in.
    pub(super) partition: u16,
    /// Whether the broker delivered it before.
    pub(super) redelivered: bool,
}

/// What the message says was done.
///
/// # Errors
/// In words, if it is none that a writer of ours could have caused.
pub(super) fn decode(raw: Raw<'_>, database: &str) -> Result<Message, String> {
    let event: Value =
        serde_json::from_slice(raw.body).map_err(|error| format!("not JSON: {error}"))?;
    read(&event, raw, database).ok_or_else(|| {
        let shown: String = event.to_string().chars().take(SHOWN_CHARS).collect();
        format!("no change of ours, message {}: {shown}", raw.id)
    })
}

fn read(event: &Value, raw: Raw<'_>, database: &str) -> Option<Message> {
    let operation = event["operationType"].as_str()?;
    if event["ns"]["db"] != database || operation != raw.operation {
        return None;
    }
    let operation = Operation::parse(operation)?;
    let collection = event["ns"]["coll"].as_str()?;
    if operation == Operation::Drop {
        let dropped = DocumentId::parse(collection)?;
        return Some(Message {
            operation,
            collection: 0,
            document: dropped,
            number: Some(dropped.0.number),
            content: 0,
            cluster_time: cluster_time(&event["clusterTime"])?,
            id: raw.id.to_owned(),
            partition: raw.partition,
            redelivered: raw.redelivered,
        });
    }
    let collection = COLLECTIONS.iter().position(|name| *name == collection)?;
    // An updated document is read late and may be a later one: only what was set tells of this change.
    let fields = match operation {
        Operation::Update => &event["updateDescription"]["updatedFields"],
        _ => &event["fullDocument"],
    };
    let content = fields["content"].as_str().map_or(0, change::fingerprint);
    let number = number(&fields["number"]);
    Some(Message {
        operation,
        collection: u8::try_from(collection).ok()?,
        document: DocumentId::parse(event["documentKey"]["_id"].as_str()?)?,
        number,
        content,
        cluster_time: cluster_time(&event["clusterTime"])?,
        id: raw.id.to_owned(),
        partition: raw.partition,
        redelivered: raw.redelivered,
    })
}

/// Also one of canonical Extended JSON.
fn number(value: &Value) -> Option<u32> {
    let text = || value["$numberLong"].as_str()?.parse().ok();
    let number = value.as_u64().or_else(text)?;
    u32::try_from(number).ok()
}

fn cluster_time(value: &Value) -> Option<(u32, u32)> {
    let part = |name: &str| u32::try_from(value["$timestamp"][name].as_u64()?).ok();
    Some((part("t")?, part("i")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::change::ChangeId;

    const UPDATE: &str = r#"{"_id": {"_data": "82"}, "operationType": "update",
        "clusterTime": {"$timestamp": {"t": 7, "i": 2}},
        "fullDocument": {"_id": "w1-5", "number": 99, "content": "later"},
        "ns": {"db": "chaos", "coll": "moves"}, "documentKey": {"_id": "w1-5"},
        "updateDescription": {"updatedFields": {"number": 8, "content": "new"}, "removedFields": []}}"#;

    fn read(body: &str) -> Result<Message, String> {
        let raw = Raw {
            body: body.as_bytes(),
            id: "m",
            operation: "update",
            partition: 2,
            redelivered: false,
        };
        decode(raw, "chaos")
    }

    #[test]
    fn an_update_is_known_by_what_it_set() {
        let expected = Message {
            operation: Operation::Update,
            collection: 1,
            document: DocumentId(ChangeId {
                writer: 1,
                number: 5,
            }),
            number: Some(8),
            content: change::fingerprint("new"),
            cluster_time: (7, 2),
            id: "m".to_owned(),
            partition: 2,
            redelivered: false,
        };
        assert_eq!(read(UPDATE), Ok(expected));
    }

    #[test]
    fn canonical_numbers_are_numbers_too() {
        let canonical = UPDATE.replace(r#""number": 8"#, r#""number": {"$numberLong": "8"}"#);
        assert_eq!(read(&canonical), read(UPDATE));
        assert_ne!(canonical, UPDATE);
    }

    #[test]
    fn a_drop_is_known_by_the_collections_name() {
        let body = r#"{"operationType": "drop", "clusterTime": {"$timestamp": {"t": 7, "i": 2}},
            "ns": {"db": "chaos", "coll": "w5-3"}}"#;
        let raw = Raw {
            body: body.as_bytes(),
            id: "m",
            operation: "drop",
            partition: 1,
            redelivered: false,
        };
        let message = decode(raw, "chaos").unwrap();
        assert_eq!(
            (message.operation, message.number),
            (Operation::Drop, Some(3))
        );
        assert_eq!(message.document.text(), "w5-3");
    }

    #[test]
    fn what_is_not_ours_is_told_in_words() {
        assert!(read("{").unwrap_err().starts_with("not JSON: "));
        for (ours, foreign) in [
            ("chaos", "other"),
            ("moves", "elsewhere"),
            ("\"update\"", "\"drop\""),
            // The property beside the body says otherwise.
            ("\"update\"", "\"replace\""),
            ("w1-5", "x"),
        ] {
            let complaint = read(&UPDATE.replace(ours, foreign)).unwrap_err();
            assert!(
                complaint.starts_with("no change of ours, message m"),
                "{complaint}"
            );
        }
    }
}
