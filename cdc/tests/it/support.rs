//! What the tests stand on: the servers, the engine as a child process, and names of each test's own.

mod broker;
mod certificates;
mod engine;
mod mongo;
mod rabbit;
mod replica_set;
mod writer;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub(crate) use harness::{Proxy, Signal};
use lapin::{options::QueueDeclareOptions, types::FieldTable};

pub(crate) use self::{
    broker::Broker,
    certificates::{Authority, Pair},
    engine::{Engine, Finished, check, output, run},
    mongo::MongoServer,
    rabbit::{Delivery, first_copies},
    replica_set::ReplicaSet,
    writer::Writer,
};

/// Longest wait for anything that should happen. Past the engine's longest deadline for an answer, which is 30 s.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// One test's place on the shared servers: a database, a queue and a pipeline that no other test uses.
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) mongo: mongodb::Client,
    pub(crate) rabbit: lapin::Connection,
    settings: Vec<(String, String)>,
}

impl Scenario {
    /// Takes a place; `label` shows in the names.
    pub(crate) async fn new(label: &str) -> Self {
        Self::at(label, &mongo_uri(), &amqp_uri()).await
    }

    /// Takes a place on other servers than the shared ones.
    pub(crate) async fn at(label: &str, mongo_uri: &str, amqp_uri: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_millis();
        let name = format!(
            "{label}_{:x}_{}",
            now % 0xffff_ffff,
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let mongo = mongodb::Client::with_uri_str(mongo_uri).await.unwrap();
        let settings = [
            ("MONGO_DATABASE_HOST", mongo_uri.to_owned()),
            ("MONGO_DATABASE_NAME", name.clone()),
            ("RABBITMQ_URI", amqp_uri.to_owned()),
            ("RABBITMQ_QUEUE_NAME", name.clone()),
            ("CDC_PIPELINE", name.clone()),
            ("CDC_CHECKPOINT_DATABASE", "cdc_test".to_owned()),
        ];
        let settings = settings
            .map(|(variable, value)| (variable.to_owned(), value))
            .to_vec();
        Self {
            name,
            mongo,
            rabbit: connect(amqp_uri).await,
            settings,
        }
    }

    /// Connects to the broker again, after it was down.
    pub(crate) async fn reconnect(&mut self, amqp_uri: &str) {
        self.rabbit = connect(amqp_uri).await;
    }

    /// Changes a setting of every engine started from now on.
    pub(crate) fn set(&mut self, variable: &str, value: impl Into<String>) -> &mut Self {
        self.settings.retain(|(name, _)| name != variable);
        self.settings.push((variable.to_owned(), value.into()));
        self
    }

    /// Leaves a setting to its default again.
    pub(crate) fn unset(&mut self, variable: &str) -> &mut Self {
        self.settings.retain(|(name, _)| name != variable);
        self
    }

    /// What every engine started from now on is given.
    pub(crate) fn given(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Puts a proxy between the shared broker and every engine started from now on. `query` is the URI's, such as
    /// `?heartbeat=1`, or empty.
    pub(crate) async fn behind_a_proxy(&mut self, query: &str) -> Proxy {
        let broker = amqp_uri().rsplit_once('@').unwrap().1.to_owned();
        let proxy = proxy_to(broker).await;
        let uri = format!("amqp://guest:guest@{}{query}", proxy.address);
        self.set("RABBITMQ_URI", uri);
        proxy
    }

    /// Starts the engine and waits until it works.
    pub(crate) async fn start(&self) -> Engine {
        let mut engine = self.spawn();
        engine.leads().await;
        engine
    }

    /// Starts the engine without waiting.
    pub(crate) fn spawn(&self) -> Engine {
        Engine::spawn(&[], &self.settings)
    }

    /// A collection of the watched database.
    pub(crate) fn collection(&self, name: &str) -> mongodb::Collection<bson::Document> {
        self.mongo.database(&self.name).collection(name)
    }

    /// The collection that holds the checkpoints.
    pub(crate) fn checkpoints(&self) -> mongodb::Collection<bson::Document> {
        self.mongo.database("cdc_test").collection("checkpoints")
    }

    /// This pipeline's checkpoint.
    pub(crate) async fn checkpoint(&self) -> Option<bson::Document> {
        self.checkpoints()
            .find_one(bson::doc! { "_id": &self.name })
            .await
            .unwrap()
    }

    /// The cluster time of the checkpoint, from its token where it has no other.
    pub(crate) async fn checkpoint_time(&self) -> bson::Timestamp {
        time_of(&self.checkpoint().await.expect("a checkpoint"))
    }

    /// The checkpoint once it rests: nothing is left to be saved. Meant for engines with a short interval between saves.
    pub(crate) async fn resting_checkpoint(&self) -> bson::Document {
        let mut checkpoint = None;
        let mut looks = 0;
        eventually("the checkpoint rests", async || {
            let now = self.checkpoint().await;
            looks = if now == checkpoint { looks + 1 } else { 0 };
            checkpoint = now;
            checkpoint.is_some() && looks >= 6
        })
        .await;
        checkpoint.unwrap()
    }

    /// Whether an engine of this pipeline holds the lock: whoever asks for its queue is told that it is taken.
    pub(crate) async fn is_locked(&self) -> bool {
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let lock = format!("cdc.lock.{}", self.name);
        let channel = self.rabbit.create_channel().await.unwrap();
        let asked = channel.queue_declare(lock.as_str().into(), passive, FieldTable::default());
        let refused = asked.await.unwrap_err();
        refused.to_string().contains("RESOURCE_LOCKED")
    }

    /// The newest cluster time that a majority has.
    pub(crate) async fn now(&self) -> bson::Timestamp {
        let admin = self.mongo.database("admin");
        let hello = admin.run_command(bson::doc! { "hello": 1 }).await.unwrap();
        hello.get_timestamp("operationTime").unwrap()
    }

    /// Host and port of the primary.
    pub(crate) async fn primary(&self) -> String {
        let hello = self
            .mongo
            .database("admin")
            .run_command(bson::doc! { "hello": 1 })
            .await
            .unwrap();
        hello.get_str("primary").unwrap().to_owned()
    }

    /// Inserts `{_id: n}` documents, in order, one command per thousand.
    pub(crate) async fn insert_numbers(&self, numbers: std::ops::Range<i32>) {
        let numbers: Vec<i32> = numbers.collect();
        for chunk in numbers.chunks(1_000) {
            let documents = chunk
                .iter()
                .map(|number| bson::doc! { "_id": number, "n": number, "pad": "x".repeat(200) });
            self.collection("numbers")
                .insert_many(documents)
                .await
                .unwrap();
        }
    }
}

/// The cluster time of a checkpoint, from its token where it has no other.
pub(crate) fn time_of(checkpoint: &bson::Document) -> bson::Timestamp {
    if let Ok(time) = checkpoint.get_timestamp("cluster_time") {
        return time;
    }
    let digits = token_of(checkpoint);
    let number = |range| u32::from_str_radix(&digits[range], 16).unwrap();
    bson::Timestamp {
        time: number(2..10),
        increment: number(10..18),
    }
}

/// The digits of a checkpoint's resume token.
pub(crate) fn token_of(checkpoint: &bson::Document) -> String {
    let token = checkpoint.get_document("resume_token").unwrap();
    token.get_str("_data").unwrap().to_owned()
}

async fn connect(amqp_uri: &str) -> lapin::Connection {
    let properties = lapin::ConnectionProperties::default();
    let connection = lapin::Connection::connect(amqp_uri, properties).await;
    connection.unwrap_or_else(|error| panic!("the broker at {amqp_uri}: {error}"))
}

/// A proxy to a server, given as host and port.
pub(crate) async fn proxy_to(target: String) -> Proxy {
    Proxy::start(target, Duration::ZERO).await.unwrap()
}

/// A setting that `cargo xtask test` makes.
pub(crate) fn required(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: these tests need servers\n\nhint: run them with `cargo xtask test`")
    })
}

