//! Two engines of one pipeline: one publishes, the other stands by and takes over; the checkpoint has one writer.

use std::time::{Duration, Instant};

use bson::doc;

use crate::support::{
    Engine, Scenario, Signal, amqp_uri, eventually, first_copies, percentile, proxy_to, repetitions,
};

/// A scenario with a leader and a standby.
async fn two(label: &str) -> (Scenario, Engine, Engine) {
    let scenario = Scenario::new(label).await;
    let leader = scenario.start().await;
    let standby = scenario.spawn();
    standby.stands_by().await;
    (scenario, leader, standby)
}

#[tokio::test]
async fn a_standby_publishes_nothing_and_ends_well_on_a_signal() {
    let (scenario, _leader, standby) = two("standby_idle").await;
    scenario.insert_numbers(0..100).await;
    scenario.take_numbers(100).await;
    scenario.nothing_comes_before(100).await;
    let finished = standby.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert!(!finished.log.contains("taking over"), "{}", finished.log);
}

#[tokio::test]
async fn a_standby_takes_over_when_the_leader_drains() {
    let (scenario, leader, mut standby) = two("standby_exit").await;
    scenario.insert_numbers(0..100).await;
    assert_eq!(leader.stop().await.code, Some(0));
    standby.leads().await;
    scenario.insert_numbers(100..200).await;
    let deliveries = scenario.take_numbers(200).await;
    assert_eq!(first_copies(&deliveries), (0..200).collect::<Vec<_>>());
}

/// With `CDC_TEST_REPETITIONS=50` this is the measurement behind the figure in docs/guarantees.md.
#[tokio::test]
#[expect(clippy::print_stderr, reason = "a measurement")]
async fn a_standby_takes_over_within_two_seconds_of_a_kill() {
    let (scenario, mut leader, mut standby) = two("standby_kill").await;
    let kills = repetitions(5);
    let mut times = Vec::new();
    for round in 0..kills {
        let begin = round * 200;
        scenario.insert_numbers(begin..begin + 100).await;
        leader.signal(Signal::KILL);
        let killed = Instant::now();
        standby.leads().await;
        times.push(killed.elapsed());
        scenario.insert_numbers(begin + 100..begin + 200).await;
        leader.finish().await;
        leader = standby;
        standby = scenario.spawn();
        standby.stands_by().await;
    }
    let count = usize::try_from(kills * 200).unwrap();
    let deliveries = scenario.take_numbers(count).await;
    assert_eq!(
        first_copies(&deliveries),
        (0..kills * 200).collect::<Vec<_>>()
    );
    let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    eprintln!("takeover after {kills} kills: p50 {p50:?}, p99 {p99:?}");
    assert!(p99 < Duration::from_secs(2), "{times:?}");
}

async fn has_standbys(leader: &Engine, count: usize) {
    eventually(&format!("{count} engines stand by"), async || {
        let status = leader.get("/status.json").await.json();
        let standbys = status["standbys"].as_array();
        standbys.is_some_and(|standbys| standbys.len() == count)
    })
    .await;
}

#[tokio::test]
async fn a_leader_knows_who_stands_by() {
    let mut scenario = Scenario::new("standby_known").await;
    let proxy = scenario.behind_a_proxy("").await;
    let leader = scenario.start().await;
    has_standbys(&leader, 0).await;
    proxy.cut();
    leader.wait_for("rabbitmq connected again").await;
    let (mut one, two) = (scenario.spawn(), scenario.spawn());
    has_standbys(&leader, 2).await;
    assert!(leader.metric("cdc_standbys").await > 1.5);
    let status = one.get("/status.json").await.json();
    assert!(status["standbys"].is_null(), "{status}");
    two.kill().await;
    has_standbys(&leader, 1).await;
    leader.kill().await;
    one.leads().await;
    has_standbys(&one, 0).await;
}

#[tokio::test]
async fn a_leader_that_was_paused_comes_back_as_a_standby() {
    let mut scenario = Scenario::new("standby_pause").await;
    let uri = format!("{}?heartbeat=1", amqp_uri());
    scenario
        .set("RABBITMQ_URI", uri)
        .set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    let mut leader = scenario.start().await;
    let mut standby = scenario.spawn();
    standby.stands_by().await;
    scenario.insert_numbers(0..500).await;
    leader.signal(Signal::STOP);
    standby.leads().await;
    scenario.insert_numbers(500..1_000).await;
    scenario.take_numbers(1_000).await;
    let before = scenario.resting_checkpoint().await;
    leader.signal(Signal::CONT);
    leader.stands_by().await;
    let after = scenario.checkpoint().await.unwrap();
    assert_eq!(after, before, "the old leader has not written");
    // And the other way round.
    standby.signal(Signal::KILL);
    leader.leads().await;
    scenario.insert_numbers(1_000..1_500).await;
    let deliveries = scenario.take_until_number(1_499).await;
    let first = first_copies(&deliveries);
    assert_eq!(
        first[first.len() - 500..],
        (1_000..1_500).collect::<Vec<_>>()
    );
}

