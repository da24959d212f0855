//! Changes spread over partitions: each document keeps its partition and its order, and what is about no document is in
//! every one.

use std::collections::{HashMap, HashSet};

use bson::{Bson, doc, oid::ObjectId};
use lapin::types::{AMQPValue, FieldTable};

use crate::{
    permissions::{command_of, words},
    support::{Broker, Delivery, Engine, Scenario, check, eventually, mongo_uri, output, setting},
};

/// Documents of a busy collection.
const DOCUMENTS: usize = 1_000;
/// Changes of one command.
const BATCH: usize = 500;

/// A scenario whose engines spread changes, those of whole collections among them.
async fn spread(label: &str, partitions: u16) -> Scenario {
    let mut scenario = Scenario::new(label).await;
    scenario
        .set("CDC_PARTITIONS", partitions.to_string())
        .set("CDC_OPERATIONS", "insert,replace,delete,drop,rename");
    scenario
}

impl Scenario {
    fn partition(&self, number: u16) -> String {
        format!("{}.{number}", self.name)
    }

    async fn run(&self, command: bson::Document) {
        let database = self.mongo.database(&self.name);
        database.run_command(command).await.unwrap();
    }

    /// Something that is about no document.
    async fn drop_collection(&self, name: &str) {
        self.run(doc! { "create": name }).await;
        self.run(doc! { "drop": name }).await;
    }

    /// All messages of each partition, up to the one that tells that the collection `end` was dropped, by a consumer
    /// for each.
    async fn take_partitions(&self, partitions: u16) -> Vec<Vec<Delivery>> {
        let all = (0..partitions).map(|number| async move {
            let mut is_end = |deliveries: &[Delivery]| {
                deliveries.last().is_some_and(|last| is_drop(last, "end"))
            };
            self.take_until(&self.partition(number), &mut is_end).await
        });
        futures_util::future::join_all(all).await
    }
}

fn is_drop(delivery: &Delivery, collection: &str) -> bool {
    let namespace = delivery.header("cdc-namespace");
    delivery.header("cdc-operation") == "drop" && namespace.ends_with(&format!(".{collection}"))
}

/// Documents that are replaced again and again, each change with the next number.
struct Busy {
    ids: Vec<ObjectId>,
    rounds: i32,
}

impl Busy {
    fn new(rounds: i32) -> Self {
        let ids = (0..DOCUMENTS).map(|_| ObjectId::new()).collect();
        Self { ids, rounds }
    }

    async fn insert(&self, scenario: &Scenario) {
        let documents = self.ids.iter().map(|id| doc! { "_id": id, "n": 0 });
        let collection = scenario.collection("busy");
        collection.insert_many(documents).await.unwrap();
    }

    /// The changes from the second on of each document, with a collection dropped in their middle.
    async fn replace(&self, scenario: &Scenario) {
        for round in 1..self.rounds {
            if round == self.rounds / 2 {
                scenario.drop_collection("middle").await;
            }
            for ids in self.ids.chunks(BATCH) {
                let updates = ids
                    .iter()
                    .map(|id| doc! { "q": { "_id": id }, "u": { "n": round } });
                let updates: Vec<Bson> = updates.map(Bson::from).collect();
                scenario
                    .run(doc! { "update": "busy", "updates": updates })
                    .await;
            }
        }
    }

    /// The partition of a document, as `docs/messages.md` says.
    fn partition(scenario: &Scenario, id: ObjectId, partitions: u16) -> u16 {
        let key = bson::rawdoc! { "_id": id };
        let name = format!("{}.busy\0", scenario.name);
        let hash = crc32fast::hash(&[name.as_bytes(), key.as_bytes()].concat());
        u16::try_from(hash % u32::from(partitions)).unwrap()
    }

