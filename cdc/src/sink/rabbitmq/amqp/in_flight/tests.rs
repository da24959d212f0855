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
