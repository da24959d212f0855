//! Queues, exchanges, checkpoints and ports that are not as a run needs them. Each is mended as the report says.

use bson::{Bson, Document, Timestamp, doc};
use lapin::{
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};

use super::{Report, healthy};
use crate::support::Scenario;

const QUEUE: &str = "rabbitmq: queue";
const CHECKPOINT: &str = "mongodb: checkpoint";
const STREAM: &str = "mongodb: change stream";

fn table<const N: usize>(arguments: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert(name.into(), value);
    }
    table
}

async fn declare_anew(scenario: &Scenario, arguments: FieldTable) {
    scenario.delete_queue(&scenario.name).await;
    scenario.declare(&scenario.name, arguments).await;
}

#[tokio::test]
async fn a_queue_that_loses_messages_is_found() {
    let scenario = healthy("check_queue").await;
    let text = |text: &str| AMQPValue::LongString(text.into());
    let ttl = ("x-message-ttl", AMQPValue::LongInt(3_600_000));
    let limit = ("x-max-length", AMQPValue::LongInt(1_000));
    let letters = ("x-dead-letter-exchange", text("amq.fanout"));
    let overflow = ("x-overflow", text("reject-publish"));
    for (planted, why, mend, mended) in [
        (
            table([ttl.clone()]),
            "no dead-letter exchange",
            letters.0,
            table([ttl, letters.clone()]),
        ),
        (
            table([limit.clone()]),
            "drops its oldest",
            overflow.0,
            table([limit, overflow.clone()]),
        ),
    ] {
        declare_anew(&scenario, planted).await;
        Report::of(&scenario).await.warns(QUEUE, why, mend);
        declare_anew(&scenario, mended).await;
        Report::of(&scenario).await.ticks(QUEUE);
    }
    scenario.delete_queue(&scenario.name).await;
    let (channel, name) = (scenario.channel().await, scenario.name.as_str().into());
    let transient = QueueDeclareOptions::default();
    let declared = channel.queue_declare(name, transient, FieldTable::default());
    declared.await.unwrap();
    let report = Report::of(&scenario).await;
    report.faults(QUEUE, "is not durable", "declare the queue anew as durable");
    declare_anew(&scenario, FieldTable::default()).await;
    Report::of(&scenario).await.ticks(QUEUE);
}

#[tokio::test]
async fn an_exchange_that_is_not_there_is_found_and_nothing_is_declared() {
    let mut scenario = healthy("check_exchange").await;
    let exchange = format!("{}_exchange", scenario.name);
    scenario.set("RABBITMQ_EXCHANGE", &exchange);
    let what = "rabbitmq: exchange";
    let report = Report::of(&scenario).await;
    report.faults(what, "does not exist", "CDC_DECLARE to all");
    scenario.set("CDC_DECLARE", "all");
    scenario.delete_queue(&scenario.name).await;
    for _ in 0..2 {
        let report = Report::of(&scenario).await;
        assert_eq!(report.code, Some(0), "{}", report.text);
        report.has('✓', what, "is declared at the start", "");
        report.has(
            '⚠',
            QUEUE,
            "is declared at the start",
            "RABBITMQ_QUEUE_NAME",
        );
        report.ticks("rabbitmq: permissions");
    }
    scenario
        .unset("CDC_DECLARE")
        .declare_exchange(&exchange)
        .await;
    Report::of(&scenario).await.ticks(what);
    scenario.delete_exchange(&exchange).await;
}

async fn store(scenario: &Scenario, checkpoint: Document) {
    let mut stored = doc! { "_id": &scenario.name, "revision": 1_i64, "resume_token": Bson::Null };
    stored.extend(checkpoint);
    let id = doc! { "_id": &scenario.name };
    let checkpoints = scenario.checkpoints();
    let replace = checkpoints.replace_one(id, stored).upsert(true);
    replace.await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_that_is_of_no_use_is_found() {
    let mut scenario = healthy("check_point").await;
    let now = scenario.now().await;
    let scope = doc! {
        "database": "other", "collections": [], "operations": ["insert"], "target": { "queue": "q" }
    };
    for (planted, why, mend) in [
        (
            doc! { "version": 4 },
            "format version 4",
            "run the release that wrote it",
        ),
        (
            doc! { "version": 1 },
            "not readable",
            "delete that document",
        ),
        (
            doc! { "version": 1, "cluster_time": now, "scope": scope },
            "of the database `other`",
            "a CDC_PIPELINE of its own",
        ),
    ] {
        store(&scenario, planted).await;
        let report = Report::of(&scenario).await;
        report.faults(CHECKPOINT, why, mend);
        report.has('-', STREAM, "is not known", "");
    }
    let name = scenario.name.clone();
    scenario.set("CDC_PIPELINE", format!("{name}_own"));
    Report::of(&scenario).await.ticks(CHECKPOINT);
    scenario.set("CDC_PIPELINE", name);
    scenario
        .checkpoints()
        .delete_one(doc! { "_id": &scenario.name })
        .await
        .unwrap();
    Report::of(&scenario).await.ticks(CHECKPOINT);
}

#[tokio::test]
async fn a_checkpoint_that_the_server_does_not_read_on_from_is_found() {
    let mut scenario = healthy("check_lost").await;
    let now = scenario.now().await;
    let time = now.time + 86_400;
    let ahead = Bson::Timestamp(Timestamp { time, increment: 1 });
    store(
        &scenario,
        doc! { "version": 1, "resume_token": { "_data": "1234" } },
    )
    .await;
    let report = Report::of(&scenario).await;
    report.faults(
        STREAM,
        "cannot resume from the checkpoint",
        "CDC_ON_HISTORY_LOST=skip",
    );
    store(&scenario, doc! { "version": 1, "cluster_time": ahead }).await;
    let report = Report::of(&scenario).await;
    report.faults(
        STREAM,
        "later than the cluster's own time",
        "CDC_ON_HISTORY_LOST=skip",
    );
    scenario.set("CDC_ON_HISTORY_LOST", "skip");
    let report = Report::of(&scenario).await;
    report.warns(STREAM, "changes are lost", "copy what is missing");
    store(&scenario, doc! { "version": 1, "cluster_time": now }).await;
    Report::of(&scenario).await.ticks(STREAM);
}

#[tokio::test]
async fn an_engine_that_runs_is_told_from_another_program_on_its_port() {
    let what = "this machine: admin port";
    let mut scenario = healthy("check_port").await;
    let engine = scenario.start().await;
    scenario.set("CDC_ADMIN_ADDR", engine.admin());
    scenario.set("CDC_OPERATIONS", "insert,delete");
    let report = Report::of(&scenario).await;
    report.warns(what, "an engine that runs here", "");
    report.warns(
        CHECKPOINT,
        "operations changes from insert",
        "if this is meant",
    );
    report.has('✓', "rabbitmq: lock", "stands by", "");
    assert_eq!(engine.stop().await.code, Some(0));
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    scenario.set("CDC_ADMIN_ADDR", other.local_addr().unwrap().to_string());
    let report = Report::of(&scenario).await;
    report.faults(
        what,
        "is taken",
        "CDC_ADMIN_ADDR to another address or `off`",
    );
    scenario.set("CDC_ADMIN_ADDR", "off");
    Report::of(&scenario).await.ticks(what);
}