    /// Every change is in the partition of its document, the first copies in order, and the collection's end between
    /// those before it and those after it. Gives the number of documents in each partition.
    fn check(&self, scenario: &Scenario, partitions: &[Vec<Delivery>]) -> Vec<usize> {
        let count = u16::try_from(partitions.len()).unwrap();
        let mut numbers: HashMap<ObjectId, Vec<i32>> = HashMap::new();
        let mut loads = Vec::new();
        for (number, deliveries) in (0..count).zip(partitions) {
            let (mut seen, mut is_after, mut documents) = (HashSet::new(), false, HashSet::new());
            for delivery in deliveries {
                assert_eq!(delivery.header("cdc-partition"), number.to_string());
                if !seen.insert(delivery.message_id()) {
                    continue;
                }
                if delivery.header("cdc-operation") == "drop" {
                    assert_eq!(delivery.header("cdc-partition-copies"), count.to_string());
                    is_after |= is_drop(delivery, "middle");
                    continue;
                }
                let id = delivery.json()["entry_id"].as_str().unwrap().to_owned();
                let id = ObjectId::parse_str(id).unwrap();
                assert_eq!(number, Self::partition(scenario, id, count));
                assert_eq!(is_after, self.rounds / 2 <= delivery.number());
                numbers.entry(id).or_default().push(delivery.number());
                documents.insert(id);
            }
            assert!(is_after, "partition {number} was told of no drop");
            loads.push(documents.len());
        }
        assert_eq!(numbers.len(), DOCUMENTS);
        for (id, numbers) in numbers {
            assert_eq!(numbers, (0..self.rounds).collect::<Vec<_>>(), "{id}");
        }
        loads
    }
}

/// How often each document changes: `CDC_TEST_PARTITION_CHANGES` in all, or 10,000.
fn rounds() -> i32 {
    let changes = setting("CDC_TEST_PARTITION_CHANGES");
    let changes: usize = changes.map_or(10_000, |text| text.parse().unwrap());
    i32::try_from(changes / DOCUMENTS).unwrap()
}

/// With one consumer for each partition.
#[tokio::test]
async fn eight_partitions_keep_the_order_of_each_document_and_are_evenly_loaded() {
    let mut scenario = spread("spread", 8).await;
    scenario.set("CDC_WINDOW_EVENTS", "256");
    let engine = scenario.start().await;
    let busy = Busy::new(rounds());
    let write = async {
        busy.insert(&scenario).await;
        busy.replace(&scenario).await;
        scenario.drop_collection("end").await;
    };
    let ((), partitions) = tokio::join!(write, scenario.take_partitions(8));
    let loads = busy.check(&scenario, &partitions);
    let (fullest, emptiest) = (loads.iter().max().unwrap(), loads.iter().min().unwrap());
    assert!(fullest * 10 <= emptiest * 13, "{loads:?}");
    let finished = engine.stop().await;
    check(
        &finished,
        0,
        &[&format!("queues {0}.0 to {0}.7", scenario.name)],
    );
}

