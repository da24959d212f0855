//! A run goes on where it was, whoever is killed, and whatever the servers do not take.

use std::time::Duration;

use bson::doc;

use super::{Copy, reads};
use crate::support::{
    Broker, MongoServer, ReplicaSet, Scenario, Signal, amqp_uri, check, mongo_uri,
};

/// Most documents that are read again after a crash.
const REPEATED_MAX: usize = 5_000;

/// Documents of a run that takes some seconds.
const DOCUMENTS: i32 = 8_000;

async fn long(scenario: &mut Scenario) {
    scenario.begins_with_a_snapshot().await;
    scenario.set("CDC_SNAPSHOT_RATE", "2000");
    scenario.fill("games", 0..DOCUMENTS, 10).await;
}

/// The copy is exact, and of each crash at most a chunk is read again.
async fn is_complete(scenario: &Scenario, crashes: usize) {
    scenario.run_ends("initial").await;
    let copy = Copy::of(&scenario.take_all().await);
    let count = copy.is_exact(scenario, "games").await;
    let most = count + 2 + crashes * REPEATED_MAX;
    assert!(copy.reads <= most, "{} of {count}", copy.reads);
}

#[tokio::test]
async fn a_run_goes_on_under_the_standby_when_the_leader_is_killed() {
    let mut scenario = Scenario::new("read_killed").await;
    long(&mut scenario).await;
    let leader = scenario.start().await;
    let mut standby = scenario.spawn();
    standby.stands_by().await;
    scenario.run_has_read(2_000).await;
    leader.kill().await;
    standby.leads().await;
    is_complete(&scenario, 1).await;
    let log = standby.stop().await.log;
    assert!(!log.contains("snapshot begins"), "{log}");
}

#[tokio::test]
async fn a_run_that_is_killed_again_and_again_comes_to_its_end() {
    let mut scenario = Scenario::new("read_kills").await;
    long(&mut scenario).await;
    for part in 1..4 {
        let engine = scenario.start().await;
        scenario.run_has_read(part * 1_500).await;
        engine.kill().await;
    }
    let engine = scenario.start().await;
    is_complete(&scenario, 3).await;
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn a_member_that_is_lost_while_a_run_is_under_way_only_delays_it() {
    let mut set = ReplicaSet::exclusive().await;
    let mut scenario = Scenario::at("read_member", &set.uri(), &amqp_uri()).await;
    long(&mut scenario).await;
    let engine = scenario.start().await;
    scenario.run_has_read(1_000).await;
    let primary = set.wait_for_primary().await;
    set.kill(primary);
    set.wait_for_primary().await;
    set.start(primary);
    is_complete(&scenario, 1).await;
    check(&engine.stop().await, 0, &[]);
}

/// The server forgets each snapshot at once, and the engine reads at a later one.
#[tokio::test]
async fn a_server_with_hardly_any_history_of_snapshots_is_read_to_the_end() {
    let arguments = [
        "--replSet",
        "shortlived",
        "--setParameter",
        "minSnapshotHistoryWindowInSeconds=1",
    ];
    let server = MongoServer::start(&arguments).await;
    server.initiate("shortlived").await;
    let uri = server.uri("directConnection=true");
    let mut scenario = Scenario::at("read_too_old", &uri, &amqp_uri()).await;
    long(&mut scenario).await;
    let engine = scenario.start().await;
    for number in DOCUMENTS..DOCUMENTS + 3 {
        scenario
            .run_has_read(i64::from(number - DOCUMENTS) * 2_000 + 100)
            .await;
        engine.signal(Signal::STOP);
        scenario.fill("games", number..number + 1, 10).await;
        // Longer than the server keeps anything.
        tokio::time::sleep(Duration::from_secs(3)).await;
        scenario.fill("games", number + 100..number + 101, 10).await;
        engine.signal(Signal::CONT);
    }
    is_complete(&scenario, 0).await;
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn a_document_that_the_broker_finds_too_large_follows_the_policy_in_a_run() {
    for policy in ["trim", "park"] {
        let mut broker = Broker::exclusive().await;
        broker.limit_messages(100_000).await;
        let label = format!("read_{policy}");
        let mut scenario = Scenario::at(&label, &mongo_uri(), &broker.uri("")).await;
        scenario.begins_with_a_snapshot().await;
        scenario
            .set("CDC_ON_OVERSIZE", policy)
            .set("CDC_FORMAT", "document");
        scenario.fill("games", 0..100, 10).await;
        scenario.fill("games", 100..101, 200_000).await;
        scenario.fill("games", 101..200, 10).await;
        let engine = scenario.start().await;
        let ended = scenario.run_ends("initial").await;
        assert!(200 <= ended.get_i64("documents").unwrap());
        let deliveries = scenario.take_all().await;
        let read = reads(&deliveries);
        let ids: std::collections::HashSet<_> = read
            .iter()
            .map(|read| read.header("cdc-document-key"))
            .collect();
        let trimmed = read
            .iter()
            .filter(|read| read.try_header("cdc-trimmed-bytes").is_some());
        if policy == "trim" {
            assert_eq!((ids.len(), 1 <= trimmed.count()), (200, true));
        } else {
            assert_eq!(ids.len(), 199);
            let parked = scenario
                .take_from(&format!("{}.parked", scenario.name), 1)
                .await;
            assert_eq!(
                parked[0].json(),
                serde_json::json!({ "type": "games", "entry_id": "100" })
            );
            assert_eq!(parked[0].header("cdc-snapshot"), "initial");
        }
        check(&engine.stop().await, 0, &[]);
        let all = doc! {};
        assert_eq!(
            scenario
                .collection("games")
                .count_documents(all)
                .await
                .unwrap(),
            200
        );
    }
}
