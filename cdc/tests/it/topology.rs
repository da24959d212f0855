//! The topology that is there is used as it is; what is missing is declared as far as the user wants.

use bson::doc;
use lapin::{
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};

use crate::support::{Delivery, Engine, Scenario, check, first_copies};

/// What the engine says of a queue that may lose messages.
const DANGER: &str = "messages in the queue are in danger";

fn table<const N: usize>(arguments: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert(name.into(), value);
    }
    table
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn number(number: i32) -> AMQPValue {
    AMQPValue::LongInt(number)
}

/// The engine starts twice with its queue declared so, and what was inserted is there. Returns the first log.
async fn works_with(label: &str, arguments: FieldTable) -> String {
    let mut scenario = Scenario::new(label).await;
    scenario.declare(&scenario.name, arguments).await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    let deliveries = scenario.take(10).await;
    assert_eq!(first_copies(&deliveries), (0..10).collect::<Vec<_>>());
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    // The connection is lost, and the queue is only looked at.
    let proxy = scenario.behind_a_proxy("").await;
    let engine = scenario.start().await;
    proxy.down();
    engine.wait_for("rabbitmq lost").await;
    proxy.pass();
    scenario.insert_numbers(10..20).await;
    scenario.take_until_number(19).await;
    let again = engine.stop().await;
    assert_eq!(again.code, Some(0), "{}", again.log);
    finished.log
}

#[tokio::test]
async fn a_durable_queue_is_used_whatever_its_arguments() {
    for (label, arguments) in [
        ("plain", table([])),
        (
            "letters",
            table([
                ("x-dead-letter-exchange", text("amq.fanout")),
                ("x-dead-letter-routing-key", text("it's 'dead'")),
                ("x-message-ttl", number(3_600_000)),
            ]),
        ),
        (
            "reject",
            table([
                ("x-max-length", number(1_000)),
                ("x-overflow", text("reject-publish")),
            ]),
        ),
        (
            "single",
            table([("x-single-active-consumer", AMQPValue::Boolean(true))]),
        ),
        (
            "quorum",
            table([
                ("x-queue-type", text("quorum")),
                ("x-delivery-limit", number(5)),
            ]),
        ),
    ] {
        let log = works_with(label, arguments).await;
        assert!(!log.contains(DANGER), "{log}");
        assert!(!log.contains("not checked"), "{log}");
    }
}

#[tokio::test]
async fn what_endangers_messages_is_said_once() {
    for (label, arguments, danger) in [
        (
            "oldest",
            table([("x-max-length-bytes", number(100_000_000))]),
            "drops its oldest messages",
        ),
        (
            "expired",
            table([
                ("x-max-priority", number(3)),
                ("x-message-ttl", number(3_600_000)),
            ]),
            "no dead-letter exchange",
        ),
        (
            "expires",
            table([("x-expires", number(3_600_000))]),
            "when nobody uses it",
        ),
    ] {
        let log = works_with(label, arguments).await;
        assert_eq!(log.matches(DANGER).count(), 1, "{log}");
        assert!(log.contains(danger), "{log}");
    }
}

/// Declares this scenario's queue with `options` on the connection of the test.
async fn declare_odd(scenario: &Scenario, options: QueueDeclareOptions) {
    let channel = scenario.channel().await;
    let name = scenario.name.as_str().into();
    let declared = channel.queue_declare(name, options, FieldTable::default());
    declared.await.unwrap();
}

#[tokio::test]
async fn a_queue_that_cannot_hold_messages_for_good_is_refused_by_its_property() {
    let options = QueueDeclareOptions::default();
    let durable = QueueDeclareOptions {
        durable: true,
        ..options
    };
    for (label, options, property) in [
        ("transient", options, "is not durable"),
        (
            "auto_delete",
            QueueDeclareOptions {
                auto_delete: true,
                ..durable
            },
            "is auto-delete",
        ),
        (
            "exclusive",
            QueueDeclareOptions {
                exclusive: true,
                ..options
            },
            "is exclusive",
        ),
    ] {
        let scenario = Scenario::new(label).await;
        declare_odd(&scenario, options).await;
        let finished = scenario.spawn().finish().await;
        let queue = format!("queue `{}` {property}", scenario.name);
        check(&finished, 1, &[&queue, "hint: the queue was left as it is"]);
        scenario.delete_queue(&scenario.name).await;
    }
}

#[tokio::test]
async fn a_queue_of_another_type_is_refused_where_a_type_was_set() {
    for (found, wanted) in [("quorum", "classic"), ("classic", "quorum")] {
        let mut scenario = Scenario::new("type").await;
        scenario.set("CDC_QUEUE_TYPE", found);
        assert_eq!(scenario.start().await.stop().await.code, Some(0));
        scenario.set("CDC_QUEUE_TYPE", wanted);
        let finished = scenario.spawn().finish().await;
        let types = format!("is of type {found}, and has to be of type {wanted}");
        check(&finished, 1, &[&scenario.name, &types, "CDC_QUEUE_TYPE"]);
        scenario.unset("CDC_QUEUE_TYPE");
        assert_eq!(scenario.start().await.stop().await.code, Some(0));
    }
}

