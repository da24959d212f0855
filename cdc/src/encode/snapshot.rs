//! What tells that a document was read by a snapshot, and at which place of it.

use crate::{
    event::{ChangeEvent, Mark, Marks, Snapshot},
    message::{Header, SNAPSHOT_HEADER, Value},
};

/// The headers of a document that a snapshot read: the run, whether that reads only some of the documents, and only where it is the first or the last of something, of what,
/// and in which range of its collection.
pub(super) fn headers(event: &ChangeEvent) -> impl Iterator<Item = Header> + use<> {
    let snapshot = event.snapshot();
    let run = snapshot.map(|Snapshot { run, .. }| (SNAPSHOT_HEADER, text(run.to_owned())));
    let marked = snapshot.filter(|snapshot| snapshot.marks != Marks::default());
    let place = marked.map(|Snapshot { marks, range, .. }| {
        let marks: Vec<&str> = marks.iter().map(Mark::as_str).collect();
        let (range, ranges) = range;
        [
            ("cdc-snapshot-mark", text(marks.join(","))),
            ("cdc-snapshot-range", text(format!("{range}/{ranges}"))),
        ]
    });
    let filtered = snapshot.filter(|snapshot| snapshot.is_filtered);
    let filtered = filtered.map(|_| ("cdc-snapshot-filtered", text("true".to_owned())));
    let run = run.into_iter().chain(filtered);
    run.chain(place.into_iter().flatten())
}

fn text(text: String) -> Value<'static> {
    Value::Text(text.into())
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::encode::{
        Config, poison,
        samples::{event, read},
    };

    fn told(event: &ChangeEvent) -> Vec<Header> {
        headers(event).collect()
    }

    #[test]
    fn a_document_that_was_read_names_the_run_and_its_place_only_where_that_is_marked() {
        let header = |name, value: &str| (name, text(value.to_owned()));
        let run = header("cdc-snapshot", "initial");
        assert_eq!(told(&read(&[])), std::slice::from_ref(&run));
        let marks = [Mark::RangeFirst, Mark::RunFirst, Mark::CollectionFirst];
        let expected = [
            run,
            header(
                "cdc-snapshot-mark",
                "run-first,collection-first,range-first",
            ),
            header("cdc-snapshot-range", "1/4"),
        ];
        assert_eq!(told(&read(&marks)), expected);
    }

    #[test]
    fn a_change_tells_of_no_snapshot_whatever_its_fields_are() {
        let snapshot = doc! { "run": "initial", "range": 1, "ranges": 4 };
        let change = event("insert", doc! { "snapshot": snapshot });
        assert_eq!(told(&change), []);
        assert_eq!(told(&event("read", doc! { "snapshot": { "run": 1 } })), []);
    }

    #[test]
    fn a_message_that_is_parked_keeps_its_place() {
        let parked = poison(
            &read(&[Mark::RunLast]),
            &Config::default(),
            &std::fmt::Error,
        );
        assert_eq!(parked.operation, crate::event::Operation::Read);
        assert_eq!(parked.snapshot(), Some("initial"));
        let mut names = parked.headers().map(|(name, _)| name);
        assert!(names.any(|name| name == "cdc-snapshot-mark"));
    }
}
