//! Single rules as small stories, then everything at once against a model of a broker.

use std::collections::VecDeque;

use proptest::{prelude::*, test_runner::TestCaseError};
use tokio::time::Instant;

use super::*;
use crate::{
    pipeline::refusal::{Reason, Refusal},
    property,
};

fn window(events: usize) -> Window<u32> {
    Window::new(Bounds {
        events,
        bytes: 1_000,
    })
}

/// A window with the items `0..count`, all sent.
fn sent(count: u32) -> Window<u32> {
    let mut window = window(100);
    (0..count).for_each(|item| window.push(item, 1));
    assert_eq!(
        send_all(&mut window),
        (0..u64::from(count)).collect::<Vec<_>>()
    );
    window
}

fn send_all(window: &mut Window<u32>) -> Vec<u64> {
    std::iter::from_fn(|| window.send_next().map(|next| next.sequence)).collect()
}

fn pop_all(window: &mut Window<u32>) -> Vec<u32> {
    std::iter::from_fn(|| window.pop()).collect()
}

#[test]
fn only_the_contiguous_confirmed_prefix_leaves() {
    let mut window = sent(4);
    for sequence in [3, 1, 2] {
        window.on_verdict(sequence, Verdict::Confirmed);
        assert_eq!(window.pop(), None);
    }
    window.on_verdict(0, Verdict::Confirmed);
    assert_eq!(pop_all(&mut window), [0, 1, 2, 3]);
    assert!(window.is_empty() && window.bytes() == 0);
}

#[test]
fn a_returned_entry_that_is_given_up_leaves_when_its_own_verdict_is_there() {
    let mut window = sent(2);
    let is_first = |item: &u32| *item == 0;
    window.mark_returned(is_first);
    window.on_verdict(1, Verdict::Confirmed);
    window.give_up(0);
    assert_eq!(window.pop(), None, "its own verdict is still to come");
    window.on_verdict(0, Verdict::Confirmed);
    assert_eq!(pop_all(&mut window), [0, 1]);

    let mut window = sent(1);
    window.on_verdict(0, Verdict::Confirmed);
    window.mark_returned(is_first);
    assert_eq!(window.pop(), None);
    window.give_up(0);
    assert_eq!(pop_all(&mut window), [0]);
}

#[test]
fn a_full_window_has_no_room_until_something_leaves() {
    let mut window = window(2);
    window.push(0, 1);
    assert_eq!(window.room(), 1);
    window.push(1, 1);
    assert_eq!(window.room(), 0);
    window.send_next();
    window.on_verdict(0, Verdict::Confirmed);
    assert_eq!(window.room(), 0, "confirmed is not yet taken out");
    window.pop();
    assert_eq!(window.room(), 1);
}

#[test]
fn the_window_is_refilled_when_a_quarter_is_free() {
    let mut window = sent(100);
    for sequence in 0..24 {
        window.on_verdict(sequence, Verdict::Confirmed);
        window.pop();
        assert!(!window.is_low());
    }
    window.on_verdict(24, Verdict::Confirmed);
    window.pop();
    assert!(window.is_low());
    assert_eq!(window.room(), 25);

    let one = Window::<u32>::new(Bounds {
        events: 1,
        bytes: 1,
    });
    assert!(one.is_low(), "a window of one has room when it is empty");
}

#[test]
fn bytes_bound_the_window_and_one_larger_entry_passes_alone() {
    let mut window = window(100);
    window.push(0, 5_000);
    assert_eq!(window.room(), 0);
    window.send_next();
    window.on_verdict(0, Verdict::Confirmed);
    window.pop();
    window.push(1, 999);
    assert!(window.room() > 0);
    window.push(2, 1);
    assert_eq!(window.room(), 0);
}

#[test]
#[should_panic(expected = "pushed into a full window")]
fn pushing_into_a_full_window_is_a_bug() {
    let mut window = window(1);
    window.push(0, 1);
    window.push(1, 1);
}

#[test]
fn after_a_rewind_everything_from_the_first_unconfirmed_entry_is_sent_again() {
    let mut window = sent(4);
    window.on_verdict(1, Verdict::Nacked);
    for sequence in [0, 2, 3] {
        window.on_verdict(sequence, Verdict::Confirmed);
    }
    assert_eq!(pop_all(&mut window), [0]);
    assert_eq!(window.in_flight(), 0);
    window.rewind();
    assert_eq!(send_all(&mut window), [1, 2, 3]);
}

#[test]
fn what_is_confirmed_is_not_sent_again_where_it_is_kept() {
    let mut window = sent(4).keep_confirmed(true);
    window.on_verdict(1, Verdict::Confirmed);
    window.on_verdict(3, Verdict::Confirmed);
    assert_eq!(window.rewind(), 2);
    assert_eq!(send_all(&mut window), [0, 2]);
    window.on_verdict(0, Verdict::Confirmed);
    assert_eq!(pop_all(&mut window), [0, 1]);
    window.on_verdict(2, Verdict::Confirmed);
    assert_eq!(pop_all(&mut window), [2, 3]);
    assert_eq!(send_all(&mut window), [0_u64; 0]);
}

