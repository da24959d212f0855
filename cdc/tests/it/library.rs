//! The engine within a program of its own: this one.

use std::{
    collections::HashSet,
    error::Error as StdError,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use bson::{RawDocumentBuf, doc};
use cdc::{Change, Encoder, Engine, EngineBuilder, Error, Handle, HeaderValue, Message, Sink};
use tokio::task::JoinHandle;

use crate::support::{DEADLINE, Scenario, eventually, first_copies};

/// What the test's settings say, so that each engine is one of the scenario's pipeline.
fn builder(scenario: &Scenario) -> EngineBuilder {
    let settings = scenario.given().iter();
    settings.fold(Engine::builder(), |builder, (name, value)| {
        builder.set(name, value)
    })
}

/// The same without a broker anywhere.
fn without_a_broker(scenario: &Scenario) -> EngineBuilder {
    builder(scenario).set("RABBITMQ_URI", "amqp://127.0.0.1:1")
}

/// Runs the engine that `builder` makes, and waits until it works.
async fn start(builder: EngineBuilder) -> (Handle, JoinHandle<Result<(), Error>>) {
    let engine = builder.build().unwrap();
    let handle = engine.handle();
    let running = tokio::spawn(engine.run());
    let ready = tokio::time::timeout(DEADLINE, handle.ready()).await;
    assert!(ready.unwrap(), "{:?}", running.await);
    (handle, running)
}

async fn stop((handle, running): (Handle, JoinHandle<Result<(), Error>>)) {
    handle.stop();
    running.await.unwrap().unwrap();
    assert!(!handle.is_ready());
}

/// Appends the ids of messages and the numbers of documents to a file, and fails in the middle of each so many-th batch.
struct Ledger {
    path: PathBuf,
    file: Option<File>,
    fail_every: u32,
    writes: u32,
}

impl Ledger {
    fn new(path: &Path, fail_every: u32) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            fail_every,
            writes: 0,
        }
    }
}

impl Sink for Ledger {
    type Error = io::Error;

    async fn connect(&mut self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        self.file = Some(options.create(true).append(true).open(&self.path)?);
        Ok(())
    }

    async fn write(&mut self, messages: &[Message]) -> io::Result<()> {
        self.writes += 1;
        let fails = self.writes.is_multiple_of(self.fail_every);
        let taken = if fails {
            messages.len() / 2
        } else {
            messages.len()
        };
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        for message in &messages[..taken] {
            let body: serde_json::Value = serde_json::from_slice(message.body())?;
            writeln!(file, "{} {}", message.id(), body["n"])?;
            // Another engine or a crash may come in between.
            tokio::task::yield_now().await;
        }
        if fails {
            self.file = None;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }
}

/// Ids and numbers, in the order in which they were written.
fn read(path: &Path) -> Vec<(String, i32)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().map(|line| {
        let (id, number) = line.split_once(' ').unwrap();
        (id.to_owned(), number.parse().unwrap())
    });
    lines.collect()
}

/// The numbers of the first copies.
fn firsts(lines: &[(String, i32)]) -> Vec<i32> {
    let mut seen = HashSet::new();
    let firsts = lines.iter().filter(|(id, _)| seen.insert(id));
    firsts.map(|(_, number)| *number).collect()
}

async fn has(path: &Path, number: i32) {
    eventually("the sink has it", async || {
        read(path).iter().any(|(_, one)| *one == number)
    })
    .await;
}

#[tokio::test]
async fn a_sink_of_the_programs_own_has_everything_in_order_over_errors_a_crash_and_a_restart() {
    let mut scenario = Scenario::new("own_sink").await;
    scenario.set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let engine = || without_a_broker(&scenario).sink(Ledger::new(&path, 3));

    let (_, crashing) = start(engine()).await;
    scenario.insert_numbers(0..2_000).await;
    has(&path, 500).await;
    crashing.abort();
    assert!(crashing.await.unwrap_err().is_cancelled());

    let running = start(engine()).await;
    scenario.insert_numbers(2_000..3_000).await;
    has(&path, 2_999).await;
    stop(running).await;
    let lines = read(&path);
    assert_eq!(firsts(&lines), (0..3_000).collect::<Vec<_>>());
    assert!(3_000 < lines.len(), "the sink failed, so some came again");

    // All was saved, so nothing comes again.
    scenario.insert_numbers(3_000..3_001).await;
    let running = start(without_a_broker(&scenario).sink(Ledger::new(&path, u32::MAX))).await;
    has(&path, 3_000).await;
    stop(running).await;
    let after = read(&path);
    assert_eq!(after.len(), lines.len() + 1);
    assert_eq!(after.last().unwrap().1, 3_000);
}