/// A setting that whoever runs the tests may make.
pub(crate) fn setting(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

/// Connection string of the shared replica set.
pub(crate) fn mongo_uri() -> String {
    required("CDC_TEST_MONGO_URI")
}

/// URI of the shared broker.
pub(crate) fn amqp_uri() -> String {
    required("CDC_TEST_AMQP_URI")
}

/// Host and port of streams in their own protocol on the shared broker; nothing where it is older than those.
pub(crate) fn stream_address() -> Option<String> {
    setting("CDC_TEST_STREAM_ADDRESS")
}

/// How often to repeat what is measured: `CDC_TEST_REPETITIONS`, or a few times.
pub(crate) fn repetitions(default: i32) -> i32 {
    let wanted = std::env::var("CDC_TEST_REPETITIONS").ok();
    wanted.map_or(default, |text| {
        text.parse().expect("CDC_TEST_REPETITIONS is a number")
    })
}

/// The value below which `percent` of `times` lie.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100).clamp(1, times.len()) - 1]
}

/// Polls until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) {
    assert!(comes_true(condition).await, "waited too long until {what}");
}

/// Whether `condition` holds within the time that everything has.
pub(crate) async fn comes_true(mut condition: impl AsyncFnMut() -> bool) -> bool {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !condition().await {
        if deadline <= tokio::time::Instant::now() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    true
}