#[test]
fn what_leaves_confirmed_after_a_rewind_is_passed_by() {
    let mut window = sent(4).keep_confirmed(true);
    window.on_verdict(0, Verdict::Confirmed);
    window.on_verdict(1, Verdict::Confirmed);
    assert_eq!(window.rewind(), 2);
    assert_eq!(pop_all(&mut window), [0, 1]);
    assert_eq!(send_all(&mut window), [2, 3]);
}

#[test]
fn a_lost_connection_sends_everything_from_the_first_unconfirmed_again() {
    let mut window = sent(4);
    window.on_verdict(0, Verdict::Confirmed);
    window.on_verdict(2, Verdict::Confirmed);
    assert_eq!(pop_all(&mut window), [0]);
    assert_eq!(window.rewind(), 3);
    let again: Vec<_> =
        std::iter::from_fn(|| window.send_next().map(|next| (next.sequence, next.again))).collect();
    assert_eq!(again, [(1, true), (2, true), (3, true)]);
}

#[test]
fn a_returned_message_is_never_passed_even_if_its_own_confirm_looks_good() {
    for confirm_first in [true, false] {
        let mut window = sent(3);
        if confirm_first {
            window.on_verdict(1, Verdict::Confirmed);
        }
        assert!(window.mark_returned(|item| *item == 1).is_some());
        for sequence in if confirm_first {
            vec![0, 2]
        } else {
            vec![0, 1, 2]
        } {
            window.on_verdict(sequence, Verdict::Confirmed);
        }
        assert_eq!(pop_all(&mut window), [0]);
    }
    assert!(
        sent(1).mark_returned(|item| *item == 7).is_none(),
        "it is not here any more"
    );
}

#[test]
fn a_returned_message_is_sent_again_alone_once_its_own_verdict_is_there() {
    let mut window = sent(3);
    window.push(3, 1);
    let (sequence, item) = window.mark_returned(|item| *item == 1).unwrap();
    *item = 11;
    window.resend(sequence);
    assert_eq!(send_all(&mut window), [3], "its own verdict is not there");
    window.on_verdict(1, Verdict::Confirmed);
    assert_eq!(send_all(&mut window), [1]);
    for sequence in [0, 1, 2, 3] {
        window.on_verdict(sequence, Verdict::Confirmed);
    }
    assert_eq!(pop_all(&mut window), [0, 11, 2, 3]);
}

/// One thing that happens to the window or to the broker.
#[derive(Debug, Clone)]
enum Step {
    Push {
        bytes: usize,
    },
    Send,
    /// The broker takes the next message from the wire.
    Broker(Answer),
    /// One of the verdicts on their way arrives: the one at this index.
    Verdict {
        index: usize,
    },
    Leave,
    /// The connection breaks after the broker took this many more messages. An exact target tells which ones it has when
    /// there is another connection.
    Break {
        taken: usize,
    },
}

/// What the broker does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Take,
    Refuse,
    /// Acknowledges it, and sends it back since no queue wants it.
    Return,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_usize..400).prop_map(|bytes| Step::Push { bytes }),
        6 => Just(Step::Send),
        8 => answers().prop_map(Step::Broker),
        8 => (0_usize..8).prop_map(|index| Step::Verdict { index }),
        4 => Just(Step::Leave),
        1 => (0_usize..8).prop_map(|taken| Step::Break { taken }),
    ];
    prop::collection::vec(step, 0..200)
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![40 => Just(Answer::Take), 1 => Just(Answer::Refuse), 1 => Just(Answer::Return)]
}

/// What is done about a returned message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Park,
    Retry,
}

/// The number of a parked item is this much higher.
const PARKED: u32 = 1_000_000;

/// A broker with a queue and a parking queue, and the wire to it.
#[derive(Default)]
struct Broker {
    wire: VecDeque<(u64, u32)>,
    queue: Vec<u32>,
    verdicts: Vec<(u64, Verdict, Option<u32>)>,
    reordered: bool,
}

impl Broker {
    fn take(&mut self, answer: Answer) {
        let Some((sequence, item)) = self.wire.pop_front() else {
            return;
        };
        let (verdict, returned) = match answer {
            Answer::Return if item < PARKED => (Verdict::Confirmed, Some(item)),
            Answer::Refuse => (Verdict::Nacked, None),
            Answer::Take | Answer::Return => {
                self.queue.push(item);
                (Verdict::Confirmed, None)
            }
        };
        self.reordered |= verdict == Verdict::Nacked;
        self.verdicts.push((sequence, verdict, returned));
    }
}

struct Model {
    window: Window<u32>,
    refusal: Refusal,
    broker: Broker,
    policy: Policy,
    /// Whether the target takes everything, and each message once.
    is_exact: bool,
    pushed: u32,
    left: u32,
}