#[tokio::test]
async fn an_engine_that_is_killed_loses_no_copy_and_no_order() {
    let mut scenario = spread("partitions_killed", 8).await;
    scenario
        .set("CDC_WINDOW_EVENTS", "64")
        .set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    for number in 0..8 {
        // A queue of its own making would be filled anew.
        scenario
            .declare(&scenario.partition(number), FieldTable::default())
            .await;
    }
    let mut engine = scenario.start().await;
    let busy = Busy::new(10);
    let write = async {
        busy.insert(&scenario).await;
        busy.replace(&scenario).await;
        scenario.drop_collection("end").await;
    };
    let kill = async {
        for _ in 0..3 {
            engine.delivers().await;
            engine.kill().await;
            engine = scenario.start().await;
        }
        // Here, among the copies of a drop.
        scenario.drop_collection("here").await;
        engine
    };
    let ((), engine) = tokio::join!(write, kill);
    let partitions = scenario.take_partitions(8).await;
    busy.check(&scenario, &partitions);
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_crash_among_the_copies_of_a_drop_delivers_them_all_again() {
    let mut scenario = spread("copies_crash", 8).await;
    scenario.set("CDC_CHECKPOINT_INTERVAL_MS", "10");
    for number in 0..8 {
        scenario
            .declare(&scenario.partition(number), FieldTable::default())
            .await;
    }
    scenario.start().await.stop().await;
    scenario.drop_collection("end").await;
    scenario
        .set("CDC_WINDOW_EVENTS", "1")
        .set("CDC_TEST_CRASH_AT", "after-confirm:4");
    let finished = scenario.spawn().finish().await;
    assert_eq!(finished.code, None, "{}", finished.log);
    scenario.unset("CDC_TEST_CRASH_AT");
    let engine = scenario.start().await;
    eventually("the last partition has its copy", async || {
        scenario.try_ready(&scenario.partition(7)).await == Some(1)
    })
    .await;
    let mut ids = HashSet::new();
    for (number, deliveries) in (0..8).zip(scenario.take_partitions(8).await) {
        let queue = scenario.partition(number);
        let rest = scenario.try_ready(&queue).await.unwrap();
        let copies = deliveries.len() + usize::try_from(rest).unwrap();
        assert_eq!(copies, if number < 4 { 2 } else { 1 }, "partition {number}");
        ids.insert(deliveries[0].message_id());
    }
    assert_eq!(ids.len(), 1, "one change has one message_id");
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_copy_that_matches_no_queue_is_parked_and_the_others_are_not() {
    let mut scenario = spread("copies_parked", 4).await;
    scenario.set("CDC_ON_UNROUTABLE", "park");
    let engine = scenario.start().await;
    scenario.delete_queue(&scenario.partition(2)).await;
    scenario.drop_collection("end").await;
    let parked = format!("{}.parked", scenario.name);
    let parked = scenario.take_from(&parked, 1).await.remove(0);
    assert_eq!(parked.header("cdc-partition"), "2");
    assert_eq!(parked.header("cdc-park-routing-key"), scenario.partition(2));
    for number in [0, 1, 3] {
        let copy = scenario
            .take_from(&scenario.partition(number), 1)
            .await
            .remove(0);
        assert_eq!(copy.message_id(), parked.message_id());
        assert_eq!(copy.header("cdc-partition"), number.to_string());
    }
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_partitions_queue_that_is_gone_is_declared_again_and_gets_every_copy() {
    let mut scenario = spread("copies_retried", 4).await;
    scenario.set("CDC_ON_UNROUTABLE", "retry");
    let engine = scenario.start().await;
    scenario.delete_queue(&scenario.partition(2)).await;
    scenario.drop_collection("end").await;
    eventually("the queue is there again", async || {
        scenario.try_ready(&scenario.partition(2)).await.is_some()
    })
    .await;
    let partitions = scenario.take_partitions(4).await;
    let ids = partitions
        .iter()
        .map(|deliveries| deliveries[0].message_id());
    assert_eq!(ids.collect::<HashSet<_>>().len(), 1);
    assert_eq!(engine.stop().await.code, Some(0));
}

/// The engine behind an exchange that it declares, with `settings`: each partition has its own and every drop.
async fn behind_an_exchange(kind: &str, settings: &[(&str, &str)]) {
    let mut scenario = spread(&format!("partitions_{kind}"), 3).await;
    let exchange = format!("{}_exchange", scenario.name);
    scenario
        .set("CDC_DECLARE", "all")
        .set("RABBITMQ_EXCHANGE", &exchange)
        .set("CDC_EXCHANGE_TYPE", kind);
    for (variable, value) in settings {
        scenario.set(variable, *value);
    }
    let engine = scenario.start().await;
    let busy = Busy::new(2);
    busy.insert(&scenario).await;
    busy.replace(&scenario).await;
    scenario.drop_collection("end").await;
    let partitions = scenario.take_partitions(3).await;
    let loads = busy.check(&scenario, &partitions);
    assert!(loads.iter().all(|load| *load > 0), "{kind}: {loads:?}");
    assert_eq!(engine.stop().await.code, Some(0));
    scenario.delete_exchange(&exchange).await;
}

#[tokio::test]
async fn partitions_behind_an_exchange_get_what_is_theirs_by_key_or_header() {
    let key = (
        "RABBITMQ_ROUTING_KEY",
        "{partition}.{collection}.{operation}",
    );
    behind_an_exchange("topic", &[key, ("CDC_BINDING_KEY", "{partition}.#")]).await;
    behind_an_exchange("direct", &[]).await;
    behind_an_exchange("headers", &[]).await;
}

async fn starts_with(scenario: &mut Scenario, partitions: &str) -> String {
    scenario.set("CDC_PARTITIONS", partitions);
    let engine: Engine = scenario.start().await;
    engine.stop().await.log
}

#[tokio::test]
async fn another_number_of_partitions_is_said_with_what_it_means() {
    let mut scenario = spread("repartitioned", 1).await;
    let logs = [
        starts_with(&mut scenario, "1").await,
        starts_with(&mut scenario, "4").await,
        starts_with(&mut scenario, "4").await,
    ];
    let said = "documents change their partition";
    assert_eq!(logs.map(|log| log.matches(said).count()), [0, 1, 0]);
}

#[tokio::test]
async fn status_and_check_tell_of_every_partition() {
    let scenario = spread("partitions_status", 3).await;
    let settings = scenario.given().iter();
    let settings: Vec<_> = settings
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let engine = scenario.start().await;
    for command in ["status", "check"] {
        let (finished, text) = output(&[command], &settings, |_| {}).await;
        assert_eq!(finished.code, Some(0), "{}", finished.log);
        for number in 0..3 {
            assert!(
                text.contains(&scenario.partition(number)),
                "{command}: {text}"
            );
        }
    }
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_partition_that_is_not_there_is_named_where_nothing_is_to_be_declared() {
    let mut scenario = spread("partitions_never", 2).await;
    scenario.set("CDC_DECLARE", "never");
    scenario
        .declare(&scenario.partition(0), FieldTable::default())
        .await;
    let finished = scenario.spawn().finish().await;
    let missing = format!("queue `{}` does not exist", scenario.partition(1));
    check(&finished, 1, &[&missing, "CDC_DECLARE"]);
}

/// With queues that are published to by name, and with those that are bound to an exchange.
#[tokio::test]
async fn the_command_of_the_hint_grants_what_every_partition_needs() {
    let broker = Broker::exclusive().await;
    for declare in ["missing", "all"] {
        let admin = broker.uri("");
        let mut scenario = Scenario::at("partitions_granted", &mongo_uri(), &admin).await;
        let user = scenario.name.clone();
        let account = serde_json::json!({ "password": "secret", "tags": "" });
        broker.put(&format!("/api/users/{user}"), &account).await;
        let none = serde_json::json!({ "configure": "^$", "write": "^$", "read": "^$" });
        let path = format!("/api/permissions/%2F/{user}");
        broker.put(&path, &none).await;
        let uri = format!("amqp://{user}:secret@{}/%2f", broker.address());
        let exchange = format!("{user}_exchange");
        scenario
            .set("RABBITMQ_URI", uri)
            .set("CDC_PARTITIONS", "2")
            .set("CDC_DECLARE", declare);
        if declare == "all" {
            scenario.set("RABBITMQ_EXCHANGE", exchange);
        }
        let finished = scenario.spawn().finish().await;
        broker.control(&words(&command_of(&finished))).await;
        let engine = scenario.start().await;
        scenario.insert_numbers(0..20).await;
        for number in 0..2 {
            scenario.take_from(&scenario.partition(number), 1).await;
        }
        assert_eq!(engine.stop().await.code, Some(0));
    }
}

#[tokio::test]
async fn a_full_partition_holds_the_others_up_and_nothing_is_lost() {
    let mut scenario = spread("partitions_full", 3).await;
    scenario.set("CDC_WINDOW_EVENTS", "16");
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(5));
    let reject = AMQPValue::LongString("reject-publish".into());
    arguments.insert("x-overflow".into(), reject);
    scenario.declare(&scenario.partition(1), arguments).await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..150).await;
    scenario.drop_collection("end").await;
    engine.is_held_up_by("nacked").await;
    for number in [0, 2] {
        let ready = scenario.try_ready(&scenario.partition(number)).await;
        assert!(ready.unwrap() < 50, "partition {number} has {ready:?}");
    }
    let partitions = scenario.take_partitions(3).await;
    let mut all = Vec::new();
    for deliveries in &partitions {
        let mut seen = HashSet::new();
        let is_last = |delivery: &&Delivery| seen.insert(delivery.message_id());
        let last: Vec<&Delivery> = deliveries.iter().rev().filter(is_last).collect();
        assert!(is_drop(last[0], "end"));
        let numbers: Vec<i32> = last[1..].iter().map(|one| one.number()).collect();
        assert!(
            numbers.is_sorted_by(|one, before| one > before),
            "{numbers:?}"
        );
        all.extend(numbers);
    }
    all.sort_unstable();
    assert_eq!(all, (0..150).collect::<Vec<_>>());
    assert_eq!(engine.stop().await.code, Some(0));
}
