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

use lapin::Confirmation;

/// With fewer messages than this, the first verdict is worth waking up for.
const FEW: usize = 64;

/// The outcome of a publish, of the message with that number.
pub(super) type Outcome = (u64, lapin::Result<Confirmation>);

/// A publish under way, which ends with the broker's verdict.
pub(super) type Publishing = Pin<Box<dyn Future<Output = lapin::Result<Confirmation>> + Send>>;

/// See the module's text.
#[derive(Default)]
pub(super) struct InFlight {
    slots: VecDeque<Slot>,
    /// Slots without an outcome.
    waiting: usize,
}

struct Slot {
    sequence: u64,
    /// None once it has ended.
    publishing: Option<Publishing>,
}

impl InFlight {
    /// Adds the next message. It is polled once, which puts its frames in the connection's queue.
    pub(super) fn push(&mut self, sequence: u64, mut publishing: Publishing) {
        let first = publishing.as_mut().poll(&mut quiet());
        let publishing = match first {
            Poll::Ready(outcome) => Box::pin(std::future::ready(outcome)),
            Poll::Pending => publishing,
        };
        self.waiting += 1;
        self.slots.push_back(Slot {
            sequence,
            publishing: Some(publishing),
        });
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
        outcomes: &mut Vec<Outcome>,
    ) -> Poll<()> {
        self.take_front(outcomes);
        if outcomes.is_empty() {
            if let Some(slot) = self.watched() {
                let ended = slot.poll(context, outcomes);
                self.waiting -= ended;
            }
            if outcomes.is_empty() {
                return Poll::Pending;
            }
            self.take_front(outcomes);
        }
        Poll::Ready(())
    }

    /// The slot whose end is worth waking up for.
    fn watched(&mut self) -> Option<&mut Slot> {
        let count = self.slots.len();
        let place = if count < FEW { 0 } else { count / 4 };
        let mut places = (place..count).chain(0..place);
        let place = places.find(|place| self.slots[*place].is_waiting())?;
        self.slots.get_mut(place)
    }

    /// Adds every outcome that is there to `outcomes`, wherever it stands.
    pub(super) fn sweep(&mut self, outcomes: &mut Vec<Outcome>) {
        for slot in &mut self.slots {
            self.waiting -= slot.poll(&mut quiet(), outcomes);
        }
        self.take_front(outcomes);
    }

    /// Takes slots away from the front on, as far as they have ended.
    fn take_front(&mut self, outcomes: &mut Vec<Outcome>) {
        while let Some(slot) = self.slots.front_mut() {
            self.waiting -= slot.poll(&mut quiet(), outcomes);
            if slot.is_waiting() {
                return;
            }
            self.slots.pop_front();
        }
    }
}

impl Slot {
    fn is_waiting(&self) -> bool {
        self.publishing.is_some()
    }

    /// How many outcomes were added: one or none.
    fn poll(&mut self, context: &mut Context<'_>, outcomes: &mut Vec<Outcome>) -> usize {
        let Some(publishing) = &mut self.publishing else {
            return 0;
        };
        let Poll::Ready(outcome) = publishing.as_mut().poll(context) else {
            return 0;
        };
        self.publishing = None;
        outcomes.push((self.sequence, outcome));
        1
    }
}

/// Wakes nobody.
fn quiet() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use tokio::sync::oneshot;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    struct Bench {
        in_flight: InFlight,
        /// What resolves each of them.
        broker: Vec<Option<oneshot::Sender<()>>>,
        wakes: Arc<Count>,
    }

    impl Bench {
        fn with(messages: u64) -> Self {
            let mut bench = Self {
                in_flight: InFlight::default(),
                broker: Vec::new(),
                wakes: Arc::default(),
            };
            for sequence in 0..messages {
                let (sender, receiver) = oneshot::channel();
                bench.broker.push(Some(sender));
                let publishing = async move {
                    receiver.await.expect("every message has its verdict");
                    Ok(Confirmation::Ack(None))
                };
                bench.in_flight.push(sequence, Box::pin(publishing));
            }
            bench
        }

        fn confirm(&mut self, message: usize) {
            self.broker[message].take().unwrap().send(()).unwrap();
        }

        /// The messages that have ended, or none where it waits.
        fn poll(&mut self) -> Vec<u64> {
            let waker = Waker::from(Arc::clone(&self.wakes));
            let mut outcomes = Vec::new();
            let poll = self
                .in_flight
                .poll(&mut Context::from_waker(&waker), &mut outcomes);
            assert_eq!(poll.is_pending(), outcomes.is_empty());
            numbers(&outcomes)
        }

        fn sweep(&mut self) -> Vec<u64> {
            let mut outcomes = Vec::new();
            self.in_flight.sweep(&mut outcomes);
            numbers(&outcomes)
        }

        fn wakes(&self) -> usize {
            self.wakes.0.load(Ordering::Relaxed)
        }
    }

    fn numbers(outcomes: &[Outcome]) -> Vec<u64> {
        outcomes.iter().map(|(sequence, _)| *sequence).collect()
    }

    #[test]
    fn with_few_in_flight_the_first_verdict_wakes() {
        let mut bench = Bench::with(3);
        assert!(bench.poll().is_empty());
        bench.confirm(1);
        assert_eq!(bench.wakes(), 0);
        bench.confirm(0);
        assert_eq!(bench.wakes(), 1);
        assert_eq!(bench.poll(), [0, 1]);
        assert_eq!(bench.in_flight.len(), 1);
    }

    #[test]
    fn with_much_in_flight_a_quarter_of_the_verdicts_wakes_once() {
        let mut bench = Bench::with(100);
        assert!(bench.poll().is_empty());
        for message in 0..=25 {
            assert_eq!(bench.wakes(), 0, "{message}");
            bench.confirm(message);
        }
        assert_eq!(bench.wakes(), 1);
        assert_eq!(bench.poll().len(), 26);
    }

    #[test]
    fn a_sweep_finds_verdicts_behind_one_that_is_missing() {
        let mut bench = Bench::with(3);
        bench.confirm(2);
        assert!(bench.poll().is_empty());
        assert_eq!(bench.sweep(), [2]);
        assert!(bench.sweep().is_empty());
        bench.confirm(0);
        assert_eq!(bench.poll(), [0]);
        assert_eq!(bench.in_flight.len(), 1);
    }

    #[test]
    fn what_is_left_before_the_quarter_wakes_when_the_rest_was_swept() {
        let mut bench = Bench::with(100);
        (10..100).for_each(|message| bench.confirm(message));
        assert_eq!(bench.sweep().len(), 90);
        assert!(bench.poll().is_empty());
        (0..10).for_each(|message| bench.confirm(message));
        assert_eq!(bench.wakes(), 1);
        assert_eq!(bench.poll().len(), 10);
        assert_eq!(bench.in_flight.len(), 0);
    }
}
