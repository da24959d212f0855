//! The messages in flight on one channel, each a future of the client library's.
//!
//! The broker's verdicts come nearly in the order of the messages, and only the confirmed prefix moves the checkpoint.
//! So the futures are polled from the front on, and only one of them wakes the task: to be woken by each would cost
//! more than to publish.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use tokio_util::sync::ReusableBoxFuture;

/// With fewer messages than this, the first verdict is worth waking up for.
const FEW: usize = 64;
/// Most states of written messages that are kept for the next ones, of a kilobyte and a half each.
const SPARE: usize = 512;

/// The outcome of a publish, of the message with that number.
pub(super) type Outcome<V> = (u64, lapin::Result<V>);

/// A publish under way, which ends with `C`, the wait for the verdict, when the message is written to the socket.
type Publishing<C> = ReusableBoxFuture<'static, lapin::Result<C>>;

/// See the module's text.
pub(super) struct InFlight<C> {
    slots: VecDeque<Slot<C>>,
    /// Slots without an outcome.
    waiting: usize,
    /// What is left of publishes that have ended, for their memory: it is in the processor's cache, and too large for
    /// the allocator's short way.
    spare: Vec<Publishing<C>>,
}

struct Slot<C> {
    sequence: u64,
    stage: Stage<C>,
}

enum Stage<C> {
    /// More than a kilobyte of the client library's state.
    Publishing(Publishing<C>),
    /// Some words.
    Confirming(C),
    Failed(lapin::Error),
    Ended,
}

impl<V, C: Future<Output = lapin::Result<V>> + Unpin + Send + 'static> InFlight<C> {
    /// Adds messages and puts their frames in the connection's queue, in order.
    ///
    /// They are begun when all of them are made: the library's thread writes what it finds as soon as there is
    /// something, so the less time there is between them, the more go into one write.
    pub(super) fn extend(
        &mut self,
        messages: impl Iterator<Item = (u64, impl Future<Output = lapin::Result<C>> + Send + 'static)>,
    ) {
        self.shrink();
        let Self {
            slots,
            waiting,
            spare,
        } = self;
        let first = slots.len();
        slots.extend(messages.map(|(sequence, publishing)| Slot {
            sequence,
            stage: Stage::Publishing(boxed(publishing, spare)),
        }));
        *waiting += slots.len() - first;
        for slot in slots.range_mut(first..) {
            slot.write(spare);
        }
    }

    /// Gives back what the last messages needed only until they were written.
    fn shrink(&mut self) {
        let last = self.slots.iter_mut().rev();
        for slot in last.take_while(|slot| slot.is_publishing()) {
            slot.write(&mut self.spare);
        }
        self.spare.truncate(SPARE);
    }

    /// Messages without an outcome.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// Waits until some outcomes are there, and adds them to `outcomes`.
    ///
    /// While much is in flight that is not the first one, but when about a quarter is through: nothing can be done
    /// earlier, since the window is refilled by quarters.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        outcomes: &mut Vec<Outcome<V>>,
    ) -> Poll<()> {
        self.take_front(outcomes);
        if outcomes.is_empty() {
            if let Some(place) = self.watched() {
                self.waiting -= self.slots[place].poll(context, &mut self.spare, outcomes);
            }
            if outcomes.is_empty() {
                return Poll::Pending;
            }
            self.take_front(outcomes);
        }
        Poll::Ready(())
    }

    /// Place of the slot whose end is worth waking up for.
    fn watched(&self) -> Option<usize> {
        let count = self.slots.len();
        let place = if count < FEW { 0 } else { count / 4 };
        let mut places = (place..count).chain(0..place);
        places.find(|place| self.slots[*place].is_waiting())
    }

    /// Adds every outcome that is there to `outcomes`, wherever it stands.
    pub(super) fn sweep(&mut self, outcomes: &mut Vec<Outcome<V>>) {
        for slot in &mut self.slots {
            self.waiting -= slot.poll(&mut quiet(), &mut self.spare, outcomes);
        }
        self.take_front(outcomes);
    }

    /// Takes slots away from the front on, as far as they have ended.
    fn take_front(&mut self, outcomes: &mut Vec<Outcome<V>>) {
        while let Some(slot) = self.slots.front_mut() {
            self.waiting -= slot.poll(&mut quiet(), &mut self.spare, outcomes);
            if slot.is_waiting() {
                return;
            }
            self.slots.pop_front();
        }
    }
}

impl<V, C: Future<Output = lapin::Result<V>> + Unpin> Slot<C> {
    fn is_waiting(&self) -> bool {
        !matches!(self.stage, Stage::Ended)
    }

    fn is_publishing(&self) -> bool {
        matches!(self.stage, Stage::Publishing(_))
    }

    /// Goes on up to the wait for the verdict, as far as that is possible now.
    fn write(&mut self, spare: &mut Vec<Publishing<C>>) {
        self.reach_confirming(&mut quiet(), spare);
    }

    fn reach_confirming(&mut self, context: &mut Context<'_>, spare: &mut Vec<Publishing<C>>) {
        if let Stage::Publishing(publishing) = &mut self.stage
            && let Poll::Ready(written) = publishing.poll(context)
        {
            let reached = written.map_or_else(Stage::Failed, Stage::Confirming);
            if let Stage::Publishing(publishing) = std::mem::replace(&mut self.stage, reached) {
                spare.push(publishing);
            }
        }
    }

    /// How many outcomes were added: one or none.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        spare: &mut Vec<Publishing<C>>,
        outcomes: &mut Vec<Outcome<V>>,
    ) -> usize {
        self.reach_confirming(context, spare);
        if let Stage::Confirming(confirm) = &mut self.stage
            && Pin::new(confirm)
                .poll(context)
                .map(|outcome| outcomes.push((self.sequence, outcome)))
                .is_pending()
        {
            return 0;
        }
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Confirming(_) => 1,
            Stage::Failed(error) => {
                outcomes.push((self.sequence, Err(error)));
                1
            }
            Stage::Ended => 0,
            publishing @ Stage::Publishing(_) => {
                self.stage = publishing;
                0
            }
        }
    }
}

/// `publishing` in a box, one of `spare` where there is one.
fn boxed<C>(
    publishing: impl Future<Output = lapin::Result<C>> + Send + 'static,
    spare: &mut Vec<Publishing<C>>,
) -> Publishing<C> {
    match spare.pop() {
        Some(mut spare) => {
            spare.set(publishing);
            spare
        }
        None => ReusableBoxFuture::new(publishing),
    }
}

impl<C> Default for InFlight<C> {
    fn default() -> Self {
        Self {
            slots: VecDeque::new(),
            waiting: 0,
            spare: Vec::new(),
        }
    }
}

/// Wakes nobody.
fn quiet() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[cfg(test)]
mod tests;
