//! The whole loop with snapshots, against a model of a database and of a consumer, over any number of crashes.

mod consumer;
mod database;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use proptest::{prelude::*, test_runner::TestCaseResult};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{
    consumer::{Consumer, reads},
    database::Database,
};
use crate::{
    encode::{self, RoutingKey},
    health::Health,
    metrics::Metrics,
    pipeline::{
        Config, OnOversize, OnPoison, OnUnroutable, Outcome, Pipeline, Policies, Stages,
        checkpointer::Store as CheckpointStore,
        scripted::{Audit, Saved, Store},
        snapshots::{Parts, UNSAVED_MAX},
    },
    property,
    sink::{
        Places, Sink,
        scripted::{Odds, Scripted, World},
    },
    snapshot::{OnRenameIn, Options, Origin, Progress, Reader, Script, When, Wish},
    source::{Databases, HistoryLost, Item, Scope, Source},
};

/// No case takes longer, by the clock of the test.
const LIMIT: Duration = Duration::from_secs(3_600);
/// No change waits longer for a snapshot: the longest patience, and what was before it in the same chunk.
const WAIT_MAX: Duration = Duration::from_millis(1_100);

/// One case.
#[derive(Debug, Clone)]
struct Case {
    collections: usize,
    keys: usize,
    changes: usize,
    gap_ms: u64,
    server: database::Odds,
    /// Whether a second run is to follow.
    has_second: bool,
    window: usize,
    lose: u32,
    faults: u32,
    failed_saves: u32,
    save_ms: u64,
    /// When the engine is killed, once each.
    crashes_ms: Vec<u64>,
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let server = (
        0_u32..20,
        0_u32..40,
        0_u32..12,
        prop::option::of(3_u32..20),
        any::<bool>(),
    )
        .prop_map(|(fail, cut, refuse, rate, is_filtered)| database::Odds {
            fail,
            cut,
            refuse: refuse == 0,
            rate,
            is_filtered,
        });
    let sizes = (1_usize..4, 8_usize..48, 0_usize..60, 1_u64..80);
    let target = (2_usize..64, 0_u32..10, 0_u32..4);
    let saves = (0_u32..4, 0_u64..400);
    let crashes = prop::collection::vec(0_u64..4_000, 0..4);
    let crashes = prop_oneof![Just(Vec::new()), crashes];
    let all = (sizes, server, any::<bool>(), target, saves, crashes);
    (all, any::<u64>()).prop_map(|(all, seed)| {
        let (sizes, server, has_second, target, saves, crashes_ms) = all;
        Case {
            collections: sizes.0,
            keys: sizes.1,
            changes: sizes.2,
            gap_ms: sizes.3,
            server,
            has_second,
            window: target.0,
            lose: target.1,
            faults: target.2,
            failed_saves: saves.0,
            save_ms: saves.1,
            crashes_ms,
            seed,
        }
    })
}

fn encoding() -> encode::Config {
    encode::Config {
        shape: Arc::new(encode::event::Event),
        routing_key: RoutingKey::of_queue("q", 1),
        ..encode::Config::default()
    }
}

/// A target, a checkpoint and a database, and the sessions of an engine between them.
struct Run {
    case: Case,
    world: Arc<Mutex<World>>,
    saved: Arc<Mutex<Saved>>,
    database: Arc<Database>,
    sessions: u64,
}

impl Run {
    fn new(case: Case) -> Self {
        let world = World {
            faults_left: case.faults,
            ..World::default()
        };
        let world = Arc::new(Mutex::new(world));
        let second = Wish {
            name: "second".to_owned(),
            origin: Origin::Request,
            collections: None,
            filter: None,
            rate: None,
        };
        let saved = Saved {
            failures_left: case.failed_saves,
            snapshot: Progress {
                pending: case.has_second.then_some(second).into_iter().collect(),
                ..Progress::default()
            },
            ..Saved::default()
        };
        let sizes = (case.collections, case.keys, case.changes, case.gap_ms);
        let database = Database::new(sizes, case.server, Arc::clone(&world), case.seed);
        Self {
            case,
            world,
            saved: Arc::new(Mutex::new(saved)),
            database: Arc::new(database),
            sessions: 0,
        }
    }

