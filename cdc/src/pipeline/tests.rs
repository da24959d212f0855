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
    Config, Error, OnOversize, OnPoison, OnUnroutable, Outcome, Pipeline, Policies, Stages,
    checkpointer::Store as CheckpointStore,
    scripted::{Saved, Store},
};
use crate::{
    encode::{self, Compression, JsonMode, RoutingKey},
    event::ChangeEvent,
    health::Health,
    message::MessageId,
    metrics::Metrics,
    property,
    sink::{
        Sink,
        scripted::{Odds, Scripted, World},
    },
    source::{Item, Source},
};

/// No case takes longer, by the clock of the test.
const LIMIT: Duration = Duration::from_secs(3_600);

/// One case.
#[derive(Debug, Clone)]
struct Case {
    events: usize,
    chunk: usize,
    window: usize,
    odds: Odds,
    faults: u32,
    failed_saves: u32,
    save_ms: u64,
    policy: OnUnroutable,
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
    let sizes = (1_usize..80, 1_usize..20, 1_usize..24);
    let faults = (0_u32..30, 0_u32..3, 0_u64..200);
    let crashes = prop::collection::vec(0_u64..3_000, 0..3);
    (sizes, odds, faults, policy, crashes, any::<u64>()).prop_map(
        |(sizes, odds, (faults, failed_saves, save_ms), policy, crashes_ms, seed)| Case {
            events: sizes.0,
            chunk: sizes.1,
            window: sizes.2,
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

fn event(number: usize) -> ChangeEvent {
    let time = Timestamp {
        time: 1_000,
        increment: u32::try_from(number).unwrap() + 1,
    };
    let raw = rawdoc! {
        "_id": { "_data": format!("82000003E8{:08X}", time.increment) },
        "operationType": "insert",
        "clusterTime": time,
        "fullDocument": { "_id": i64::from(time.increment) },
        "ns": { "db": "scrabble", "coll": "games" },
        "documentKey": { "_id": i64::from(time.increment) },
    };
    ChangeEvent::parse(raw.into_bytes().into()).unwrap()
}

/// A target and a checkpoint, and the sessions of an engine between them.
struct Run {
    case: Case,
    world: Arc<Mutex<World>>,
    saved: Arc<Mutex<Saved>>,
    sessions: u64,
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
        Self {
            case,
            world: Arc::new(Mutex::new(world)),
            saved: Arc::new(Mutex::new(saved)),
            sessions: 0,
        }
    }

    fn ids(&self) -> Vec<String> {
        let id = |number| MessageId::from_token(event(number).token()).to_string();
        (0..self.case.events).map(id).collect()
    }

    /// The next session reads from the checkpoint on.
    fn session(&mut self) -> Pipeline {
        self.sessions += 1;
        let case = &self.case;
        let all: Vec<ChangeEvent> = (0..case.events).map(event).collect();
        let position =
            |event: &ChangeEvent| (event.position(), MessageId::from_token(event.token()));
        let store = Store {
            world: Arc::clone(&self.world),
            saved: Arc::clone(&self.saved),
            events: Arc::new(all.iter().map(position).collect()),
            delay: Duration::from_millis(case.save_ms),
        };
        let done = self.saved.lock().unwrap().count;
        let mut items = all.into_iter().skip(done).map(Item::Event).peekable();
        let mut chunks: Vec<Vec<Item>> = Vec::new();
        while items.peek().is_some() {
            chunks.push(items.by_ref().take(case.chunk).collect());
        }
        let scripted = Scripted::new(
            Arc::clone(&self.world),
            case.odds,
            case.seed ^ self.sessions,
        );
        let stages = Stages {
            source: Source::scripted(chunks),
            encode: encode::Config {
                shape: Arc::new(encode::document::Document),
                mode: JsonMode::Relaxed,
                compression: Compression::default(),
                routing_key: RoutingKey::default(),
                exchange: String::new(),
            },
            sink: Sink::Scripted(Box::new(scripted)),
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
        };
        Pipeline::assemble(config, stages, CheckpointStore::Scripted(store))
    }

    /// Sessions until everything is delivered, the first ones until they are killed.
    async fn deliver(&mut self) {
        for crash_ms in self.case.crashes_ms.clone() {
            let session = self.session().run(CancellationToken::new());
            let _ = tokio::time::timeout(Duration::from_millis(crash_ms), session).await;
        }
        loop {
            let shutdown = CancellationToken::new();
            let session = self.session().run(shutdown.clone());
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
        let (world, ids) = (self.world.lock().unwrap(), self.ids());
        prop_assert_eq!(&self.saved.lock().unwrap().fault, &None);
        prop_assert_eq!(world.sent_while_down, 0);
        let (mut first, mut last) = (HashMap::new(), HashMap::new());
        for (place, id) in world.queue.iter().enumerate() {
            first.entry(id).or_insert(place);
            last.insert(id, place);
        }
        let delivered: Vec<&String> = ids.iter().filter(|id| !world.parked.contains(id)).collect();
        for id in &delivered {
            prop_assert!(first.contains_key(id), "{} is missing", id);
        }
        let places = |copies: &HashMap<&String, usize>| {
            delivered.iter().map(|id| copies[id]).collect::<Vec<_>>()
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
        let again =
            (faults + self.case.crashes_ms.len()) * self.case.events.min(2 * self.case.window);
        prop_assert!(
            world.sent <= ids.len() + again + self.replayed(),
            "{} messages were sent for {} events and {} faults",
            world.sent,
            ids.len(),
            faults
        );
        Ok(())
    }

    /// How much may be read again, since a session began at a checkpoint behind what was confirmed.
    fn replayed(&self) -> usize {
        usize::try_from(self.sessions - 1).unwrap() * self.case.events
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
