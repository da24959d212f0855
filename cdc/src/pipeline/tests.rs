//! The whole loop against a scripted target and a scripted checkpoint, over any number of crashes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bson::{Timestamp, rawdoc};
use proptest::{prelude::*, test_runner::TestCaseResult};
use tokio_util::sync::CancellationToken;

use super::{
    Config, Error, Filter, OnOversize, OnPoison, OnUnroutable, Outcome, Pipeline, Policies, Stages,
    checkpointer::Store as CheckpointStore,
    scripted::{Saved, Store},
};
use crate::{
    encode::{self, Partitions, RoutingKey},
    event::ChangeEvent,
    health::Health,
    metrics::Metrics,
    property,
    sink::{
        Places, Sink,
        own::{Own, Target, scripted::Faulty},
        scripted::{Odds, Scripted, Took, World},
    },
    snapshot::Progress,
    source::{Item, Source},
};

/// No case takes longer, by the clock of the test.
const LIMIT: Duration = Duration::from_secs(3_600);

/// Longest wait for an answer of the program's sink.
const OWN_LIMIT: Duration = Duration::from_secs(5);

/// One case.
#[derive(Debug, Clone)]
struct Case {
    events: usize,
    chunk: usize,
    window: usize,
    partitions: u16,
    odds: Odds,
    faults: u32,
    failed_saves: u32,
    save_ms: u64,
    policy: OnUnroutable,
    /// Whether the sink is the program's own, which takes what it takes in order.
    is_own: bool,
    /// The filter leaves out each event whose number this divides, if there is one.
    unwanted: Option<usize>,
    /// When the engine is killed, once each.
    crashes_ms: Vec<u64>,
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let odds = (0_u32..15, 0_u32..40, 0_u32..10).prop_map(|(nack, return_, lose)| Odds {
        nack,
        return_,
        lose,
    });
    let policy = prop_oneof![Just(OnUnroutable::Retry), Just(OnUnroutable::Park)];
    let sizes = (1_usize..80, 1_usize..20, 1_usize..24, 1_u16..6);
    let faults = (0_u32..30, 0_u32..3, 0_u64..200);
    let crashes = prop::collection::vec(0_u64..3_000, 0..3);
    let program = (any::<bool>(), prop::option::of(1_usize..5));
    (
        sizes,
        odds,
        faults,
        (policy, program),
        crashes,
        any::<u64>(),
    )
        .prop_map(
            |(
                sizes,
                odds,
                (faults, failed_saves, save_ms),
                (policy, program),
                crashes_ms,
                seed,
            )| Case {
                is_own: program.0,
                unwanted: program.1,
                events: sizes.0,
                chunk: sizes.1,
                window: sizes.2,
                partitions: sizes.3,
                odds,
                faults,
                failed_saves,
                save_ms,
                policy,
                crashes_ms,
                seed,
            },
        )
}

/// Every eighth is about no document.
fn event(number: usize) -> ChangeEvent {
    let time = Timestamp {
        time: 1_000,
        increment: u32::try_from(number).unwrap() + 1,
    };
    let id = i64::from(time.increment);
    let mut raw = rawdoc! {
        "_id": { "_data": format!("82000003E8{:08X}", time.increment) },
        "operationType": if number % 8 == 7 { "drop" } else { "insert" },
        "clusterTime": time,
        "ns": { "db": "scrabble", "coll": "games" },
    };
    if number % 8 != 7 {
        raw.append(bson::cstr!("fullDocument"), rawdoc! { "_id": id });
        raw.append(bson::cstr!("documentKey"), rawdoc! { "_id": id });
    }
    ChangeEvent::parse(raw.into_bytes().into()).unwrap()
}

fn encoding(partitions: u16) -> encode::Config {
    encode::Config {
        routing_key: RoutingKey::of_queue("q", partitions),
        partitions: Partitions::new(partitions),
        ..encode::Config::default()
    }
}

/// What has to be told of event `number`.
fn messages(number: usize, partitions: u16) -> Vec<Took> {
    let message = encode::encode(&event(number), &encoding(partitions)).unwrap();
    let id = message.message_id.to_string();
    let further = message
        .further
        .iter()
        .map(|address| Some(address.partition));
    let all = std::iter::once(message.partition).chain(further);
    let all: Vec<Took> = all
        .map(|partition| (partition.map(|partition| partition.number), id.clone()))
        .collect();
    let is_everywhere = number % 8 == 7 && 1 < partitions;
    assert_eq!(all.len(), if is_everywhere { partitions.into() } else { 1 });
    all
}

impl Case {
    /// What has to be told of event `number`, if it is wanted.
    fn messages(&self, number: usize) -> Vec<Took> {
        match self.unwanted {
            Some(divisor) if number.is_multiple_of(divisor) => Vec::new(),
            _ => messages(number, self.partitions),
        }
    }

    fn filter(&self) -> Option<Filter> {
        let divisor = self.unwanted?;
        Some(Filter::new(move |event| {
            let number = event.cluster_time().increment as usize - 1;
            !number.is_multiple_of(divisor)
        }))
    }
}

/// A target and a checkpoint, and the sessions of an engine between them.
struct Run {
    case: Case,
    world: Arc<Mutex<World>>,
    saved: Arc<Mutex<Saved>>,
    sessions: u64,
    /// The program's sink, which outlives sessions.
    own: Target,
}

impl Run {
    fn new(case: Case) -> Self {
        let world = World {
            faults_left: case.faults,
            ..World::default()
        };
        let saved = Saved {
            failures_left: case.failed_saves,
            ..Saved::default()
        };
        let world = Arc::new(Mutex::new(world));
        let faulty = Faulty::new(Arc::clone(&world), case.odds, case.seed);
        Self {
            own: Target::new(faulty),
            case,
            world,
            saved: Arc::new(Mutex::new(saved)),
            sessions: 0,
        }
    }

