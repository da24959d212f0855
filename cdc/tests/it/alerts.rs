//! Each alert on a real Prometheus, fired by what it tells of and ended by the steps of its paragraph in
//! docs/operating.md. `cargo test -p cdc --test it -- --ignored --test-threads 12 alerts::` takes 20 minutes, and
//! Prometheus' program in `CDC_TEST_PROMETHEUS`.

mod prometheus;

use std::time::Duration;

use bson::{RawDocumentBuf, doc};

use self::prometheus::Prometheus;
use crate::{
    metrics::{fail_saves, place_taken, poison, refusing_saves, write_slowly},
    operate::{ask, rfc3339},
    resume::forgetful,
    support::{Broker, Scenario, mongo_uri},
};

#[tokio::test]
#[ignore = "takes minutes, and Prometheus"]
async fn no_engine_is_told_until_one_is_started() {
    let scenario = Scenario::new("alert_engine").await;
    let engine = scenario.start().await;
    let mut prometheus = Prometheus::of(&engine);
    // It knows of a pipeline what it has scraped.
    tokio::time::sleep(Duration::from_secs(40)).await;
    engine.kill().await;
    prometheus.fires(&["CdcNoEngine"]).await;
    prometheus.watch(&scenario.start().await);
}

#[tokio::test]
#[ignore = "takes minutes, and Prometheus"]
async fn no_leader_is_told_and_the_broker_knows_who_has_the_lock() {
    let broker = Broker::exclusive().await;
    let scenario = Scenario::at("alert_leader", &mongo_uri(), &broker.uri("")).await;
    let leader = scenario.start().await;
    let mut standby = scenario.spawn();
    standby.stands_by().await;
    let prometheus = Prometheus::of(&standby);
    prometheus.fires(&["CdcNoLeader"]).await;
    let queues = broker.control(&["list_queues", "name", "owner_pid"]).await;
    let lock = format!("cdc.lock.{}\t", scenario.name);
    let owner = queues.lines().find_map(|line| line.strip_prefix(&lock));
    let columns = ["list_connections", "pid", "peer_host", "peer_port"];
    let connections = broker.control(&columns).await;
    assert!(connections.contains(owner.unwrap()), "{connections}");
    leader.stop().await;
    standby.leads().await;
    prometheus.ends().await;
}

