//! MongoDB's members killed, stepping down, cut off from each other, locked and out of bounds: nothing is lost.

use std::time::{Duration, Instant};

use bson::doc;

use crate::support::{
    Engine, MongoServer, ReplicaSet, Scenario, Signal, Writer, amqp_uri, eventually, first_copies,
};

/// Less than an election takes, so that the engine, and not the driver alone, has to try again.
const IMPATIENT: &str = "&serverSelectionTimeoutMS=300";

/// A scenario on the replica set of these tests, its engine and a writer that has begun.
async fn busy(label: &str, set: &ReplicaSet) -> (Scenario, Engine, Writer) {
    let mut scenario = Scenario::at(label, &set.uri(), &amqp_uri()).await;
    scenario.set("MONGO_DATABASE_HOST", set.uri() + IMPATIENT);
    let engine = scenario.start().await;
    let writer = Writer::start(scenario.collection("numbers"));
    engine.delivers().await;
    (scenario, engine, writer)
}

/// Everything that was acknowledged arrived, the first copies in order, and the engine ends well.
async fn settle(scenario: &Scenario, engine: Engine, writer: Writer) -> String {
    engine.delivers().await;
    let count = writer.stop().await;
    let deliveries = scenario.take_numbers(usize::try_from(count).unwrap()).await;
    assert_eq!(first_copies(&deliveries), (0..count).collect::<Vec<_>>());
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    finished.log
}

#[tokio::test]
async fn a_killed_primary_is_followed_by_the_next_one() {
    let mut set = ReplicaSet::exclusive().await;
    let (scenario, engine, writer) = busy("primary_killed", &set).await;
    for _ in 0..2 {
        let primary = set.wait_for_primary().await;
        set.kill(primary);
        set.wait_for_primary().await;
        set.start(primary);
    }
    settle(&scenario, engine, writer).await;
}

/// A read of a paused primary would wait for its deadline of 30 s.
#[tokio::test]
async fn a_paused_primary_is_left_as_soon_as_there_is_another() {
    let set = ReplicaSet::exclusive().await;
    let (scenario, engine, writer) = busy("primary_paused", &set).await;
    let primary = set.wait_for_primary().await;
    set.signal(primary, Signal::STOP);
    let paused = Instant::now();
    engine.wait_for("another member is primary now").await;
    let waited = paused.elapsed();
    engine.wait_for("change stream open again").await;
    set.signal(primary, Signal::CONT);
    assert!(waited < Duration::from_secs(25), "{waited:?}");
    settle(&scenario, engine, writer).await;
}

#[tokio::test]
async fn a_primary_that_steps_down_again_and_again_loses_nothing() {
    let set = ReplicaSet::exclusive().await;
    let (scenario, engine, writer) = busy("step_downs", &set).await;
    for _ in 0..4 {
        set.step_down().await;
    }
    settle(&scenario, engine, writer).await;
}

#[tokio::test]
async fn a_set_whose_members_are_all_killed_is_read_on_when_it_is_back() {
    let mut set = ReplicaSet::exclusive().await;
    let (scenario, engine, writer) = busy("all_killed", &set).await;
    (0..3).for_each(|member| set.kill(member));
    engine.is_held_up_by("mongodb").await;
    // It is said anew after ten seconds, with a count, and never as a picture of the whole topology.
    engine.wait_for("for_seconds=1").await;
    let reason = engine.get("/ready").await.body;
    let log = engine.log();
    for text in [&reason, &log] {
        assert!(
            !text.contains("Topology") && !text.contains("labels"),
            "{text}"
        );
    }
    assert!(reason.contains("the connection was refused"), "{reason}");
    assert!(log.matches("WARN").count() < 10, "{log}");
    (0..3).for_each(|member| set.start(member));
    set.wait_for_primary().await;
    let back = Instant::now();
    let before = engine.log().len();
    engine.wait_for("change stream open again").await;
    assert!(
        back.elapsed() < Duration::from_secs(10),
        "{}",
        &engine.log()[before..]
    );
    settle(&scenario, engine, writer).await;
}

