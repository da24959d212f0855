//! The copy, told of messages as an engine sends them and of such as it must not send.

use super::*;

const NAMESPACE: &str = r#""ns": {"db": "chaos", "coll": "typed"}"#;

struct Messages {
    copy: Copy,
    ids: u32,
}

impl Messages {
    fn new() -> Self {
        Self {
            copy: Copy::new(),
            ids: 0,
        }
    }

    /// The next message: operation, increment of the cluster time, and the fields that the operation has.
    fn next(&mut self, operation: &str, time: u32, fields: &str) -> Result<Option<Mark>, String> {
        self.ids += 1;
        self.again(self.ids, operation, time, fields)
    }

    fn again(
        &mut self,
        id: u32,
        operation: &str,
        time: u32,
        fields: &str,
    ) -> Result<Option<Mark>, String> {
        let body = format!(
            r#"{{"operationType": "{operation}", "clusterTime": {{"$timestamp": {{"t": 1, "i": {time}}}}},
            {NAMESPACE}, "documentKey": {{"_id": {{"$numberInt": "1"}}}}, {fields}}}"#
        );
        let event = Event::parse(body.as_bytes(), "chaos")?.expect("it is about a document");
        self.copy.receive(&id.to_string(), event)
    }

    /// A document that a snapshot read.
    fn read(&mut self, time: u32, value: u32, marks: &str) -> Result<Option<Mark>, String> {
        let fields = format!(
            r#"{}, "snapshot": {{"run": "r", "range": {{"$numberInt": "1"}}, "ranges": {{"$numberInt": "1"}}, "marks": [{marks}]}}"#,
            document(value)
        );
        self.next("read", time, &fields)
    }
}

fn document(value: u32) -> String {
    format!(
        r#""fullDocument": {{"_id": {{"$numberInt": "1"}}, "z": {{"$numberLong": "{value}"}}, "a": "x"}}"#
    )
}

fn changed(value: u32) -> String {
    format!(
        r#""updateDescription": {{"updatedFields": {{"z": {{"$numberLong": "{value}"}}}}, "removedFields": []}}"#
    )
}

#[test]
fn what_is_read_is_what_the_copy_has() {
    let mut messages = Messages::new();
    assert!(messages.read(1, 5, "").unwrap().is_none());
    messages.next("update", 2, &changed(6)).unwrap();
    let mark = messages.read(2, 6, r#""collection-last""#).unwrap();
    let mark = mark.expect("a marked point");
    assert_eq!(
        (mark.time, mark.is_end, mark.views[0].is_whole),
        ((1, 2), true, true)
    );
    let key = event::key_of(&1.into());
    let content = &mark.views[0].documents[&key];
    let expected = bson::doc! { "_id": 1, "z": 6_i64, "a": "x" };
    assert_eq!(content.bytes, expected.to_vec().unwrap());
    let complaint = messages.read(3, 5, "").unwrap_err();
    assert!(
        complaint.ends_with("not what the copy has: z is 5, expected is 6"),
        "{complaint}"
    );
}

#[test]
fn repetitions_change_nothing() {
    let mut messages = Messages::new();
    messages.read(1, 5, "").unwrap();
    messages.next("update", 2, &changed(6)).unwrap();
    messages.next("update", 2, &changed(7)).unwrap();
    // An engine went back: the same messages again, and the document at a later time.
    messages.again(2, "update", 2, &changed(6)).unwrap();
    messages.again(3, "update", 2, &changed(7)).unwrap();
    messages.read(4, 7, "").unwrap();
    assert_eq!(
        (messages.copy.runs.reads, messages.copy.runs.repeated),
        (2, 1)
    );
}

#[test]
fn what_comes_too_late_is_noticed() {
    let mut messages = Messages::new();
    messages.read(2, 5, "").unwrap();
    // A change of that time comes before what was read then.
    let complaint = messages.next("update", 2, &changed(6)).unwrap_err();
    assert!(complaint.contains("came after"), "{complaint}");
}

#[test]
fn a_document_that_is_gone_or_was_never_there_is_noticed() {
    let mut messages = Messages::new();
    messages.read(1, 5, r#""collection-last""#).unwrap();
    messages.next("delete", 2, r#""x": 0"#).unwrap();
    for outcome in [
        messages.read(3, 5, "").map(drop),
        messages.next("update", 4, &changed(6)).map(drop),
        messages.next("delete", 5, r#""x": 0"#).map(drop),
    ] {
        let complaint = outcome.unwrap_err();
        assert!(
            complaint.ends_with("the copy has no such document"),
            "{complaint}"
        );
    }
    messages.next("insert", 6, &document(1)).unwrap();
    messages.next("insert", 7, &document(1)).unwrap_err();
}

#[test]
fn before_a_snapshot_has_read_it_a_document_may_be_unknown() {
    let mut messages = Messages::new();
    messages.next("update", 1, &changed(6)).unwrap();
    messages.next("delete", 2, r#""x": 0"#).unwrap();
    let mark = messages.read(3, 5, r#""range-first""#).unwrap().unwrap();
    assert!(!mark.is_end && !mark.views[0].is_whole);
}

#[test]
fn the_document_after_an_update_must_be_what_the_update_made_of_it() {
    let mut messages = Messages::new();
    messages.read(1, 5, "").unwrap();
    let both = |changed_to, after| format!("{}, {}", changed(changed_to), document(after));
    messages.next("update", 2, &both(6, 6)).unwrap();
    let complaint = messages.next("update", 3, &both(7, 6)).unwrap_err();
    assert!(
        complaint.contains("not what it says it changed"),
        "{complaint}"
    );
}

#[test]
fn what_is_about_no_document_is_left_alone() {
    let body = br#"{"operationType": "create", "ns": {"db": "chaos", "coll": "typed"}}"#;
    assert!(Event::parse(body, "chaos").unwrap().is_none());
    assert!(Event::parse(b"{", "chaos").is_err());
}
