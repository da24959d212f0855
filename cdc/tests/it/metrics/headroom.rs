//! Headroom, where the oplog forgets within minutes, and where it cannot be looked at.

use std::time::Duration;

use bson::doc;
use cdc::metrics::catalogue::HEADROOM;
use tokio_util::task::AbortOnDropHandle;

use super::value;
use crate::{
    mongo_privileges::Guarded,
    resume::forgetful,
    support::{Engine, Scenario, eventually},
};

/// Writes as much a second as lets an oplog of 1 MB reach back some 100 seconds.
pub(crate) fn write_slowly(scenario: &Scenario) -> AbortOnDropHandle<()> {
    let foreign = scenario.mongo.database("foreign").collection("writes");
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            let written = foreign.insert_one(doc! { "pad": "x".repeat(10_000) });
            written.await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }))
}

async fn has_headroom(engine: &Engine, what: &str, is_it: impl Fn(f64) -> bool) {
    eventually(what, async || {
        let page = engine.get("/metrics").await.body;
        value(&page, HEADROOM).is_some_and(&is_it)
    })
    .await;
}

/// An engine that cannot publish stands still, and the oplog's begin comes nearer.
#[tokio::test]
async fn an_engine_that_is_held_up_is_not_ready_before_it_loses_changes() {
    let (_server, mut scenario) = forgetful("headroom").await;
    let proxy = scenario.behind_a_proxy("").await;
    scenario.set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    let engine = scenario.start().await;
    // While the replica set's beginning is in the oplog, nothing leaves it.
    scenario.forget("foreign", "writes").await;
    let _writing = write_slowly(&scenario);
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    has_headroom(&engine, "no loss is in sight", f64::is_infinite).await;
    assert_eq!(engine.get("/ready").await.status, 200);
    proxy.down();
    // With nothing to publish the checkpoint would go on.
    scenario.insert_numbers(10..20).await;
    // It counts from a minute on.
    tokio::time::sleep(Duration::from_secs(40)).await;
    has_headroom(&engine, "a loss is in sight", f64::is_finite).await;
    engine.is_held_up_by("headroom").await;
    engine.wait_for("headroom=critical").await;
    proxy.pass();
    eventually("it is ready again", async || {
        engine.get("/ready").await.status == 200
    })
    .await;
    engine.wait_for("in no danger of leaving the oplog").await;
    engine.stop().await;
}

#[tokio::test]
async fn who_may_not_see_the_oplog_is_told_once_what_to_grant() {
    let guarded = Guarded::start("headroom_guarded").await;
    let engine = guarded.scenario.start().await;
    let line = "how much of the oplog is left is not known";
    engine.wait_for(line).await;
    // Longer than until the next question.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let log = engine.log();
    assert_eq!(log.matches(line).count(), 1, "{log}");
    assert_eq!(value(&engine.get("/metrics").await.body, HEADROOM), None);
    let (_, grant) = log.split_once("grant=").unwrap();
    guarded.paste(grant.lines().next().unwrap()).await;
    has_headroom(&engine, "it is known", f64::is_infinite).await;
    engine.stop().await;
}