/// The leader's connection hangs half-way. The broker looks once per heartbeat and gives up at the second look in a row
/// without traffic.
#[tokio::test]
async fn a_standby_takes_over_within_three_heartbeats_when_the_leaders_host_vanishes() {
    let mut scenario = Scenario::new("standby_vanish").await;
    let direct = amqp_uri();
    let proxy = proxy_to(direct.rsplit_once('@').unwrap().1.to_owned()).await;
    let through = format!("amqp://guest:guest@{}?heartbeat=2", proxy.address);
    scenario.set("RABBITMQ_URI", through);
    let leader = scenario.start().await;
    scenario.set("RABBITMQ_URI", format!("{direct}?heartbeat=2"));
    let mut standby = scenario.spawn();
    standby.stands_by().await;
    scenario.insert_numbers(0..100).await;
    scenario.take_numbers(100).await;
    proxy.stall();
    let stalled = Instant::now();
    standby.leads().await;
    assert!(
        stalled.elapsed() < Duration::from_secs(7),
        "{:?}",
        stalled.elapsed()
    );
    scenario.insert_numbers(100..200).await;
    let deliveries = scenario.take_until_number(199).await;
    proxy.pass();
    leader.stands_by().await;
    let first = first_copies(&deliveries);
    assert_eq!(first[first.len() - 100..], (100..200).collect::<Vec<_>>());
}

/// A late save of a leader whose time is over finds the checkpoint claimed.
#[tokio::test]
async fn an_engine_whose_checkpoint_was_written_by_another_begins_anew_from_it() {
    let scenario = Scenario::new("standby_claim").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    let written =
        doc! { "$inc": { "revision": 1 }, "$set": { "writer": bson::oid::ObjectId::new() } };
    scenario
        .checkpoints()
        .update_one(doc! { "_id": &scenario.name }, written)
        .await
        .unwrap();
    scenario.insert_numbers(10..20).await;
    engine.wait_for("superseded").await;
    let deliveries = scenario.take_until_number(19).await;
    assert!(first_copies(&deliveries).ends_with(&(10..20).collect::<Vec<_>>()));
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
}

#[tokio::test]
async fn a_new_leader_claims_the_checkpoint_so_that_a_late_save_of_the_old_one_fails() {
    let mut scenario = Scenario::new("standby_late").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    engine.stop().await;
    let old = scenario.checkpoint().await.unwrap();
    // It ends before it could save anything of its own.
    scenario.set("CDC_TEST_CRASH_AT", "after-claim:1");
    scenario.spawn().finish().await;
    let late = doc! { "_id": &scenario.name, "revision": old.get("revision").unwrap() };
    let saved = scenario.checkpoints().replace_one(late, old).await.unwrap();
    assert_eq!(saved.matched_count, 0);
}

/// Two engines that cannot see each other's lock, as with two brokers: they find out at the checkpoint.
#[tokio::test]
async fn an_engine_that_loses_its_checkpoint_again_and_again_stops() {
    let scenario = Scenario::new("standby_fight").await;
    let engine = scenario.start().await;
    let thief = async {
        for number in 0.. {
            let written = doc! { "$inc": { "revision": 1 }, "$set": { "writer": bson::oid::ObjectId::new() } };
            let checkpoint = doc! { "_id": &scenario.name };
            scenario
                .checkpoints()
                .update_one(checkpoint, written)
                .await
                .unwrap();
            scenario.insert_numbers(number..number + 1).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let finished = tokio::select! {
        finished = engine.finish() => finished,
        () = thief => unreachable!(),
    };
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    assert!(
        finished.log.contains("was written by another engine"),
        "{}",
        finished.log
    );
}

/// Whoever asks for the lock's queue with other means is told that it is taken.
#[tokio::test]
async fn the_lock_is_an_exclusive_queue_that_ends_with_the_engine() {
    let scenario = Scenario::new("standby_lock").await;
    let engine = scenario.start().await;
    assert!(scenario.is_locked().await);
    engine.stop().await;
    assert!(!scenario.is_locked().await, "the queue is gone");
}