    /// What the stream tells from the checkpoint on.
    fn source(&self) -> Source {
        // A server always tells again how far it is.
        let last = self.database.told.len() - 1;
        let done = self.saved.lock().unwrap().count.min(last);
        let mut chunks: Vec<(Instant, u32, Vec<Item>)> = Vec::new();
        for index in done..self.database.told.len() {
            let at = self.database.told_at(index).max(Instant::now());
            let item = self.database.item(index);
            match chunks.last_mut() {
                Some((other, _, items)) if *other == at && items.len() < 8 => items.push(item),
                _ => chunks.push((at, self.database.told[index].behind_seconds, vec![item])),
            }
        }
        Source::timed(chunks)
    }

    /// The next session reads from the checkpoint on.
    fn session(&mut self) -> Pipeline {
        self.sessions += 1;
        let case = &self.case;
        *self.database.sent_before.lock().unwrap() = self.world.lock().unwrap().wire.len();
        let messages = |index| {
            let event = self.database.event(index);
            let message = event.map(|event| encode::encode(&event, &encoding()).unwrap());
            let took = message.map(|message| (None, message.message_id.to_string()));
            took.into_iter().collect()
        };
        let told = 0..self.database.told.len();
        let told = told.map(|index| (self.database.position(index), messages(index)));
        let progress = self.saved.lock().unwrap().snapshot.clone();
        let store = Store {
            world: Arc::clone(&self.world),
            saved: Arc::clone(&self.saved),
            events: Arc::new(told.collect()),
            delay: Duration::from_millis(case.save_ms),
            snapshot: progress.clone(),
            audit: Some(Arc::clone(&self.database) as Arc<dyn Audit>),
        };
        let odds = Odds {
            nack: 0,
            return_: 0,
            lose: case.lose,
        };
        let (world, seed) = (Arc::clone(&self.world), case.seed ^ self.sessions);
        let parts = Parts {
            reader: Reader::scripted(Arc::clone(&self.database) as Arc<dyn Script>),
            progress,
            requests: None,
            scope: Scope::all_of(Databases::One("shop".to_owned())),
            options: Options {
                when: When::Initial,
                rate: None,
                on_rename_in: OnRenameIn::Event,
            },
            on_history_lost: HistoryLost::Stop,
        };
        let stages = Stages {
            source: self.source(),
            encode: encoding(),
            sink: Sink::Scripted(Box::new(Scripted::new(world, odds, seed))),
            snapshots: Some(parts),
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
                on_unroutable: OnUnroutable::Retry,
                on_poison: OnPoison::Stop,
                on_oversize: OnOversize::Stop,
            },
            projection: None,
            filter: None,
        };
        Pipeline::assemble(config, stages, CheckpointStore::Scripted(Box::new(store)))
    }

    /// Sessions until everything is delivered, the first ones until they are killed.
    async fn deliver(&mut self) {
        for crash_ms in self.case.crashes_ms.clone() {
            let session = self.session().run(CancellationToken::new());
            let _ = tokio::time::timeout(Duration::from_millis(crash_ms), session).await;
        }
        let shutdown = CancellationToken::new();
        let session = self.session().run(shutdown.clone());
        let watch = async {
            while !self.is_over() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            shutdown.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            outcome = session => assert!(matches!(outcome, Ok(Outcome::Drained)), "{outcome:?}"),
            () = watch => unreachable!("it waits for ever"),
        }
    }

    fn is_over(&self) -> bool {
        let saved = self.saved.lock().unwrap();
        let mut changes = self.database.told.iter();
        let last = changes.rposition(|told| told.change.is_some());
        let is_read = saved.snapshot.has_begun_initial && !saved.snapshot.is_under_way();
        is_read && last.is_none_or(|last| last < saved.count)
    }

    fn check(&self) -> TestCaseResult {
        let world = self.world.lock().unwrap();
        prop_assert_eq!(&self.saved.lock().unwrap().fault, &None);
        prop_assert_eq!(&*self.database.fault.lock().unwrap(), &None);
        let is_exact = self.case.crashes_ms.is_empty();
        let mut consumer = Consumer::new(&self.database, &encoding(), is_exact);
        for message in &world.messages {
            if let Err(fault) = consumer.take(message) {
                prop_assert!(false, "{}", fault);
            }
        }
        prop_assert_eq!(consumer.end(), Ok(()));
        self.check_repeats(&world)?;
        self.check_waits(&world)
    }

    /// A crash makes few documents be read again, beside the last ones of collections and runs.
    fn check_repeats(&self, world: &World) -> TestCaseResult {
        let reads = reads(&self.database, &world.messages);
        let again: usize = reads.values().map(|ids| ids.len() - 1).sum();
        let runs = 1 + usize::from(self.case.has_second);
        let sessions = usize::try_from(self.sessions).unwrap();
        let marks = runs * 2 * self.case.collections + sessions;
        let most = self.case.crashes_ms.len() * usize::try_from(UNSAVED_MAX).unwrap() + marks;
        prop_assert!(again <= most, "{} were read again, not {}", again, most);
        Ok(())
    }

    /// Where nothing else is in its way, a change is sent soon after it was told.
    fn check_waits(&self, world: &World) -> TestCaseResult {
        let is_free = self.case.faults == 0
            && self.case.crashes_ms.is_empty()
            && self.case.failed_saves == 0
            && 48 <= self.case.window;
        if !is_free {
            return Ok(());
        }
        let told = 0..self.database.told.len();
        let told: HashMap<String, Instant> = told
            .filter_map(|index| {
                let message = encode::encode(&self.database.event(index)?, &encoding()).unwrap();
                let at = self.database.told_at(index);
                Some((message.message_id.to_string(), at))
            })
            .collect();
        for (sent_at, message) in &world.wire {
            if let Some(told_at) = told.get(&message.message_id.to_string()) {
                let waited = *sent_at - *told_at;
                prop_assert!(waited <= WAIT_MAX, "a change waited {:?}", waited);
            }
        }
        Ok(())
    }
}

