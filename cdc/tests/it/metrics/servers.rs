//! Connections, queues and checkpoints that are lost.

use bson::doc;

use super::moves;
use crate::support::{MongoServer, Scenario, amqp_uri};

#[tokio::test]
async fn a_connection_that_is_lost_is_made_again() {
    let mut scenario = Scenario::new("moves_connection").await;
    let proxy = scenario.behind_a_proxy("").await;
    let engine = scenario.start().await;
    proxy.down();
    engine.is_held_up_by("rabbitmq").await;
    proxy.pass();
    moves(&engine, "connection lost").await;
    engine.stop().await;
}

#[tokio::test]
async fn a_queue_that_is_gone_at_the_next_start_is_counted_as_lost() {
    let mut scenario = Scenario::new("moves_queue").await;
    scenario.set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    engine.stop().await;
    scenario.delete_queue(&scenario.name).await;
    let engine = scenario.start().await;
    moves(&engine, "queue lost").await;
    engine.stop().await;
}

/// A server that can be told to refuse saves, and a place on it.
pub(crate) async fn refusing_saves(label: &str) -> (MongoServer, Scenario) {
    let arguments = [
        "--replSet",
        "moves",
        "--setParameter",
        "enableTestCommands=1",
    ];
    let server = MongoServer::start(&arguments).await;
    server.initiate("moves").await;
    let uri = server.uri("directConnection=true");
    let mut scenario = Scenario::at(label, &uri, &amqp_uri()).await;
    scenario.set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    (server, scenario)
}

/// Has its server refuse saves from now on, or take them again.
pub(crate) async fn fail_saves(scenario: &Scenario, is_failing: bool) {
    let mode = if is_failing { "alwaysOn" } else { "off" };
    // Interrupted by a change of the set's state: it may pass.
    let data = doc! { "failCommands": ["update"], "errorCode": 11_602 };
    let fail = doc! { "configureFailPoint": "failCommand", "mode": mode, "data": data };
    let admin = scenario.mongo.database("admin");
    admin.run_command(fail).await.unwrap();
}

#[tokio::test]
async fn saves_that_mongodb_refuses_are_counted() {
    let (_server, scenario) = refusing_saves("moves_saves").await;
    let engine = scenario.start().await;
    fail_saves(&scenario, true).await;
    scenario.insert_numbers(0..10).await;
    moves(&engine, "saves fail").await;
    engine.kill().await;
}
