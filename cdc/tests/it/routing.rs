//! Exchanges of every type, routing keys and headers from the change, expiry and priority.

use bson::doc;
use lapin::{
    ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions},
    types::{AMQPValue, FieldTable},
};

use crate::support::{Broker, Delivery, Scenario, check, mongo_uri};

/// An exchange with two queues.
struct Exchange {
    scenario: Scenario,
    name: String,
}

impl Exchange {
    async fn new(mut scenario: Scenario, kind: &str) -> Self {
        let name = format!("{}_exchange", scenario.name);
        let options = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let kind = match kind {
            "direct" => ExchangeKind::Direct,
            "topic" => ExchangeKind::Topic,
            "fanout" => ExchangeKind::Fanout,
            "headers" => ExchangeKind::Headers,
            other => ExchangeKind::Custom(other.to_owned()),
        };
        let channel = scenario.channel().await;
        let declared =
            channel.exchange_declare(name.as_str().into(), kind, options, FieldTable::default());
        declared.await.unwrap();
        scenario.set("RABBITMQ_EXCHANGE", &name);
        Self { scenario, name }
    }

    fn queue(&self, label: &str) -> String {
        format!("{}_{label}", self.scenario.name)
    }

    /// Binds the queue `label`, which is declared, by a key or by the header `tenant`.
    async fn bind(&self, label: &str, key: &str, tenant: Option<&str>) {
        let queue = self.queue(label);
        self.scenario.declare(&queue, FieldTable::default()).await;
        let mut arguments = FieldTable::default();
        if let Some(tenant) = tenant {
            arguments.insert("x-match".into(), AMQPValue::LongString("all".into()));
            arguments.insert("tenant".into(), AMQPValue::LongString(tenant.into()));
        }
        let channel = self.scenario.channel().await;
        let (queue, exchange) = (queue.as_str().into(), self.name.as_str().into());
        let options = QueueBindOptions::default();
        let bound = channel.queue_bind(queue, exchange, key.into(), options, arguments);
        bound.await.unwrap();
    }

    /// Inserts a document of `tenant`.
    async fn insert(&self, id: i32, tenant: &str) {
        let document = doc! { "_id": id, "n": id, "tenant": { "name": tenant } };
        let orders = self.scenario.collection("orders");
        orders.insert_one(document).await.unwrap();
    }

    async fn take(&self, label: &str, count: usize) -> Vec<Delivery> {
        self.scenario.take_from(&self.queue(label), count).await
    }

    async fn numbers(&self, label: &str, count: usize) -> Vec<i32> {
        let deliveries = self.take(label, count).await;
        deliveries.iter().map(Delivery::number).collect()
    }

    async fn delete(self) {
        self.scenario.delete_exchange(&self.name).await;
    }
}

