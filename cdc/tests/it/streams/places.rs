//! Where to go on is read from the stream; where that says nothing, messages come again from the checkpoint on.

use std::collections::BTreeSet;

use bson::doc;
use cdc::rabbitmq::stream;

use super::native;
use crate::support::{Delivery, Scenario, amqp_uri, output, stream_address};

const PASSED_OVER: &str = "cdc_messages_passed_over_total";
const UNKNOWN: &str = "cdc_stream_places_unknown_total";

#[tokio::test]
async fn a_start_after_a_crash_passes_over_what_the_stream_has() {
    let Some(mut scenario) = native("place_crash").await else {
        return;
    };
    scenario.crash_late(1_000).await;
    let engine = scenario.start().await;
    scenario.insert_numbers(1_000..1_100).await;
    scenario.has_each_once(1_100).await;
    engine.metric_reaches(PASSED_OVER, 999.0).await;
    assert!(engine.metric(UNKNOWN).await < 0.5);
}

#[tokio::test]
async fn another_filter_repeats_nothing_also_where_the_last_message_is_filtered_out_now() {
    let Some(mut scenario) = native("place_filter").await else {
        return;
    };
    scenario.set("CDC_CHECKPOINT_INTERVAL_MS", "60000");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..1_000).await;
    let other = scenario.collection("other");
    other.insert_one(doc! { "n": -1 }).await.unwrap();
    engine.has_confirmed(1_001).await;
    engine.kill().await;
    scenario
        .set("CDC_COLLECTIONS", "numbers")
        .set("CDC_OPERATIONS", "insert,update");
    let _engine = scenario.start().await;
    scenario.insert_numbers(1_000..1_100).await;
    let mut expected: Vec<i32> = (0..1_000).collect();
    expected.push(-1);
    expected.extend(1_000..1_100);
    assert_eq!(scenario.numbers(1_099).await, expected);
}

/// A transaction of `numbers`, in the collection.
async fn transaction(scenario: &Scenario, collections: &[(&str, i32)]) {
    let mut session = scenario.mongo.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    for (name, number) in collections {
        let insert = scenario
            .collection(name)
            .insert_one(doc! { "n": number })
            .session(&mut session)
            .await;
        insert.unwrap();
    }
    session.commit_transaction().await.unwrap();
}

#[tokio::test]
async fn a_transaction_whose_last_message_is_filtered_out_now_loses_nothing() {
    let Some(mut scenario) = native("place_transaction").await else {
        return;
    };
    let database = scenario.mongo.database(&scenario.name);
    for name in ["a", "b"] {
        database.create_collection(name).await.unwrap();
    }
    scenario
        .set("CDC_CHECKPOINT_INTERVAL_MS", "60000")
        .set("CDC_COLLECTIONS", "b");
    let engine = scenario.start().await;
    transaction(&scenario, &[("a", 1), ("b", 2), ("a", 3)]).await;
    engine.has_confirmed(1).await;
    engine.kill().await;
    scenario.set("CDC_COLLECTIONS", "a");
    let _engine = scenario.start().await;
    transaction(&scenario, &[("a", 4)]).await;
    let numbers: BTreeSet<i32> = scenario.numbers(4).await.into_iter().collect();
    assert_eq!(numbers, BTreeSet::from([1, 2, 3, 4]));
}

#[tokio::test]
async fn a_checkpoint_that_a_person_moved_back_brings_the_messages_again() {
    let Some(scenario) = native("place_moved").await else {
        return;
    };
    let engine = scenario.start().await;
    scenario.insert_numbers(0..100).await;
    scenario.has_each_once(100).await;
    let begin = scenario.checkpoint_time().await;
    scenario.insert_numbers(100..200).await;
    scenario.has_each_once(200).await;
    assert_eq!(engine.stop().await.code, Some(0));
    let at = bson::DateTime::from_millis(i64::from(begin.time - 1) * 1_000);
    let at = at.try_to_rfc3339_string().unwrap();
    let settings: Vec<_> = scenario.given().to_vec();
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let moved = output(
        &["checkpoint", "set", "--yes", "--at", &at],
        &settings,
        |_| {},
    )
    .await;
    assert_eq!(moved.0.code, Some(0), "{}", moved.0.log);
    let engine = scenario.start().await;
    scenario.insert_numbers(200..201).await;
    let again = scenario.numbers(200).await;
    assert!(250 < again.len(), "{}", again.len());
    engine.wait_for("whatever the stream has already").await;
    // Once something is published, the stream tells again.
    engine.kill().await;
    let _engine = scenario.start().await;
    scenario.insert_numbers(201..202).await;
    assert_eq!(scenario.numbers(201).await.len(), again.len() + 1);
}