#[tokio::test]
async fn a_new_queue_has_the_arguments_that_were_given() {
    let mut scenario = Scenario::new("arguments").await;
    let arguments = r#"{"x-max-length": 1000, "x-overflow": "reject-publish"}"#;
    scenario.set("CDC_QUEUE_ARGUMENTS", arguments);
    let engine = scenario.start().await;
    let expected = [
        ("x-max-length", number(1_000)),
        ("x-overflow", text("reject-publish")),
    ];
    // A declaration that differs is refused.
    scenario.declare(&scenario.name, table(expected)).await;
    let finished = engine.stop().await;
    assert!(!finished.log.contains(DANGER), "{}", finished.log);
    scenario.delete_queue(&scenario.name).await;
    scenario.set("CDC_QUEUE_ARGUMENTS", r#"{"x-max-length": 1000}"#);
    let finished = scenario.start().await.stop().await;
    assert_eq!(finished.log.matches(DANGER).count(), 1, "{}", finished.log);
}

#[tokio::test]
async fn nothing_is_declared_where_nothing_is_to_be() {
    let mut scenario = Scenario::new("never").await;
    scenario.set("CDC_DECLARE", "never");
    let finished = scenario.spawn().finish().await;
    let missing = format!("queue `{}` does not exist", scenario.name);
    check(
        &finished,
        1,
        &[&missing, "to declare nothing", "CDC_DECLARE"],
    );
    assert_eq!(scenario.try_ready(&scenario.name).await, None);
    let limit = table([("x-max-length", number(1_000))]);
    scenario.declare(&scenario.name, limit).await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..1).await;
    scenario.take(1).await;
    let finished = engine.stop().await;
    check(&finished, 0, &["were not checked"]);
}

async fn arrives(scenario: &Scenario, engine: Engine, numbers: std::ops::Range<i32>) {
    let last = numbers.end - 1;
    scenario.insert_numbers(numbers).await;
    scenario.take_until_number(last).await;
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
}

#[tokio::test]
async fn exchange_queue_and_binding_are_declared_where_all_is() {
    let mut scenario = Scenario::new("all").await;
    let exchange = format!("{}_exchange", scenario.name);
    scenario
        .set("CDC_DECLARE", "all")
        .set("RABBITMQ_EXCHANGE", &exchange)
        .set("RABBITMQ_ROUTING_KEY", "{collection}")
        .set("CDC_ON_UNROUTABLE", "retry");
    arrives(&scenario, scenario.start().await, 0..10).await;
    // And again, where everything is there.
    let engine = scenario.start().await;
    scenario.insert_numbers(10..20).await;
    scenario.take_until_number(19).await;
    // And where it is taken away meanwhile.
    scenario.delete_exchange(&exchange).await;
    arrives(&scenario, engine, 20..30).await;
    scenario.delete_exchange(&exchange).await;
}

#[tokio::test]
async fn an_exchange_of_any_type_can_be_declared() {
    for kind in ["direct", "fanout", "headers"] {
        let mut scenario = Scenario::new(kind).await;
        let exchange = format!("{}_exchange", scenario.name);
        scenario
            .set("CDC_DECLARE", "all")
            .set("CDC_EXCHANGE_TYPE", kind)
            .set("RABBITMQ_EXCHANGE", &exchange);
        arrives(&scenario, scenario.start().await, 0..10).await;
        scenario.delete_exchange(&exchange).await;
    }
    let mut scenario = Scenario::new("unknown").await;
    let exchange = format!("{}_exchange", scenario.name);
    scenario
        .set("CDC_DECLARE", "all")
        .set("CDC_EXCHANGE_TYPE", "x-unknown")
        .set("RABBITMQ_EXCHANGE", exchange);
    let finished = scenario.spawn().finish().await;
    check(
        &finished,
        1,
        &[
            "does not declare exchange",
            "x-unknown",
            "CDC_EXCHANGE_TYPE",
        ],
    );
}

#[tokio::test]
async fn what_matches_no_queue_can_be_dropped_and_is_counted() {
    let mut scenario = Scenario::new("drop").await;
    let exchange = format!("{}_exchange", scenario.name);
    scenario.declare_exchange(&exchange).await;
    scenario.declare_own().await;
    scenario.bind(&scenario.name, &exchange, "numbers").await;
    scenario
        .set("RABBITMQ_EXCHANGE", &exchange)
        .set("RABBITMQ_ROUTING_KEY", "{collection}")
        .set("CDC_ON_UNROUTABLE", "drop");
    let engine = scenario.start().await;
    for number in 0..100 {
        let stray = doc! { "_id": number };
        let strays = scenario.collection("strays");
        strays.insert_one(stray).await.unwrap();
        scenario.insert_numbers(number..number + 1).await;
    }
    let numbers = scenario.take(100).await;
    let numbers: Vec<i32> = numbers.iter().map(Delivery::number).collect();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    assert!(engine.metric("cdc_messages_dropped_total").await >= 100.0);
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    let said = finished.log.matches("dropped what matched no queue");
    assert!((1..=50).contains(&said.count()), "{}", finished.log);
    // The checkpoint is past them.
    let engine = scenario.start().await;
    scenario.nothing_comes_before(100).await;
    assert!(engine.metric("cdc_messages_dropped_total").await < 1.0);
    engine.stop().await;
    scenario.delete_exchange(&exchange).await;
}