#[tokio::test]
async fn a_majority_that_is_lost_for_a_while_holds_up_and_loses_nothing() {
    let mut set = ReplicaSet::exclusive().await;
    let (scenario, engine, writer) = busy("majority", &set).await;
    let primary = set.wait_for_primary().await;
    let others = [(primary + 1) % 3, (primary + 2) % 3];
    for other in others {
        set.signal(other, Signal::STOP);
    }
    set.wait_for_no_primary().await;
    for other in others {
        set.signal(other, Signal::CONT);
    }
    set.wait_for_primary().await;
    engine.delivers().await;
    for other in others {
        set.kill(other);
    }
    set.wait_for_no_primary().await;
    for other in others {
        set.start(other);
    }
    set.wait_for_primary().await;
    settle(&scenario, engine, writer).await;
}

#[tokio::test]
async fn a_locked_checkpoint_holds_up_no_message_and_is_saved_when_it_is_unlocked() {
    let server = MongoServer::start(&["--replSet", "locked"]).await;
    server.initiate("locked").await;
    let uri = server.uri("directConnection=true");
    let scenario = Scenario::at("locked", &uri, &amqp_uri()).await;
    let engine = scenario.start().await;
    let ready = async || engine.get("/ready").await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    // The engine reads what was written while it was paused, and cannot save.
    engine.signal(Signal::STOP);
    scenario.insert_numbers(10..1_000).await;
    server.lock(true).await;
    engine.signal(Signal::CONT);
    let deliveries = scenario.take_numbers(990).await;
    assert_eq!(first_copies(&deliveries), (10..1_000).collect::<Vec<_>>());
    engine.wait_for("checkpoint not saved, trying again").await;
    let report = ready().await;
    assert_eq!(report.status, 503);
    assert_eq!(
        report.json()["obstacles"][0]["cause"],
        "checkpoint",
        "{report:?}"
    );
    server.lock(false).await;
    eventually("it is ready again", async || ready().await.status == 200).await;
    scenario.insert_numbers(1_000..1_010).await;
    scenario.take_numbers(10).await;
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    // The checkpoint is past everything: nothing is published again.
    let engine = scenario.start().await;
    scenario.nothing_comes_before(1_010).await;
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_permission_that_is_taken_away_stops_the_engine_and_loses_nothing() {
    let server = MongoServer::guarded("revoked").await;
    server.create_user("root", "password", "root").await;
    server
        .create_user("engine", "password", "readAnyDatabase")
        .await;
    let root = server.uri_of("root", "password");
    let mut scenario = Scenario::at("revoked", &root, &amqp_uri()).await;
    scenario.set("MONGO_DATABASE_HOST", server.uri_of("engine", "password"));
    let roles = doc! { "role": "readWrite", "db": "cdc_test" };
    let change = async |command: &str| {
        let command = doc! { command: "engine", "roles": [&roles] };
        let admin = scenario.mongo.database("admin");
        admin.run_command(command).await.unwrap();
    };
    change("grantRolesToUser").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..100).await;
    let mut deliveries = scenario.take_until_number(99).await;
    change("revokeRolesFromUser").await;
    scenario.insert_numbers(100..200).await;
    let finished = engine.finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    for part in [
        "user `engine` is not authorized for",
        "`cdc_test.checkpoints`",
        "hint:",
    ] {
        assert!(
            finished.log.contains(part),
            "no `{part}` in:\n{}",
            finished.log
        );
    }
    change("grantRolesToUser").await;
    scenario.insert_numbers(200..300).await;
    let engine = scenario.start().await;
    deliveries.extend(scenario.take_until_number(299).await);
    assert_eq!(first_copies(&deliveries), (0..300).collect::<Vec<_>>());
    assert_eq!(engine.stop().await.code, Some(0));
}