/// Tenant `a` goes to queue `one`, tenant `b.c` to queue `two`; each has a dot or wildcards of its own elsewhere.
async fn by_tenant(kind: &str, key: &str, one: (&str, Option<&str>), two: (&str, Option<&str>)) {
    let scenario = Scenario::new(&format!("routing_{kind}")).await;
    let mut exchange = Exchange::new(scenario, kind).await;
    exchange.bind("one", one.0, one.1).await;
    exchange.bind("two", two.0, two.1).await;
    exchange
        .scenario
        .set("RABBITMQ_ROUTING_KEY", key)
        .set("CDC_HEADERS", r#"{"tenant": "{document.tenant.name}"}"#);
    let engine = exchange.scenario.start().await;
    for (id, tenant) in (0..6).zip(["a", "b.c", "a", "a", "b.c", "b.c"]) {
        exchange.insert(id, tenant).await;
    }
    if kind == "fanout" {
        assert_eq!(exchange.numbers("one", 6).await, [0, 1, 2, 3, 4, 5]);
        assert_eq!(exchange.numbers("two", 6).await, [0, 1, 2, 3, 4, 5]);
    } else {
        assert_eq!(exchange.numbers("one", 3).await, [0, 2, 3], "{kind}");
        assert_eq!(exchange.numbers("two", 3).await, [1, 4, 5], "{kind}");
    }
    assert_eq!(engine.stop().await.code, Some(0));
    exchange.delete().await;
}

#[tokio::test]
async fn exchanges_of_every_type_take_what_they_route_by() {
    let (no, a, bc) = (None, Some("a"), Some("b.c"));
    let tenant = "{document.tenant.name}";
    by_tenant("direct", tenant, ("a", no), ("b%2Ec", no)).await;
    let words = "{database}.{collection}.{document.tenant.name}";
    by_tenant("topic", words, ("*.orders.a", no), ("*.orders.b%2Ec", no)).await;
    by_tenant("fanout", tenant, ("", no), ("", no)).await;
    by_tenant("headers", "", ("", a), ("", bc)).await;
}

#[tokio::test]
async fn a_consistent_hash_exchange_keeps_a_document_in_one_queue() {
    let mut broker = Broker::new("", ",rabbitmq_consistent_hash_exchange");
    broker.start().await;
    let mut scenario = Scenario::at("routing_hash", &mongo_uri(), &broker.uri("")).await;
    scenario
        .set("RABBITMQ_ROUTING_KEY", "{collection}.{key}")
        .set("CDC_OPERATIONS", "insert,replace");
    let exchange = Exchange::new(scenario, "x-consistent-hash").await;
    exchange.bind("one", "1", None).await;
    exchange.bind("two", "1", None).await;
    let engine = exchange.scenario.start().await;
    for round in 0..2 {
        for id in 0..50 {
            let orders = exchange.scenario.collection("orders");
            let replaced = orders.replace_one(doc! { "_id": id }, doc! { "n": id, "round": round });
            replaced.upsert(true).await.unwrap();
        }
    }
    engine.has_confirmed(100).await;
    let mut total = 0;
    for label in ["one", "two"] {
        let ready = exchange
            .scenario
            .try_ready(&exchange.queue(label))
            .await
            .unwrap();
        let count = usize::try_from(ready).unwrap();
        let mut numbers = exchange.numbers(label, count).await;
        numbers.sort_unstable();
        let is_whole = |pair: &[i32]| pair.len() == 2 && pair[0] == pair[1];
        assert!(
            count > 0 && numbers.chunks(2).all(is_whole),
            "{label}: {numbers:?}"
        );
        total += count;
    }
    assert_eq!(total, 100);
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_routing_key_that_is_too_long_is_cut_and_tells_changes_apart() {
    let mut exchange = Exchange::new(Scenario::new("routing_long").await, "topic").await;
    exchange.bind("all", "#", None).await;
    let key = "{collection}.{document.tenant.name}";
    exchange.scenario.set("RABBITMQ_ROUTING_KEY", key);
    let engine = exchange.scenario.start().await;
    let long = "ü".repeat(200);
    for (id, end) in (0..3).zip(["x", "y", "x"]) {
        exchange.insert(id, &format!("{long}{end}")).await;
    }
    let deliveries = exchange.take("all", 3).await;
    let keys: Vec<&str> = deliveries
        .iter()
        .map(|one| one.routing_key.as_str())
        .collect();
    assert!(keys.iter().all(|key| key.len() <= 255), "{keys:?}");
    assert!(keys[0].starts_with("orders.üü") && keys[0] == keys[2] && keys[0] != keys[1]);
    assert_eq!(engine.stop().await.code, Some(0));
    exchange.delete().await;
}

#[tokio::test]
async fn messages_have_the_headers_the_expiry_and_the_priority_that_were_asked_for() {
    let mut exchange = Exchange::new(Scenario::new("routing_marks").await, "topic").await;
    exchange.bind("all", "orders", None).await;
    let headers = r#"{"tenant": "{document.tenant.name}", "env": "prod", "what": "{operation} {key}", "x-delay": 5}"#;
    exchange
        .scenario
        .set("RABBITMQ_ROUTING_KEY", "{collection}")
        .set("CDC_HEADERS", headers)
        .set("CDC_MESSAGE_TTL_MS", "3600000")
        .set("CDC_MESSAGE_PRIORITY", "7")
        .set("CDC_ON_UNROUTABLE", "park");
    let engine = exchange.scenario.start().await;
    exchange.insert(1, "a.b*#").await;
    let delivery = exchange.take("all", 1).await.remove(0);
    for (name, value) in [
        ("tenant", "a.b*#"),
        ("env", "prod"),
        ("what", "insert 1"),
        ("x-delay", "5"),
    ] {
        assert_eq!(delivery.header(name), value);
    }
    let properties = &delivery.properties;
    let expiration = properties.expiration().as_ref().map(ToString::to_string);
    assert_eq!(expiration.as_deref(), Some("3600000"));
    assert_eq!(*properties.priority(), Some(7));
    // What is parked waits for a person.
    let strays = exchange.scenario.collection("strays");
    strays.insert_one(doc! { "_id": 2 }).await.unwrap();
    let parked = format!("{}.parked", exchange.scenario.name);
    let parked = exchange.scenario.take_from(&parked, 1).await.remove(0);
    assert_eq!(parked.header("env"), "prod");
    assert_eq!(*parked.properties.expiration(), None);
    let finished = engine.stop().await;
    check(
        &finished,
        0,
        &["CDC_MESSAGE_TTL_MS is set", "after 3600000 ms is gone"],
    );
    exchange.delete().await;
}

#[tokio::test]
async fn templates_that_cannot_work_are_refused_at_the_start_all_at_once() {
    let mut scenario = Scenario::new("routing_bad").await;
    scenario
        .set("RABBITMQ_EXCHANGE", "changes")
        .set("RABBITMQ_ROUTING_KEY", "{collection}.{tenant}")
        .set("CDC_HEADERS", r#"{"cdc-own": "a"}"#)
        .set("CDC_PARTITIONS", "1000")
        .set("CDC_MESSAGE_PRIORITY", "high");
    let finished = scenario.spawn().finish().await;
    let parts = [
        "RABBITMQ_ROUTING_KEY: `{tenant}` is not one of {database}",
        "CDC_HEADERS: `cdc-own`",
        "CDC_PARTITIONS: `1000` is not a whole number from 1 to 256",
        "CDC_MESSAGE_PRIORITY: `high`",
    ];
    check(&finished, 64, &parts);
}
