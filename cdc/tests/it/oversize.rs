//! Messages that are larger than the broker takes: the engine stops, trims or parks them, by the user's choice.

use bson::doc;

use crate::support::{Broker, Scenario, first_copies, mongo_uri};

/// A broker that takes 100,000 bytes, for one test alone, and a place on it.
async fn oversize(label: &str, policy: &str) -> (Scenario, impl Sized) {
    let mut broker = Broker::exclusive().await;
    broker.limit_messages(100_000).await;
    let mut scenario = Scenario::at(label, &mongo_uri(), &broker.uri("")).await;
    scenario.set("CDC_ON_OVERSIZE", policy);
    (scenario, broker)
}

async fn insert_large(scenario: &Scenario, number: i32) {
    let document = doc! { "_id": number, "n": number, "pad": "x".repeat(200_000) };
    scenario
        .collection("numbers")
        .insert_one(document)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_message_that_the_broker_finds_too_large_stops_the_engine_by_name() {
    let (scenario, _broker) = oversize("oversize_stop", "stop").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    insert_large(&scenario, 10).await;
    scenario.insert_numbers(11..20).await;
    let finished = engine.finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    let name = format!("a change of `{}.numbers`", scenario.name);
    for part in [
        name.as_str(),
        "is too large",
        "at most 100000 bytes",
        "CDC_ON_OVERSIZE",
    ] {
        assert!(
            finished.log.contains(part),
            "no `{part}` in:\n{}",
            finished.log
        );
    }
    assert_eq!(
        first_copies(&scenario.take_numbers(10).await),
        (0..10).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_message_that_the_broker_finds_too_large_is_trimmed_in_its_place() {
    let (scenario, _broker) = oversize("oversize_trim", "trim").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..500).await;
    insert_large(&scenario, 500).await;
    scenario.insert_numbers(501..1_000).await;
    let first = scenario.take_distinct(1_000).await;
    let ids: Vec<String> = first
        .iter()
        .map(|delivery| delivery.json()["entry_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        ids,
        (0..1_000)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
    let trimmed = &first[500];
    assert_eq!(
        trimmed.json(),
        serde_json::json!({ "type": "numbers", "entry_id": "500" })
    );
    assert!(
        trimmed
            .header("cdc-trimmed-bytes")
            .parse::<usize>()
            .unwrap()
            > 200_000
    );
    // The limit is known now: the next one costs no connection.
    insert_large(&scenario, 1_000).await;
    assert_eq!(scenario.take(1).await[0].json()["entry_id"], "1000");
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert_eq!(
        finished
            .log
            .matches("reading again from the checkpoint")
            .count(),
        1
    );
}

#[tokio::test]
async fn a_message_that_the_broker_finds_too_large_is_parked_without_its_document() {
    let (scenario, _broker) = oversize("oversize_park", "park").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..100).await;
    insert_large(&scenario, 100).await;
    scenario.insert_numbers(101..200).await;
    let expected: Vec<i32> = (0..200).filter(|number| *number != 100).collect();
    assert_eq!(first_copies(&scenario.take_numbers(199).await), expected);
    let parked = scenario
        .take_from(&format!("{}.parked", scenario.name), 1)
        .await
        .remove(0);
    assert_eq!(parked.header("cdc-park-reason"), "oversize");
    assert_eq!(
        parked.json(),
        serde_json::json!({ "type": "numbers", "entry_id": "100" })
    );
    assert_eq!(engine.stop().await.code, Some(0));
}
