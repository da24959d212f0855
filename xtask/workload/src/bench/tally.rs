//! Counts what is found in a queue: who is there, who is missing, who came late, who came twice.

use serde_json::Value;

use super::{
    document::{self, Shape},
    report::Delivery,
};
use crate::{
    body::Style,
    settings::{Format, JsonMode},
};

/// What has arrived so far.
#[derive(Debug)]
pub(super) struct Tally {
    /// What each body has to say; without it a body is known by its `_id` alone.
    shape: Option<Shape>,
    /// By number, whether it has arrived.
    arrived: Vec<bool>,
    /// The latest document whose first copy has arrived.
    latest: Option<usize>,
    delivery: Delivery,
    /// Bytes of all bodies.
    pub(super) bytes: u64,
    /// A body as it should be, kept for its memory.
    expected: Vec<u8>,
}

impl Tally {
    /// Expects the documents with the numbers below `count`.
    pub(super) fn new(shape: Shape, count: u64) -> Self {
        Self::expecting(Some(shape), count)
    }

    /// The same, where a body in the words of others counts too: only the `_id` in it is looked at.
    pub(super) fn by_id(count: u64) -> Self {
        Self::expecting(None, count)
    }

    fn expecting(shape: Option<Shape>, count: u64) -> Self {
        let count = usize::try_from(count).expect("the numbers fit into memory");
        Self {
            shape,
            arrived: vec![false; count],
            latest: None,
            delivery: Delivery::default(),
            bytes: 0,
            expected: Vec::new(),
        }
    }

    /// Takes one body; one that does not say what was written counts as none.
    pub(super) fn add(&mut self, body: &[u8]) {
        self.bytes += body.len() as u64;
        let Some(index) = self.index(body) else {
            return;
        };
        let Some(arrived) = self.arrived.get_mut(index) else {
            return;
        };
        if std::mem::replace(arrived, true) {
            self.delivery.replayed += 1;
            return;
        }
        self.delivery.delivered += 1;
        self.delivery.out_of_order += u64::from(Some(index) < self.latest);
        self.latest = self.latest.max(Some(index));
    }

    /// Whether every document has arrived.
    pub(super) fn is_complete(&self) -> bool {
        self.delivery.delivered == self.arrived.len() as u64
    }

    /// The verdict.
    pub(super) fn delivery(&self) -> Delivery {
        Delivery {
            missing: self.arrived.len() as u64 - self.delivery.delivered,
            ..self.delivery
        }
    }

    /// Which document a body of any format tells of, unaltered.
    fn index(&mut self, body: &[u8]) -> Option<usize> {
        if self.shape.is_none() {
            return usize::try_from(document::number_by_id(body)?).ok();
        }
        self.index_of_bytes(body)
            .or_else(|| self.index_of_value(body))
    }

    /// The same where every byte is as expected, without reading it as JSON: a queue may be read while others are
    /// measured.
    fn index_of_bytes(&mut self, body: &[u8]) -> Option<usize> {
        let number = document::number_at_front(body)?;
        let index = usize::try_from(number).ok()?;
        self.arrived.get(index)?;
        self.expected.clear();
        let shape = self.shape.as_ref()?;
        shape.write_body(number, &mut self.expected);
        (self.expected == body).then_some(index)
    }

    fn index_of_value(&self, body: &[u8]) -> Option<usize> {
        let (found, expect): (_, fn(&Shape, u64) -> Value) = match full_document(body) {
            Some(full) => (full, Shape::expected_full),
            None => (serde_json::from_slice(body).ok()?, Shape::expected),
        };
        let number = found["number"].as_u64()?;
        let index = usize::try_from(number).ok()?;
        (found == expect(self.shape.as_ref()?, number)).then_some(index)
    }
}

/// The full document in a body of another format than `document`.
fn full_document(body: &[u8]) -> Option<Value> {
    let formats = [
        Format::Event,
        Format::Debezium,
        Format::CloudEvents,
        Format::Bson,
    ];
    let read = |format| {
        let mode = JsonMode::Relaxed;
        Style { format, mode }.read(body, None)
    };
    Some(formats.into_iter().find_map(read)?.content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(numbers: &[u64]) -> Tally {
        let shape = Shape::new(300);
        let mut tally = Tally::new(shape.clone(), 4);
        for number in numbers {
            let mut body = Vec::new();
            shape.write_body(*number, &mut body);
            tally.add(&body);
        }
        tally
    }

    fn counts(tally: &Tally) -> [u64; 4] {
        let found = tally.delivery();
        [
            found.delivered,
            found.missing,
            found.out_of_order,
            found.replayed,
        ]
    }

    #[test]
    fn each_fault_is_counted_once() {
        assert_eq!(counts(&tally(&[0, 1, 2, 3])), [4, 0, 0, 0]);
        assert_eq!(counts(&tally(&[0, 2, 1, 3])), [4, 0, 1, 0]);
        assert_eq!(counts(&tally(&[0, 1, 0, 1, 2, 3])), [4, 0, 0, 2]);
        assert_eq!(counts(&tally(&[0, 3, 7])), [2, 2, 0, 0]);
    }

    #[test]
    fn the_tally_is_complete_when_the_last_one_has_arrived() {
        assert!(!tally(&[0, 1, 3, 3]).is_complete());
        assert!(tally(&[3, 1, 0, 0, 2]).is_complete());
    }

    #[test]
    fn a_body_counts_whatever_its_spaces() {
        let mut tally = tally(&[]);
        let expected = Shape::new(300).expected(3);
        tally.add(serde_json::to_string_pretty(&expected).unwrap().as_bytes());
        assert_eq!(counts(&tally), [1, 3, 0, 0]);
    }

    #[test]
    fn an_altered_body_does_not_count() {
        let mut tally = tally(&[0]);
        let mut body = Vec::new();
        Shape::new(300).write_body(1, &mut body);
        let altered = String::from_utf8(body).unwrap().replace("470", "471");
        tally.add(altered.as_bytes());
        tally.add(b"no json");
        assert_eq!(counts(&tally), [1, 3, 0, 0]);
    }

    #[test]
    fn a_body_in_the_words_of_others_counts_by_its_id() {
        let mut tally = Tally::by_id(4);
        for number in [0, 1, 3, 3] {
            let after = Shape::new(300).expected_full(number).to_string();
            tally.add(serde_json::json!({ "after": after }).to_string().as_bytes());
        }
        tally.add(b"{\"after\":null}");
        assert_eq!(counts(&tally), [3, 1, 0, 1]);
    }

    #[test]
    fn a_change_event_is_known_by_its_document() {
        let mut tally = tally(&[]);
        let full = Shape::new(300).expected_full(2);
        let event = serde_json::json!({
            "ns": { "coll": "games" }, "documentKey": { "_id": full["_id"] }, "fullDocument": full,
        });
        tally.add(event.to_string().as_bytes());
        assert_eq!(counts(&tally), [1, 3, 0, 0]);
        assert_eq!(tally.bytes, event.to_string().len() as u64);
    }
}
