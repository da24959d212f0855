//! A sink for tests: a target that takes, refuses, returns, holds and forgets what its script says, and a client that
//! tells of it as the real one does.
//!
//! The client is the AMQP library's in what makes it hard: receipts come in any order, several at once, and a return
//! rides on whichever receipt is made next. One order holds, and without it a parked copy that comes back could be lost:
//! RabbitMQ confirms a message that matches no queue when it sends it back, so such confirms come in the order of the
//! messages (`rabbit_channel.erl`: what waits for its confirm is sent off together, sorted by delivery tag). One frame
//! may confirm many of them, and the client makes the receipts of a frame in any order; a sweep finds all of them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use tokio::time::Instant;

use super::{Event, Receipt, Returned, Verdict};
use crate::{
    message::{Message, Target},
    rabbitmq,
};

/// Longest time between two things that happen.
const PAUSE_MS: u64 = 20;

/// How often in a hundred something happens, while there are faults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Odds {
    /// The target refuses a message.
    pub(crate) nack: u32,
    /// The target sends a message back.
    pub(crate) return_: u32,
    /// The connection is lost, in the middle of whatever is on its way.
    pub(crate) lose: u32,
}

/// The target, which outlives connections.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// What the target took, each copy.
    pub(crate) queue: Vec<Took>,
    /// The same with their content.
    pub(crate) messages: Vec<Arc<Message>>,
    /// What was sent, and when.
    pub(crate) wire: Vec<(Instant, Arc<Message>)>,
    /// What it took for the parking queue.
    pub(crate) parked: Vec<Took>,
    /// Whether a refusal or a return let later messages pass a first copy.
    pub(crate) may_reorder: bool,
    /// Messages that were sent on the connection that there is, each time.
    pub(crate) sent: usize,
    /// Messages that were sent while the client had said that it is not connected.
    pub(crate) sent_while_down: usize,
    /// Faults that are still to come.
    pub(crate) faults_left: u32,
}

/// What a message is known by: the number of its partition, if it has one, and its id.
pub(crate) type Took = (Option<u16>, String);

/// See the module's text.
#[derive(Debug)]
pub struct Scripted {
    world: Arc<Mutex<World>>,
    random: StdRng,
    odds: Odds,
    is_up: bool,
    /// Sent, and not yet taken by the target.
    wire: VecDeque<(u64, Arc<Message>)>,
    /// What the target said, and the client has not heard, in the order of sending.
    answers: Vec<Answer>,
    /// Returns that no receipt carries yet, first in first out.
    returns: VecDeque<Returned>,
    /// Receipts that are made and not given.
    receipts: Vec<Receipt>,
}

#[derive(Debug)]
struct Answer {
    sequence: u64,
    verdict: Verdict,
    came_back: bool,
}

impl Scripted {
    pub(crate) fn new(world: Arc<Mutex<World>>, odds: Odds, seed: u64) -> Self {
        Self {
            world,
            random: StdRng::seed_from_u64(seed),
            odds,
            is_up: true,
            wire: VecDeque::new(),
            answers: Vec::new(),
            returns: VecDeque::new(),
            receipts: Vec::new(),
        }
    }

    pub(super) fn can_send(&self) -> bool {
        self.is_up
    }

    pub(super) fn send(&mut self, messages: impl Iterator<Item = (u64, Arc<Message>)>) {
        let before = self.wire.len();
        self.wire.extend(messages);
        let sent = self.wire.len() - before;
        let now = Instant::now();
        let copies = self.wire.iter().skip(before);
        let copies: Vec<_> = copies
            .map(|(_, message)| (now, Arc::clone(message)))
            .collect();
        self.world().wire.extend(copies);
        let is_up = self.is_up;
        let mut world = self.world();
        world.sent += sent;
        world.sent_while_down += if is_up { 0 } else { sent };
    }

    pub(super) fn sweep(&mut self, receipts: &mut Vec<Receipt>) {
        receipts.append(&mut self.receipts);
    }