    fn messages(&self) -> Vec<Took> {
        let each = |number| self.case.messages(number);
        (0..self.case.events).flat_map(each).collect()
    }

    /// The next session reads from the checkpoint on.
    async fn session(&mut self) -> Pipeline {
        self.sessions += 1;
        let case = &self.case;
        let all: Vec<ChangeEvent> = (0..case.events).map(event).collect();
        let position =
            |(number, event): (usize, &ChangeEvent)| (event.position(), case.messages(number));
        let store = Store {
            world: Arc::clone(&self.world),
            saved: Arc::clone(&self.saved),
            events: Arc::new(all.iter().enumerate().map(position).collect()),
            delay: Duration::from_millis(case.save_ms),
            snapshot: Progress::default(),
            audit: None,
        };
        let done = self.saved.lock().unwrap().count;
        let mut items = all.into_iter().skip(done).map(Item::Event).peekable();
        let mut chunks: Vec<Vec<Item>> = Vec::new();
        while items.peek().is_some() {
            chunks.push(items.by_ref().take(case.chunk).collect());
        }
        let sink = if case.is_own {
            Sink::Own(Box::new(self.open_own().await))
        } else {
            let (world, seed) = (Arc::clone(&self.world), case.seed ^ self.sessions);
            Sink::Scripted(Box::new(Scripted::new(world, case.odds, seed)))
        };
        let stages = Stages {
            source: Source::scripted(chunks),
            encode: encoding(case.partitions),
            sink,
            snapshots: None,
            places: Places::new(),
            max_message_bytes: None,
            metrics: Metrics::new("p"),
            health: Health::default(),
        };
        let config = Config {
            window_events: case.window,
            window_bytes: 1 << 20,
            checkpoint_interval: Duration::from_millis(50),
            shutdown_grace: Duration::from_secs(600),
            policies: Policies {
                on_unroutable: case.policy,
                on_poison: OnPoison::Stop,
                on_oversize: OnOversize::Stop,
            },
            projection: None,
            filter: case.filter(),
        };
        Pipeline::assemble(config, stages, CheckpointStore::Scripted(Box::new(store)))
    }

    /// The program's sink, as soon as it can be used.
    async fn open_own(&self) -> Own {
        loop {
            if let Ok(own) = Own::open(&self.own, OWN_LIMIT, Health::default()).await {
                return own;
            }
        }
    }

    /// Sessions until everything is delivered, the first ones until they are killed.
    async fn deliver(&mut self) {
        for crash_ms in self.case.crashes_ms.clone() {
            let session = self.session().await.run(CancellationToken::new());
            let _ = tokio::time::timeout(Duration::from_millis(crash_ms), session).await;
        }
        loop {
            let shutdown = CancellationToken::new();
            let session = self.session().await.run(shutdown.clone());
            let saved = Arc::clone(&self.saved);
            let wanted = self.case.events;
            let watch = async {
                while saved.lock().unwrap().count < wanted {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                shutdown.cancel();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                outcome = session => match outcome {
                    Ok(Outcome::Drained) => return,
                    Ok(Outcome::Reread { .. }) | Err(Error::Unroutable { .. }) => {}
                    other => panic!("{other:?}"),
                },
                () = watch => unreachable!("it waits for ever"),
            }
        }
    }

    fn check(&self) -> TestCaseResult {
        let (world, all) = (self.world.lock().unwrap(), self.messages());
        prop_assert_eq!(&self.saved.lock().unwrap().fault, &None);
        prop_assert_eq!(world.sent_while_down, 0);
        let (mut first, mut last) = (HashMap::new(), HashMap::new());
        for (place, message) in world.queue.iter().enumerate() {
            first.entry(message).or_insert(place);
            last.insert(message, place);
        }
        let unwanted = world.queue.iter().find(|message| !all.contains(message));
        prop_assert_eq!(unwanted, None, "it is not wanted");
        let delivered = all.iter().filter(|message| !world.parked.contains(message));
        let delivered: Vec<&Took> = delivered.collect();
        for message in &delivered {
            prop_assert!(first.contains_key(message), "{:?} is missing", message);
        }
        // All go through one channel in order, so they are in order whatever their partitions.
        let places = |copies: &HashMap<&Took, usize>| {
            delivered
                .iter()
                .map(|message| copies[message])
                .collect::<Vec<_>>()
        };
        prop_assert!(
            places(&last).is_sorted(),
            "last copies in order: {:?}",
            world.queue
        );
        if !world.may_reorder {
            prop_assert!(
                places(&first).is_sorted(),
                "first copies in order: {:?}",
                world.queue
            );
        }
        let faults = usize::try_from(self.case.faults - world.faults_left).unwrap();
        let again = (faults + self.case.crashes_ms.len()) * all.len().min(2 * self.case.window);
        prop_assert!(
            world.sent <= all.len() + again + self.replayed(),
            "{} messages were sent for {} and {} faults",
            world.sent,
            all.len(),
            faults
        );
        Ok(())
    }

    /// How much may be read again, since a session began at a checkpoint behind what was confirmed.
    fn replayed(&self) -> usize {
        usize::try_from(self.sessions - 1).unwrap() * self.messages().len()
    }
}

#[test]
fn whatever_the_target_does_everything_is_delivered_in_order_and_no_save_passes_it() {
    property::run(&cases(), |case| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let mut run = Run::new(case);
        let outcome = runtime.block_on(async { tokio::time::timeout(LIMIT, run.deliver()).await });
        prop_assert!(outcome.is_ok(), "it hangs: {:?}", run.world.lock().unwrap());
        run.check()
    });
}
