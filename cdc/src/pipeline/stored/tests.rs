use bson::rawdoc;

use super::*;
use crate::{event::ChangeEvent, message::Partition};

fn at(time: u32) -> Timestamp {
    Timestamp { time, increment: 1 }
}

fn id(token: &str) -> MessageId {
    MessageId::from_token(&rawdoc! { "_data": token })
}

/// The message of the change `token` at `time`, for a partition.
fn message(token: &str, time: u32, number: u16) -> Message {
    let event = rawdoc! {
        "_id": { "_data": token }, "operationType": "insert", "clusterTime": at(time),
        "ns": { "db": "shop", "coll": "games" }, "documentKey": { "_id": 1 }, "fullDocument": { "_id": 1 },
    };
    let event = ChangeEvent::parse(event.into_bytes().into()).unwrap();
    let encoded = crate::encode::encode(&event, &crate::encode::Config::default());
    let mut message = encoded.unwrap();
    message.partition = Some(Partition {
        number,
        copies: None,
    });
    message
}

fn place(time: u32, up_to: UpTo) -> Place {
    Place {
        id: 7,
        cluster_time: at(time),
        up_to,
    }
}

fn stored(places: Places) -> Stored {
    Stored::new(places, &Position::At(at(1)))
}

/// What comes of the messages (token, time) of partition 0, one after the other.
fn looks(stored: &mut Stored, messages: &[(&str, u32)]) -> Vec<Result<Look, Missed>> {
    let messages = messages.iter();
    messages
        .map(|(token, time)| {
            stored.reach(at(*time))?;
            Ok(stored.look(&message(token, *time, 0)))
        })
        .collect()
}

#[test]
fn messages_are_passed_over_up_to_the_last_one() {
    let mut stored = stored(vec![Some(place(5, UpTo::Message(id("b"))))]);
    let messages = [("x", 4), ("a", 5), ("b", 5), ("c", 5), ("d", 6)];
    assert_eq!(
        looks(&mut stored, &messages),
        [
            Ok(Look::Stored),
            Ok(Look::Undecided),
            Ok(Look::Stored),
            Ok(Look::New),
            Ok(Look::New)
        ]
    );
}

#[test]
fn a_last_message_that_is_filtered_out_now_is_passed_over_by_its_time() {
    let mut stored = stored(vec![Some(place(5, UpTo::Message(id("b"))))]);
    assert_eq!(
        looks(&mut stored, &[("x", 4), ("d", 6)]),
        [Ok(Look::Stored), Ok(Look::New)]
    );
}

#[test]
fn no_position_passes_what_is_undecided_and_a_last_message_that_does_not_come_is_told() {
    let mut stored = stored(vec![Some(place(5, UpTo::Message(id("b"))))]);
    assert_eq!(looks(&mut stored, &[("a", 5)]), [Ok(Look::Undecided)]);
    assert!(stored.is_undecided());
    assert_eq!(stored.reach(at(5)), Ok(()));
    assert_eq!(stored.reach(at(6)), Err(Missed));
}

#[test]
fn what_is_undecided_is_decided_by_the_last_message() {
    let mut stored = stored(vec![Some(place(5, UpTo::Message(id("b"))))]);
    looks(&mut stored, &[("a", 5), ("b", 5)]);
    assert!(!stored.is_undecided());
    assert_eq!(stored.reach(at(6)), Ok(()));
}

#[test]
fn a_place_may_be_a_time() {
    let messages = [("x", 4), ("a", 5), ("b", 6)];
    for (up_to, at_its_time) in [(UpTo::Time, Look::Stored), (UpTo::Before, Look::New)] {
        let mut stored = stored(vec![Some(place(5, up_to))]);
        assert_eq!(
            looks(&mut stored, &messages),
            [Ok(Look::Stored), Ok(at_its_time), Ok(Look::New)],
            "{up_to:?}"
        );
    }
}

#[test]
fn a_position_right_after_the_last_message_leaves_nothing_to_pass_over() {
    let position = Position::After {
        token: rawdoc! { "_data": "b" },
        cluster_time: Some(at(5)),
    };
    let mut stored = Stored::new(vec![Some(place(5, UpTo::Message(id("b"))))], &position);
    assert_eq!(stored.look(&message("c", 5, 0)), Look::New);
}

#[test]
fn each_partition_has_a_place_of_its_own_and_one_without_has_nothing() {
    let mut stored = stored(vec![
        Some(place(5, UpTo::Message(id("b")))),
        None,
        Some(place(3, UpTo::Message(id("a")))),
    ]);
    for (number, expected) in [
        (0, Look::Stored),
        (1, Look::New),
        (2, Look::New),
        (3, Look::New),
    ] {
        assert_eq!(stored.look(&message("x", 4, number)), expected, "{number}");
    }
}