    /// Each turn is one thing that happens; all of it between two waits, so that a wait that is dropped loses nothing.
    pub(super) async fn next(&mut self, receipts: &mut Vec<Receipt>) -> Event {
        loop {
            let pause = self.random.random_range(0..PAUSE_MS);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            if !self.is_up {
                self.is_up = true;
                return Event::Connected;
            }
            if self.happens(self.odds.lose) {
                return self.lose(receipts);
            }
            for _ in 0..self.random.random_range(0..8) {
                self.take();
            }
            for _ in 0..self.random.random_range(0..8) {
                self.hear();
            }
            if self.give(receipts) {
                return Event::Receipts;
            }
        }
    }

    /// The target takes the next message from the wire. It sends messages back in the order in which they came.
    fn take(&mut self) {
        let Some((sequence, message)) = self.wire.pop_front() else {
            return;
        };
        let id = message.message_id.to_string();
        let partition = message.partition.map(|partition| partition.number);
        let mut came_back = false;
        let verdict = if self.happens(self.odds.nack) {
            self.world().may_reorder = true;
            Verdict::Nacked
        } else if self.happens(self.odds.return_) {
            // Sent again it may find a queue, after later ones.
            self.world().may_reorder = true;
            came_back = true;
            self.returns.push_back(Returned {
                message_id: id,
                partition,
                reason: "312 NO_ROUTE".to_owned(),
            });
            Verdict::Confirmed
        } else if message.target == Target::Parked {
            self.world().parked.push((partition, id));
            Verdict::Confirmed
        } else {
            let mut world = self.world();
            world.queue.push((partition, id));
            world.messages.push(message);
            Verdict::Confirmed
        };
        self.answers.push(Answer {
            sequence,
            verdict,
            came_back,
        });
    }

    /// The client hears a frame, of one answer or of all up to one.
    fn hear(&mut self) {
        if self.answers.is_empty() {
            return;
        }
        let index = self.random.random_range(0..self.answers.len());
        if self.random.random_bool(0.2) {
            let end = |answer: &Answer| answer.verdict == Verdict::Nacked;
            let count = self.answers.iter().position(end).unwrap_or(index + 1);
            let mut frame: Vec<Answer> = self.answers.drain(..count.min(index + 1)).collect();
            frame.shuffle(&mut self.random);
            for answer in &frame {
                self.make_receipt(answer);
            }
            return;
        }
        let first = self.answers.iter().position(|answer| answer.came_back);
        let came_back = self.answers[index].came_back;
        let index = first.filter(|_| came_back).unwrap_or(index);
        let answer = self.answers.remove(index);
        self.make_receipt(&answer);
    }

    /// Carries the first return that waits.
    fn make_receipt(&mut self, answer: &Answer) {
        let returned = self.returns.pop_front();
        self.receipts.push(Receipt {
            sequence: answer.sequence,
            verdict: answer.verdict,
            returned,
        });
    }

    /// Gives some of the receipts.
    fn give(&mut self, receipts: &mut Vec<Receipt>) -> bool {
        let count = self.random.random_range(0..=self.receipts.len());
        for _ in 0..count {
            let index = self.random.random_range(0..self.receipts.len());
            receipts.push(self.receipts.swap_remove(index));
        }
        count > 0
    }

    fn lose(&mut self, receipts: &mut Vec<Receipt>) -> Event {
        for _ in 0..self.random.random_range(0..8) {
            self.take();
        }
        self.sweep(receipts);
        self.wire.clear();
        self.answers.clear();
        self.returns.clear();
        self.is_up = false;
        Event::Lost(rabbitmq::Error::Locked.into())
    }

    fn happens(&mut self, odds: u32) -> bool {
        let happens = self.random.random_range(0..100) < odds;
        let mut world = self.world.lock().unwrap();
        if !happens || world.faults_left == 0 {
            return false;
        }
        world.faults_left -= 1;
        true
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }
}