impl Model {
    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Push { bytes } if self.window.room() > 0 => {
                self.window.push(self.pushed, bytes);
                self.pushed += 1;
            }
            Step::Push { .. } => {}
            Step::Send => {
                while self.refusal.may_send(self.window.in_flight())
                    && let Some(next) = self.window.send_next()
                {
                    let (sequence, item) = (next.sequence, *next.item);
                    self.broker.wire.push_back((sequence, item));
                }
            }
            Step::Broker(_) if self.is_exact => self.broker.take(Answer::Take),
            Step::Broker(answer) => self.broker.take(answer),
            Step::Verdict { index } => {
                if !self.broker.verdicts.is_empty() {
                    let index = index % self.broker.verdicts.len();
                    let (sequence, verdict, returned) = self.broker.verdicts.remove(index);
                    self.window.on_verdict(sequence, verdict);
                    match (verdict, returned) {
                        (Verdict::Nacked, _) => {
                            self.refusal.refused(Reason::Nacked);
                        }
                        (Verdict::Confirmed, None) => self.refusal.accepted(),
                        (Verdict::Confirmed, Some(item)) => self.on_return(item),
                    }
                }
            }
            Step::Leave => self.leave()?,
            Step::Break { taken } => {
                (0..taken).for_each(|_| self.broker.take(Answer::Take));
                self.broker.wire.clear();
                if self.is_exact {
                    for (sequence, verdict, _) in self.broker.verdicts.drain(..) {
                        self.window.on_verdict(sequence, verdict);
                    }
                }
                // What was returned and nobody heard of it may be routed the next time, after later ones.
                let is_return = |(_, _, returned): &(_, _, Option<u32>)| returned.is_some();
                self.broker.reordered |= self.broker.verdicts.iter().any(is_return);
                self.broker.verdicts.clear();
                self.window.rewind();
                self.refusal.reconnected();
            }
        }
        prop_assert!(self.window.len() <= 16, "bounded in entries");
        prop_assert!(self.window.bytes() < 1_000 + 400, "bounded in bytes");
        Ok(())
    }

    fn on_return(&mut self, returned: u32) {
        let found = self.window.mark_returned(|item| *item == returned);
        let (sequence, item) = found.expect("its own confirm has just come");
        match self.policy {
            Policy::Park => {
                *item += PARKED;
                self.window.resend(sequence);
            }
            Policy::Retry => {
                self.broker.reordered = true;
                self.refusal
                    .refused(Reason::Unroutable("no queue".to_owned()));
            }
        }
    }

    fn leave(&mut self) -> Result<(), TestCaseError> {
        while let Some(item) = self.window.pop() {
            prop_assert_eq!(item % PARKED, self.left, "in order, nothing left out");
            prop_assert!(
                self.broker.queue.contains(&item),
                "only what the broker has"
            );
            self.left += 1;
        }
        if self.window.in_flight() == 0 && self.refusal.settled(Instant::now()).is_some() {
            self.window.rewind();
        }
        self.refusal.resume();
        Ok(())
    }

    /// From now on the broker takes everything: all must leave.
    fn finish(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..1_000 {
            for step in [
                Step::Send,
                Step::Broker(Answer::Take),
                Step::Verdict { index: 0 },
                Step::Leave,
            ] {
                self.step(&step)?;
            }
        }
        prop_assert!(
            self.window.is_empty(),
            "{} entries are stuck",
            self.window.len()
        );
        prop_assert_eq!(self.left, self.pushed);
        Ok(())
    }
}

#[test]
fn whatever_happens_everything_is_delivered_and_in_order() {
    let policies = prop_oneof![Just(Policy::Park), Just(Policy::Retry)];
    property::run(
        &(steps(), policies, any::<bool>()),
        |(steps, policy, is_exact)| {
            let window = Window::new(Bounds {
                events: 16,
                bytes: 1_000,
            })
            .keep_confirmed(is_exact);
            let mut model = Model {
                window,
                refusal: Refusal::default(),
                broker: Broker::default(),
                policy,
                is_exact,
                pushed: 0,
                left: 0,
            };
            steps.iter().try_for_each(|step| model.step(step))?;
            model.finish()?;
            let queue = &model.broker.queue;
            let mut last_copies: Vec<usize> = Vec::new();
            let mut first_copies: Vec<usize> = Vec::new();
            for item in 0..model.pushed {
                if queue.contains(&(item + PARKED)) {
                    continue;
                }
                let first = queue.iter().position(|queued| *queued == item);
                let last = queue.iter().rposition(|queued| *queued == item);
                first_copies.push(first.expect("everything was delivered"));
                last_copies.push(last.expect("everything was delivered"));
            }
            prop_assert!(last_copies.is_sorted(), "last copies in order: {queue:?}");
            if is_exact {
                let all: Vec<u32> = (0..model.pushed).collect();
                prop_assert_eq!(queue, &all, "each once");
            }
            if !model.broker.reordered {
                prop_assert!(first_copies.is_sorted(), "first copies in order: {queue:?}");
            }
            Ok(())
        },
    );
}