impl Audit for Database {
    /// What counts as read is in the queue: so many documents, and each that was never changed.
    fn fault(&self, progress: &Progress, world: &World) -> Option<String> {
        let reads = reads(self, &world.messages);
        let is_read = |run: &str, place| reads.contains_key(&(run.to_owned(), place));
        let changes = self.told.iter().filter_map(|told| told.change.as_ref());
        let touched: Vec<_> = changes.map(|change| change.place).collect();
        let wanted = self.initial.iter().filter(|((collection, _), version)| {
            self.wants(**version) && !self.refuses(*collection)
        });
        let places = wanted.map(|(place, _)| *place);
        let places: Vec<_> = places.filter(|place| !touched.contains(place)).collect();
        if let Some(ended) = &progress.ended {
            let missing = places.iter().find(|place| !is_read(&ended.name, **place));
            if let Some(place) = missing {
                return Some(format!("{} is saved as over without {place:?}", ended.name));
            }
        }
        let run = progress.run.as_ref()?;
        let queued = reads.keys().filter(|(name, _)| *name == run.wish.name);
        let queued = queued.count() as u64;
        if queued < run.documents {
            return Some(format!("{} are saved, {queued} are there", run.documents));
        }
        let passes = |(collection, index): (usize, usize)| {
            let name = Database::name(collection);
            if run.todo.contains(&name) {
                return false;
            }
            let Some(current) = run.current.as_ref().filter(|current| current.name == name) else {
                return true;
            };
            let index_of = |key: &Option<_>| key.as_ref().map(|key| self.index(key));
            current.ranges.iter().any(|range| {
                let begins = index_of(&range.from).is_none_or(|from| from <= index);
                let ends = index_of(&range.to).is_none_or(|to| index < to);
                let is_passed = index_of(&range.after).is_some_and(|after| index <= after);
                begins && ends && (is_passed || range.is_done)
            })
        };
        let missing = places
            .iter()
            .find(|place| passes(**place) && !is_read(&run.wish.name, **place));
        missing.map(|place| format!("{place:?} is saved as read"))
    }
}

#[test]
fn whatever_happens_documents_that_were_read_are_where_they_are_true() {
    property::run(&cases(), |case| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut run = Run::new(case);
            let outcome = tokio::time::timeout(LIMIT, run.deliver()).await;
            let saved = run.saved.lock().unwrap().snapshot.clone();
            prop_assert!(outcome.is_ok(), "it hangs: {:?}", saved);
            run.check()
        })
    });
}
