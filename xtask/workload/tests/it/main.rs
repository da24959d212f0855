//! The test program against real servers, with an engine of our own that is faulty on demand.
//!
//! An engine that loses, swaps or alters something must be caught; a faithful one must pass.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens"
)]

mod bench;
mod chaos;
mod engine;
mod starting;

use std::process::{Command, Output};

use bson::doc;
use clap::Parser;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions,
        QueueDeleteOptions,
    },
    types::FieldTable,
};
use workload::{broker, settings::Settings};

use self::engine::{Engine, Fault};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

/// One test's database, queue and pipeline on the shared servers.
struct Scenario {
    settings: Settings,
    channel: Channel,
    connection: Connection,
}

impl Scenario {
    async fn new(label: &str, queue_type: &str) -> Self {
        let mongo = required("CDC_TEST_MONGO_URI");
        let amqp = required("CDC_TEST_AMQP_URI");
        let name = format!("workload_{label}_{}", bson::oid::ObjectId::new());
        let flags = [
            ("--mongo-database-host", mongo.as_str()),
            ("--mongo-database-name", &name),
            ("--rabbitmq-uri", &amqp),
            ("--rabbitmq-queue-name", &name),
            ("--cdc-queue-type", queue_type),
            ("--cdc-pipeline", &name),
            ("--cdc-checkpoint-database", "cdc_test"),
        ];
        let line = ["workload"]
            .into_iter()
            .chain(flags.iter().flat_map(|(flag, value)| [*flag, *value]));
        let settings = Line::parse_from(line).settings;
        let connection = Connection::connect(&amqp, ConnectionProperties::default())
            .await
            .unwrap();
        let (channel, _) = broker::queue(&connection, &settings).await.unwrap();
        Self {
            settings,
            channel,
            connection,
        }
    }

    fn queue(&self) -> &str {
        &self.settings.rabbitmq_queue_name
    }

    /// Runs the test program with `flags` beside the settings of this scenario.
    fn local_test(&self, flags: &[&str]) -> Output {
        let settings = &self.settings;
        let queue_type = format!("{:?}", settings.cdc_queue_type).to_lowercase();
        Command::new(env!("CARGO_BIN_EXE_workload"))
            .arg("local-test")
            .args(flags)
            .env_clear()
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .env("MONGO_DATABASE_HOST", &settings.mongo_database_host)
            .env("MONGO_DATABASE_NAME", &settings.mongo_database_name)
            .env("RABBITMQ_URI", &settings.rabbitmq_uri)
            .env("RABBITMQ_QUEUE_NAME", &settings.rabbitmq_queue_name)
            .env("CDC_QUEUE_TYPE", queue_type)
            .env("CDC_PIPELINE", &settings.cdc_pipeline)
            .env("CDC_CHECKPOINT_DATABASE", &settings.cdc_checkpoint_database)
            .output()
            .unwrap()
    }

    async fn publish(&self, message_id: &str) {
        let properties = BasicProperties::default().with_message_id(message_id.into());
        let publishing = self.channel.basic_publish(
            "".into(),
            self.queue().into(),
            BasicPublishOptions::default(),
            b"old",
            properties,
        );
        publishing.await.unwrap().await.unwrap();
    }

    /// Takes every message out of the queue and returns their ids, in order.
    async fn take_all(&self) -> Vec<String> {
        let mut ids = Vec::new();
        let options = BasicGetOptions { no_ack: true };
        while let Some(message) = self
            .channel
            .basic_get(self.queue().into(), options)
            .await
            .unwrap()
        {
            ids.push(
                message
                    .properties
                    .message_id()
                    .as_ref()
                    .unwrap()
                    .to_string(),
            );
        }
        ids
    }

    async fn clear(self) {
        let client = mongodb::Client::with_uri_str(&self.settings.mongo_database_host)
            .await
            .unwrap();
        client
            .database(&self.settings.mongo_database_name)
            .drop()
            .await
            .unwrap();
        let checkpoints = client
            .database("cdc_test")
            .collection::<bson::Document>("checkpoints");
        checkpoints
            .delete_one(doc! { "_id": &self.settings.cdc_pipeline })
            .await
            .unwrap();
        self.channel
            .queue_delete(self.queue().into(), QueueDeleteOptions::default())
            .await
            .unwrap();
        self.connection.close(200, "done".into()).await.unwrap();
    }
}