#[tokio::test]
#[ignore = "takes minutes, and Prometheus"]
async fn a_broker_that_is_away_is_told_while_the_lag_grows() {
    let mut scenario = Scenario::new("alert_away").await;
    let proxy = scenario.behind_a_proxy("").await;
    let engine = scenario.start().await;
    let prometheus = Prometheus::of(&engine);
    proxy.down();
    scenario.insert_numbers(0..10).await;
    prometheus.fires(&["CdcNotReady", "CdcLagGrows"]).await;
    engine.is_held_up_by("rabbitmq").await;
    proxy.pass();
    prometheus.ends().await;
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
#[ignore = "takes minutes, and Prometheus"]
async fn a_broker_that_takes_nothing_is_told_and_names_its_alarm() {
    let mut broker = Broker::exclusive().await;
    let scenario = Scenario::at("alert_blocked", &mongo_uri(), &broker.uri("")).await;
    let engine = scenario.start().await;
    let prometheus = Prometheus::of(&engine);
    scenario.insert_numbers(0..10).await;
    engine.has_confirmed(10).await;
    broker.limit(&["set_disk_free_limit", "900000GB"]).await;
    // The broker blocks who publishes.
    scenario.insert_numbers(10..20).await;
    let all = ["CdcBlocked", "CdcNothingMoves", "CdcCheckpointStale"];
    prometheus.fires(&all).await;
    engine.is_held_up_by("blocked").await;
    let alarms = broker.run("rabbitmq-diagnostics", &["alarms"]).await;
    assert!(alarms.contains("disk"), "{alarms}");
    broker.end_alarms().await;
    prometheus.ends().await;
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
#[ignore = "takes minutes, and Prometheus"]
async fn saves_that_fail_are_told_until_they_succeed() {
    let (_server, scenario) = refusing_saves("alert_saves").await;
    let engine = scenario.start().await;
    let prometheus = Prometheus::of(&engine);
    fail_saves(&scenario, true).await;
    scenario.insert_numbers(0..10).await;
    let all = ["CdcCheckpointSavesFail", "CdcCheckpointStale"];
    prometheus.fires(&all).await;
    engine.is_held_up_by("checkpoint").await;
    fail_saves(&scenario, false).await;
    prometheus.ends().await;
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
#[ignore = "takes minutes, and Prometheus"]
async fn a_loss_that_is_near_is_told_and_a_larger_oplog_wins_time() {
    let (_server, mut scenario) = forgetful("alert_headroom").await;
    let proxy = scenario.behind_a_proxy("").await;
    scenario.set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    let engine = scenario.start().await;
    scenario.forget("foreign", "writes").await;
    let writing = write_slowly(&scenario);
    let prometheus = Prometheus::of(&engine);
    scenario.insert_numbers(0..10).await;
    engine.has_confirmed(10).await;
    proxy.down();
    scenario.insert_numbers(10..20).await;
    let all = ["CdcHeadroomLow", "CdcHeadroomCritical"];
    prometheus.fires(&all).await;
    let resize = doc! { "replSetResizeOplog": 1, "size": 51_200.0, "minRetentionHours": 48 };
    let admin = scenario.mongo.database("admin");
    admin.run_command(resize).await.unwrap();
    proxy.pass();
    prometheus.ends().await;
    drop(writing);
    engine.kill().await;
}

#[tokio::test]
#[ignore = "takes minutes, and Prometheus"]
async fn history_that_was_skipped_is_told_with_its_range() {
    let (_server, mut scenario) = forgetful("alert_history").await;
    scenario.set("CDC_ON_HISTORY_LOST", "skip");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..1).await;
    scenario.take_numbers(1).await;
    engine.stop().await;
    scenario.forget("foreign", "writes").await;
    let engine = scenario.start().await;
    Prometheus::of(&engine).fires(&["CdcHistorySkipped"]).await;
    assert!(engine.log().contains("CHANGES LOST"));
}

#[tokio::test]
#[ignore = "takes minutes, and Prometheus"]
async fn a_queue_that_is_gone_is_told_and_filled_by_a_replay() {
    let scenario = Scenario::new("alert_queue").await;
    let engine = scenario.start().await;
    let begin = scenario.now().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    engine.stop().await;
    scenario.delete_queue(&scenario.name).await;
    let engine = scenario.start().await;
    Prometheus::of(&engine).fires(&["CdcQueueLost"]).await;
    let (from, other) = (rfc3339(begin), format!("{}.again", scenario.name));
    let replay = ask(&scenario, &["replay", "--from", &from, "--queue", &other]).await;
    replay.check(0, &[]);
    scenario.take_numbers_from(&other, 10).await;
}

#[tokio::test]
#[ignore = "takes minutes, and Prometheus"]
async fn what_is_set_aside_is_told_and_can_be_looked_at() {
    let mut scenario = Scenario::new("alert_parked").await;
    scenario.set("CDC_ON_POISON", "park");
    let engine = scenario.start().await;
    let numbers = scenario
        .collection("numbers")
        .clone_with_type::<RawDocumentBuf>();
    numbers.insert_one(poison()).await.unwrap();
    Prometheus::of(&engine).fires(&["CdcParked"]).await;
    let parked = format!("{}.parked", scenario.name);
    let message = &scenario.take_from(&parked, 1).await[0];
    assert!(message.try_header("cdc-park-detail").is_some());
}

#[tokio::test]
#[ignore = "takes minutes, and Prometheus"]
async fn a_stream_that_somebody_else_writes_to_is_told_and_named() {
    let Some((_scenario, engine)) = place_taken("alert_stream").await else {
        return;
    };
    let prometheus = Prometheus::of(&engine);
    prometheus.fires(&["CdcStreamPlaceUnknown"]).await;
}

#[tokio::test]
#[ignore = "takes minutes, and Prometheus"]
async fn a_connection_that_is_cut_again_and_again_is_told() {
    let mut scenario = Scenario::new("alert_reconnects").await;
    let proxy = scenario.behind_a_proxy("").await;
    let engine = scenario.start().await;
    let prometheus = Prometheus::of(&engine);
    for times in 1..10 {
        tokio::time::sleep(Duration::from_secs(15)).await;
        proxy.cut();
        engine.wait_for_times("rabbitmq lost", times).await;
        engine.is_ready().await;
    }
    prometheus.fires(&["CdcReconnects"]).await;
}