#[tokio::test]
async fn without_a_checkpoint_what_is_asked_for_is_published_whatever_the_stream_has() {
    let Some(mut scenario) = native("place_deleted").await else {
        return;
    };
    let begin = scenario.now().await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..100).await;
    scenario.has_each_once(100).await;
    engine.stop().await;
    let id = doc! { "_id": &scenario.name };
    scenario.checkpoints().delete_one(id).await.unwrap();
    let start = bson::DateTime::from_millis(i64::from(begin.time) * 1_000);
    scenario.set("CDC_START", start.try_to_rfc3339_string().unwrap());
    let _engine = scenario.start().await;
    scenario.insert_numbers(100..101).await;
    let expected: Vec<i32> = (0..100).chain(0..101).collect();
    assert_eq!(scenario.numbers(100).await, expected);
}

#[tokio::test]
async fn other_partitions_bring_messages_again_and_lose_none() {
    let Some(mut scenario) = native("place_partitions").await else {
        return;
    };
    scenario.set("CDC_PARTITIONS", "2");
    scenario.crash_late(1_000).await;
    scenario.set("CDC_PARTITIONS", "3");
    let engine = scenario.start().await;
    scenario.insert_numbers(1_000..1_300).await;
    engine.has_confirmed(1_300).await;
    let mut numbers = BTreeSet::new();
    for partition in 0..3 {
        let stream = format!("{}.{partition}", scenario.name);
        let count = scenario.stored(&stream).await;
        let deliveries = scenario.take_from(&stream, count).await;
        numbers.extend(deliveries.iter().map(Delivery::number));
    }
    assert_eq!(numbers, (0..1_300).collect());
}

