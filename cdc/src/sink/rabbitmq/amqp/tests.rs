//! Why one look at every receipt before a save is enough, shown on a model of the broker and the client library.
//!
//! The broker takes a channel's messages in order. It sends one back before it acknowledges it, and may acknowledge in
//! any order, many with one frame (<https://www.rabbitmq.com/docs/confirms>). The library puts returns in a line, and
//! makes receipts one after the other, those of one frame in any order; each takes the first return of the line
//! (lapin 4, `acknowledgement.rs`, `returned_messages.rs`). The engine may look at any moment in between.

use std::collections::VecDeque;

use proptest::{prelude::*, test_runner::TestCaseResult};

use crate::property;

/// A frame of the broker.
#[derive(Debug, Clone)]
enum Frame {
    Return(usize),
    Ack(Vec<usize>),
}

/// The frames for messages that are routed or not: acknowledgements of random groups, in a random order, each after the
/// returns of its messages.
fn frames(routed: &[bool], order: &[usize], group: usize) -> Vec<Frame> {
    let mut messages: Vec<usize> = (0..routed.len()).collect();
    messages.sort_by_key(|message| order[*message]);
    let mut frames = Vec::new();
    let mut returned_up_to = 0;
    for acks in messages.chunks(group) {
        let last = acks.iter().max().expect("a chunk has an element");
        let passed = returned_up_to..returned_up_to.max(last + 1);
        frames.extend(
            passed
                .filter(|message| !routed[*message])
                .map(Frame::Return),
        );
        returned_up_to = returned_up_to.max(last + 1);
        frames.push(Frame::Ack(acks.to_vec()));
    }
    frames
}

/// Receipts in the order in which the library makes them: the message, and the return that it carries.
fn receipts(frames: Vec<Frame>) -> Vec<(usize, Option<usize>)> {
    let (mut line, mut receipts) = (VecDeque::new(), Vec::new());
    for frame in frames {
        match frame {
            Frame::Return(message) => line.push_back(message),
            Frame::Ack(messages) => receipts.extend(
                messages
                    .into_iter()
                    .map(|message| (message, line.pop_front())),
            ),
        }
    }
    receipts
}

/// Whatever the order: when the receipts of a message and of all before it are made, a receipt that is made carries the
/// return of each of them that came back.
#[test]
fn when_a_prefix_has_its_receipts_its_returns_are_there() {
    let case = (1_usize..40).prop_flat_map(|count| {
        (
            prop::collection::vec(any::<bool>(), count),
            prop::collection::vec(0..count, count),
            1..=count,
        )
    });
    property::run(&case, |(routed, order, group)| -> TestCaseResult {
        let made = receipts(frames(&routed, &order, group));
        for moment in 0..=made.len() {
            let there = &made[..moment];
            let has_receipt = |message: &usize| there.iter().any(|(one, _)| one == message);
            let prefix = (0..routed.len()).take_while(has_receipt).count();
            for message in (0..prefix).filter(|message| !routed[*message]) {
                let is_there = there.iter().any(|(_, returned)| *returned == Some(message));
                prop_assert!(is_there, "the return of {message} at {moment}: {made:?}");
            }
        }
        Ok(())
    });
}
