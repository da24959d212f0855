//! The checkpoint cannot be saved: publishing goes on within bounds, or ends with the reason; nothing is lost.

use bson::doc;

use crate::support::{MongoServer, Scenario, amqp_uri, eventually, first_copies};

/// Saves are the only updates here, and the server answers them all with this error.
async fn fail_saves(scenario: &Scenario, code: i32) {
    let data = doc! { "failCommands": ["update"], "errorCode": code };
    fail_point(scenario, doc! { "mode": "alwaysOn", "data": data }).await;
}

async fn end_failure(scenario: &Scenario) {
    fail_point(scenario, doc! { "mode": "off" }).await;
}

async fn fail_point(scenario: &Scenario, options: bson::Document) {
    let mut command = doc! { "configureFailPoint": "failCommand" };
    command.extend(options);
    let admin = scenario.mongo.database("admin");
    admin.run_command(command).await.unwrap();
}

async fn scenario(label: &str) -> (MongoServer, Scenario) {
    let set = label.replace('_', "-");
    let server =
        MongoServer::start(&["--replSet", &set, "--setParameter", "enableTestCommands=1"]).await;
    server.initiate(&set).await;
    let uri = server.uri("directConnection=true");
    let mut scenario = Scenario::at(label, &uri, &amqp_uri()).await;
    scenario
        .set("CDC_WINDOW_EVENTS", "64")
        .set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    (server, scenario)
}

#[tokio::test]
async fn saves_that_fail_for_long_hold_the_publishing_up_until_one_succeeds() {
    let (_server, scenario) = scenario("saves_fail").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    // Interrupted by a change of the set's state: it may pass.
    fail_saves(&scenario, 11_602).await;
    let (mut end, mut published, mut looks) = (10, 0, 0);
    eventually(
        "publishing rests while there is more and more to publish",
        async || {
            scenario.insert_numbers(end..end + 50).await;
            end += 50;
            let now = scenario.ready().await;
            looks = if now == published { looks + 1 } else { 0 };
            published = now;
            published > 0 && looks >= 20
        },
    )
    .await;
    assert!(
        end - 10 > i32::try_from(published).unwrap() + 900,
        "{published} of {end}"
    );
    end_failure(&scenario).await;
    let deliveries = scenario
        .take_numbers(usize::try_from(end - 10).unwrap())
        .await;
    assert_eq!(first_copies(&deliveries), (10..end).collect::<Vec<_>>());
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
}

#[tokio::test]
async fn a_full_disk_under_the_checkpoint_stops_the_engine_with_the_reason_and_loses_nothing() {
    let (_server, scenario) = scenario("disk_full").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    scenario.resting_checkpoint().await;
    fail_saves(&scenario, 14_031).await;
    scenario.insert_numbers(10..20).await;
    let finished = engine.finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    let reason = "error: save the checkpoint";
    assert!(finished.log.contains(reason), "{}", finished.log);
    assert!(finished.log.contains("OutOfDiskSpace"), "{}", finished.log);
    // What was in the window was delivered all the same.
    assert!(finished.log.contains("draining"), "{}", finished.log);
    assert!(finished.log.contains("in_flight=0 "), "{}", finished.log);
    let deliveries = scenario.take_numbers(10).await;
    assert_eq!(first_copies(&deliveries), (10..20).collect::<Vec<_>>());
    end_failure(&scenario).await;
    let engine = scenario.start().await;
    scenario.insert_numbers(20..30).await;
    let deliveries = scenario.take_until_number(29).await;
    assert!(first_copies(&deliveries).ends_with(&(20..30).collect::<Vec<_>>()));
    assert_eq!(engine.stop().await.code, Some(0));
}