#[tokio::test]
async fn each_partition_goes_on_where_its_stream_ends() {
    let Some(mut scenario) = native("place_each").await else {
        return;
    };
    scenario.set("CDC_PARTITIONS", "3");
    scenario.crash_late(1_000).await;
    let engine = scenario.start().await;
    scenario.insert_numbers(1_000..1_300).await;
    engine.has_confirmed(300).await;
    let mut numbers = Vec::new();
    for partition in 0..3 {
        let stream = format!("{}.{partition}", scenario.name);
        let count = scenario.stored(&stream).await;
        let deliveries = scenario.take_from(&stream, count).await;
        let own: Vec<i32> = deliveries.iter().map(Delivery::number).collect();
        assert!(own.is_sorted(), "partition {partition}");
        numbers.extend(own);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1_300).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_that_was_deleted_begins_anew_at_the_checkpoint() {
    let Some(mut scenario) = native("place_stream").await else {
        return;
    };
    scenario.crash_late(1_000).await;
    scenario.delete_queue(&scenario.name).await;
    let engine = scenario.start().await;
    scenario.insert_numbers(1_000..1_100).await;
    // The checkpoint is where it was when the engine began.
    scenario.has_each_once(1_100).await;
    engine.wait_for("declared a queue that was not there").await;
}

#[tokio::test]
async fn a_stream_that_has_dropped_nearly_all_still_tells_where_it_ends() {
    let Some(mut scenario) = native("place_retention").await else {
        return;
    };
    scenario
        .set("CDC_STREAM_MAX_BYTES", "200000")
        .set("CDC_STREAM_SEGMENT_BYTES", "100000");
    scenario.crash_late(10_000).await;
    let engine = scenario.start().await;
    scenario.insert_numbers(10_000..10_100).await;
    let numbers = scenario.numbers(10_099).await;
    assert!(numbers.len() < 9_000, "{}", numbers.len());
    // The broker may drop more while it is read.
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    assert!(numbers.ends_with(&(10_000..10_100).collect::<Vec<_>>()));
    assert!(engine.metric(UNKNOWN).await < 0.5);
}

#[tokio::test]
async fn a_stream_that_is_deleted_under_the_engine_is_declared_again() {
    let Some(scenario) = native("place_under").await else {
        return;
    };
    let engine = scenario.start().await;
    scenario.insert_numbers(0..100).await;
    scenario.has_each_once(100).await;
    scenario.resting_checkpoint().await;
    scenario.delete_queue(&scenario.name).await;
    scenario.insert_numbers(100..200).await;
    engine
        .wait_for_times("declared a queue that was not there", 2)
        .await;
    let numbers: BTreeSet<i32> = scenario.numbers(199).await.into_iter().collect();
    assert!((100..200).all(|number| numbers.contains(&number)));
}

/// By a connection of its own, as the engine's user.
pub(super) async fn connection(scenario: &Scenario) -> (stream::Connection, stream::Events) {
    let port = stream_address().unwrap();
    let (host, port) = port.rsplit_once(':').unwrap();
    let nodes = cdc::rabbitmq::Node::list(host, port.parse().unwrap()).unwrap();
    let uri = amqp_uri().parse().unwrap();
    let broker = cdc::rabbitmq::Broker::new(nodes, uri, None);
    stream::Connection::open(&broker, &scenario.name)
        .await
        .unwrap()
}

#[tokio::test]
async fn messages_of_others_behind_the_last_one_are_passed_by() {
    let Some(mut scenario) = native("place_others").await else {
        return;
    };
    scenario.crash_late(1_000).await;
    write_as(&scenario, "somebody else", 1, 3_000).await;
    let engine = scenario.start().await;
    scenario.insert_numbers(1_000..1_100).await;
    let numbers = scenario.numbers(1_099).await;
    let own: Vec<i32> = numbers.into_iter().filter(|number| 0 <= *number).collect();
    assert_eq!(own, (0..1_100).collect::<Vec<_>>());
    assert!(engine.metric(UNKNOWN).await < 0.5);
}

#[tokio::test]
async fn a_name_that_somebody_else_uses_brings_messages_again_and_loses_none() {
    let Some(mut scenario) = native("place_name").await else {
        return;
    };
    scenario.crash_late(1_000).await;
    let name = format!("cdc.{}", scenario.name);
    write_as(&scenario, &name, 1 << 60, 10).await;
    let engine = scenario.start().await;
    scenario.insert_numbers(1_000..1_100).await;
    let numbers = scenario.numbers(1_099).await;
    let own: Vec<i32> = numbers.into_iter().filter(|number| 0 <= *number).collect();
    let expected: Vec<i32> = (0..1_000).chain(0..1_100).collect();
    assert_eq!(own, expected);
    engine.metric_reaches(UNKNOWN, 1.0).await;
}

/// Writes `count` messages, each the number -1, with the publishing ids from `first` on.
pub(crate) async fn write_as(scenario: &Scenario, name: &str, first: u64, count: u64) {
    let (connection, mut events) = connection(scenario).await;
    connection
        .declare_publisher(0, name, &scenario.name)
        .await
        .unwrap();
    // A section of data with 8 bytes.
    let message = [&[0, 0x53, 0x75, 0xa0, 8][..], b"{\"n\":-1}"].concat();
    let mut frame = stream::Publish::new(0);
    (first..first + count).for_each(|id| frame.push(id, &message));
    connection.publish(frame).await.unwrap();
    let mut confirmed = 0;
    while confirmed < count {
        if let Some(stream::Event::Confirmed { ids, .. }) = events.recv().await {
            confirmed += ids.len() as u64;
        }
    }
}

impl Scenario {
    /// How many messages a stream has, from its end on.
    pub(super) async fn stored(&self, stream: &str) -> usize {
        let (connection, mut events) = connection(self).await;
        let last = stream::Offset::Last;
        connection.subscribe(stream, last, 1).await.unwrap();
        loop {
            if let stream::Event::Chunk(chunk) = events.recv().await.unwrap() {
                return usize::try_from(chunk.end()).unwrap();
            }
        }
    }
}