fn required(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: this test needs servers\n\nhint: run it with `cargo xtask test`"
        )
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A run of 600 documents past an engine with this fault: exit code, stdout, stderr.
async fn run_past(label: &str, fault: Fault) -> (Option<i32>, String, String) {
    let scenario = Scenario::new(label, "classic").await;
    let engine = Engine::start(&scenario.settings, fault);
    let output = scenario.local_test(&["--count", "600", "--timeout-ms", "1500"]);
    engine.stop();
    scenario.clear().await;
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// The summary up to the latencies, which vary.
fn summary(stdout: &str) -> &str {
    let line = stdout
        .lines()
        .find(|line| line.starts_with("test: inserted="))
        .unwrap_or(stdout);
    line.split(" p50_ms").next().unwrap_or(line)
}

async fn looking_leaves_the_queue_as_it_is(queue_type: &str) {
    let scenario = Scenario::new(queue_type, queue_type).await;
    let old: Vec<String> = (0..50).map(|number| format!("old-{number}")).collect();
    for id in &old {
        scenario.publish(id).await;
    }
    let engine = Engine::start(&scenario.settings, Fault::None);
    for _ in 0..3 {
        let output = scenario.local_test(&["--count", "300"]);
        assert!(output.status.success(), "{output:?}");
    }
    let published = engine.stop();
    assert_eq!(published.len(), 900);
    let expected: Vec<String> = old.into_iter().chain(published).collect();
    assert_eq!(scenario.take_all().await, expected);
    scenario.clear().await;
}

#[tokio::test]
async fn looking_leaves_every_message_of_a_classic_queue_in_its_place() {
    looking_leaves_the_queue_as_it_is("classic").await;
}

#[tokio::test]
async fn looking_leaves_every_message_of_a_quorum_queue_in_its_place() {
    looking_leaves_the_queue_as_it_is("quorum").await;
}

#[tokio::test]
async fn a_lost_message_is_missing() {
    let (code, stdout, stderr) = run_past("lost", Fault::Lose(123)).await;
    assert_eq!(
        summary(&stdout),
        "test: inserted=600 delivered=599 missing=1 out_of_order=0"
    );
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("error: 1 of 600 documents did not arrive"),
        "{stderr}"
    );
}

#[tokio::test]
async fn swapped_messages_are_out_of_order() {
    let (code, stdout, stderr) = run_past("swapped", Fault::Swap(200)).await;
    assert_eq!(
        summary(&stdout),
        "test: inserted=600 delivered=600 missing=0 out_of_order=1"
    );
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("error: 1 documents arrived after later ones"),
        "{stderr}"
    );
}

#[tokio::test]
async fn an_altered_field_is_named() {
    let (code, stdout, stderr) = run_past("altered", Fault::Alter(30)).await;
    assert_eq!(
        summary(&stdout),
        "test: inserted=600 delivered=599 missing=1 out_of_order=0"
    );
    assert_eq!(code, Some(1));
    assert!(stderr.contains("field `score`: expected "), "{stderr}");
    assert!(stderr.contains(", arrived \"altered\""), "{stderr}");
}

#[tokio::test]
async fn replays_are_counted_and_no_failure() {
    let (code, stdout, stderr) = run_past("replayed", Fault::Replay(300)).await;
    assert_eq!(
        summary(&stdout),
        "test: inserted=600 delivered=600 missing=0 out_of_order=0"
    );
    assert!(stdout.ends_with("test: replayed=100\n"), "{stdout}");
    assert_eq!(code, Some(0), "{stderr}");
}

#[tokio::test]
async fn another_consumer_is_told_and_does_not_disturb() {
    let scenario = Scenario::new("consumer", "classic").await;
    let consuming = scenario.channel.basic_consume(
        scenario.queue().into(),
        "".into(),
        BasicConsumeOptions {
            no_ack: true,
            ..BasicConsumeOptions::default()
        },
        FieldTable::default(),
    );
    let consumer = consuming.await.unwrap();
    let engine = Engine::start(&scenario.settings, Fault::None);
    let output = scenario.local_test(&["--count", "600"]);
    engine.stop();
    drop(consumer);
    scenario.clear().await;
    let stderr = text(&output.stderr);
    assert!(stderr.contains("1 other consumer(s)"), "{stderr}");
    assert_eq!(output.status.code(), Some(0), "{stderr}");
}

#[tokio::test]
async fn an_engine_that_never_ran_is_told_before_anything_is_inserted() {
    let scenario = Scenario::new("never", "classic").await;
    let output = scenario.local_test(&["--count", "10", "--engine-timeout-ms", "2000"]);
    let stderr = text(&output.stderr);
    let waiting = format!(
        "waiting up to 2 s for an engine: none of pipeline `{}` has run yet; `cargo xtask local-start-cdc` starts one\n",
        scenario.queue()
    );
    assert!(stderr.starts_with(&waiting), "{stderr}");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr.contains("error: the engine has never run"),
        "{stderr}"
    );
    assert!(
        stderr.contains("hint: cargo xtask local-start-cdc"),
        "{stderr}"
    );
    let client = mongodb::Client::with_uri_str(&scenario.settings.mongo_database_host)
        .await
        .unwrap();
    let names = client
        .database(scenario.queue())
        .list_collection_names()
        .await
        .unwrap();
    assert!(names.is_empty(), "{names:?}");
    scenario.clear().await;
}

#[tokio::test]
async fn a_missing_queue_is_declared_as_the_engine_does() {
    let scenario = Scenario::new("declared", "quorum").await;
    let delete = scenario
        .channel
        .queue_delete(scenario.queue().into(), QueueDeleteOptions::default());
    delete.await.unwrap();
    broker::queue(&scenario.connection, &scenario.settings)
        .await
        .unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert(
        "x-queue-type".into(),
        lapin::types::AMQPValue::LongString("quorum".into()),
    );
    let again = scenario.channel.queue_declare(
        scenario.queue().into(),
        QueueDeclareOptions::durable(),
        arguments,
    );
    again.await.expect("a queue with the engine's properties");
    scenario.clear().await;
}
