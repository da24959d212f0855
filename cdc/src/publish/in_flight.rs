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

    type Confirm = Pin<Box<dyn Future<Output = lapin::Result<()>> + Send>>;

    struct Bench {
        in_flight: InFlight<Confirm>,
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
            let broker = &mut bench.broker;
            bench.in_flight.extend((0..messages).map(|sequence| {
                let (sender, receiver) = oneshot::channel();
                broker.push(Some(sender));
                let confirm: Confirm = Box::pin(async move {
                    receiver.await.expect("every message has its verdict");
                    Ok(())
                });
                (sequence, std::future::ready(Ok(confirm)))
            }));
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

    fn numbers(outcomes: &[Outcome<()>]) -> Vec<u64> {
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
    fn up_to_a_bound_the_first_verdict_wakes_alone() {
        let mut bench = Bench::with(FEW as u64 - 1);
        assert!(bench.poll().is_empty());
        bench.confirm(0);
        assert_eq!(bench.wakes(), 1);
        assert_eq!(bench.poll(), [0]);
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

    #[test]
    fn messages_are_begun_in_order_and_their_state_is_given_back_once_written() {
        let mut in_flight = InFlight::<Confirm>::default();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (write, written) = tokio::sync::watch::channel(false);
        let group = |numbers: std::ops::Range<u64>| {
            let (order, written) = (Arc::clone(&order), written.clone());
            numbers.map(move |sequence| {
                let (order, mut written) = (Arc::clone(&order), written.clone());
                let publishing = async move {
                    order.lock().unwrap().push(sequence);
                    written.wait_for(|is_written| *is_written).await.unwrap();
                    let confirm: Confirm = Box::pin(std::future::pending());
                    Ok(confirm)
                };
                (sequence, publishing)
            })
        };
        in_flight.extend(group(0..3));
        assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
        write.send(true).unwrap();
        in_flight.extend(group(3..4));
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
        let publishing = in_flight.slots.iter().filter(|slot| slot.is_publishing());
        assert_eq!(publishing.count(), 0);
        assert_eq!(in_flight.len(), 4);
    }

    #[test]
    fn what_is_kept_of_written_messages_is_bounded_and_holds_none_of_them() {
        let mut in_flight = InFlight::<Confirm>::default();
        let message = Arc::new(());
        let written = |numbers: std::ops::Range<u64>| {
            numbers.map(|sequence| {
                let message = Arc::clone(&message);
                let publishing = async move {
                    drop(message);
                    let confirm: Confirm = Box::pin(std::future::pending());
                    Ok(confirm)
                };
                (sequence, publishing)
            })
        };
        let more = SPARE as u64 + 10;
        in_flight.extend(written(0..more));
        in_flight.extend(written(more..more + 2));
        assert_eq!(in_flight.spare.len(), SPARE);
        assert_eq!(Arc::strong_count(&message), 1);
    }

    #[test]
    fn a_publish_that_fails_at_once_is_told() {
        let mut in_flight = InFlight::<Confirm>::default();
        let error = lapin::ErrorKind::InvalidConnectionState(lapin::ConnectionState::Closed);
        let publishing = std::future::ready(Err(error.into()));
        in_flight.extend(std::iter::once((7, publishing)));
        let mut outcomes = Vec::new();
        let poll = in_flight.poll(&mut quiet(), &mut outcomes);
        assert!(poll.is_ready());
        assert!(matches!(outcomes[..], [(7, Err(_))]));
        assert_eq!(in_flight.len(), 0);
    }
}