#[tokio::test]
async fn while_the_sink_fails_the_engine_is_not_ready_and_the_checkpoint_stays() {
    struct Broken(bool);
    impl Sink for Broken {
        type Error = Box<dyn StdError + Send + Sync>;

        async fn write(&mut self, _: &[Message]) -> Result<(), Self::Error> {
            if self.0 {
                return Err("the disk is gone".into());
            }
            Err("the disk is full".into())
        }

        fn is_permanent(error: &Self::Error) -> bool {
            error.to_string().contains("gone")
        }
    }
    let mut scenario = Scenario::new("own_sink_fails").await;
    scenario.set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    scenario.set("CDC_SHUTDOWN_GRACE_MS", "500");
    let (handle, running) = start(without_a_broker(&scenario).sink(Broken(false))).await;
    let before = scenario.resting_checkpoint().await;
    scenario.insert_numbers(0..10).await;
    eventually("the engine says what is in the way", async || {
        handle.obstacles() == ["sink: the sink failed: the disk is full"]
    })
    .await;
    assert!(!handle.is_ready());
    handle.stop();
    let error = running.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("10 messages unconfirmed"), "{error}");
    // It begins with the same messages, and may end before anyone sees it ready.
    let engine = without_a_broker(&scenario).sink(Broken(true)).build();
    let ended = tokio::time::timeout(DEADLINE, engine.unwrap().run()).await;
    let error = ended.unwrap().unwrap_err();
    let cause = error.source().unwrap();
    let text = format!("{error}: {cause}: {}", cause.source().unwrap());
    assert_eq!(
        text,
        "publish to the sink: the sink failed: the disk is gone"
    );
    let after = scenario.checkpoint().await.unwrap();
    let place = |checkpoint: &bson::Document| checkpoint.get("resume_token").cloned();
    assert_eq!(place(&after), place(&before));
}

#[tokio::test]
async fn of_two_engines_with_sinks_of_their_own_the_first_one_ends() {
    let mut scenario = Scenario::new("own_sinks").await;
    scenario.set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let engine = |name| without_a_broker(&scenario).sink(Ledger::new(&path(name), u32::MAX));
    let (_, first) = start(engine("first")).await;
    let second = start(engine("second")).await;
    scenario.insert_numbers(0..100).await;
    // At its next save. It does not try for 30 s to take the checkpoint back, as where there is a lock.
    let ended = tokio::time::timeout(Duration::from_secs(20), first).await;
    let error = ended.unwrap().unwrap().unwrap_err().to_string();
    assert!(error.contains("was written by another engine"), "{error}");
    scenario.insert_numbers(100..200).await;
    has(&path("second"), 199).await;
    stop(second).await;
    let numbers = firsts(&read(&path("second")));
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_filter_leaves_out_what_it_does_not_want_and_the_checkpoint_passes_it() {
    let scenario = Scenario::new("own_filter").await;
    let is_even = |change: &Change| {
        let document = change.full_document().unwrap();
        document.get_i32(bson::cstr!("n")).unwrap() % 2 == 0
    };
    let engine = || builder(&scenario).filter(is_even);
    let running = start(engine()).await;
    scenario.insert_numbers(0..1_000).await;
    let deliveries = scenario.take(500).await;
    let even = |numbers: std::ops::Range<i32>| numbers.step_by(2).collect::<Vec<_>>();
    assert_eq!(first_copies(&deliveries), even(0..1_000));
    // Unwanted alone, the last of them is what the checkpoint has to reach.
    let odd = (0..500).map(|number| doc! { "_id": 10_001 + 2 * number, "n": 10_001 + 2 * number });
    scenario
        .collection("numbers")
        .insert_many(odd)
        .await
        .unwrap();
    let last = scenario.now().await;
    eventually("the checkpoint passes what is unwanted", async || {
        last <= scenario.checkpoint_time().await
    })
    .await;
    stop(running).await;
    let running = start(engine()).await;
    scenario.insert_numbers(2_000..2_010).await;
    let deliveries = scenario.take(5).await;
    assert_eq!(first_copies(&deliveries), even(2_000..2_010));
    stop(running).await;
    scenario.is_empty().await;
}

/// The number of a document in words, or an error.
struct Words;

impl Encoder for Words {
    fn content_type(&self) -> &'static str {
        "text/plain"
    }

    fn encode(&self, change: &Change) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        let document = change.full_document().ok_or("no document")?;
        let number = document.get_i32(bson::cstr!("n"))?;
        Ok(format!("number {number}").into_bytes())
    }

    fn headers(
        &self,
        _: &Change,
    ) -> Result<Vec<(&'static str, HeaderValue<'static>)>, Box<dyn StdError + Send + Sync>> {
        Ok(vec![("language", HeaderValue::Text("en".into()))])
    }
}

#[tokio::test]
async fn an_encoder_makes_the_bodies_and_what_it_refuses_is_parked() {
    let mut scenario = Scenario::new("own_encoder").await;
    scenario.set("CDC_ON_POISON", "park");
    let running = start(builder(&scenario).encoder(Words)).await;
    scenario.insert_numbers(0..2).await;
    let strange = doc! { "_id": "strange" };
    let numbers = scenario.collection("numbers");
    numbers.insert_one(strange).await.unwrap();
    scenario.insert_numbers(3..4).await;
    let deliveries = scenario.take(3).await;
    let bodies: Vec<&[u8]> = deliveries.iter().map(|one| &*one.body).collect();
    assert_eq!(bodies, [&b"number 0"[..], b"number 1", b"number 3"]);
    assert_eq!(deliveries[0].header("language"), "en");
    let content_type = deliveries[0].properties.content_type().as_ref().unwrap();
    assert_eq!(content_type.as_str(), "text/plain");
    let parked = scenario
        .take_from(&format!("{}.parked", scenario.name), 1)
        .await;
    let detail = parked[0].header("cdc-park-detail");
    assert!(
        detail.starts_with("the program's encoder has no message for it: "),
        "{detail}"
    );
    let event = RawDocumentBuf::from_bytes(parked[0].body.clone()).unwrap();
    let document = event.get_document(bson::cstr!("fullDocument")).unwrap();
    assert_eq!(document.get_str(bson::cstr!("_id")).unwrap(), "strange");
    stop(running).await;
}
