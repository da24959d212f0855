//! The status page in a browser: what it shows of an engine in each of its states, live.
//!
//! `cargo xtask browser-test` has what this takes, and keeps pictures of every state for people to look at.

mod browser;

use std::time::Duration;

use bson::doc;

use self::browser::Browser;
use crate::{
    resume::forgetful,
    support::{
        Broker, Engine, Scenario, Signal, Writer, comes_true, eventually, mongo_uri, proxy_to,
        setting,
    },
};

/// What the browser itself writes where an engine is gone.
const GONE: &str = "net::ERR_CONNECTION_";
/// And where it is asked without its token.
const UNAUTHORIZED: &str = "401 (Unauthorized)";

/// A change each few milliseconds, until it is dropped.
async fn flowing(label: &str) -> (Scenario, Engine, Writer) {
    let scenario = Scenario::new(label).await;
    let engine = scenario.start().await;
    let writer = Writer::start(scenario.collection("numbers"));
    engine.delivers().await;
    (scenario, engine, writer)
}

#[tokio::test]
#[ignore = "takes a browser: cargo xtask browser-test"]
async fn streaming_is_shown_live_and_so_is_the_end_of_the_engine() {
    let (_scenario, engine, writer) = flowing("page_streaming").await;
    let mut browser = Browser::start();
    browser.open(engine.admin()).await;
    browser.headline("Changes flow").await;
    let before = browser.number("#flow li:nth-child(3) .quiet").await;
    eventually("more is confirmed, without a reload", async || {
        before < browser.number("#flow li:nth-child(3) .quiet").await
    })
    .await;
    // Until the charts have something to show.
    tokio::time::sleep(Duration::from_secs(chart_seconds())).await;
    browser.look("streaming").await;
    browser.is_reached_by_keyboard().await;
    writer.stop().await;
    engine.kill().await;
    browser.expect(GONE);
    browser.headline("No answer from the engine since").await;
    browser.look("stopped").await;
}

/// `CDC_TEST_CHART_SECONDS=600` is for pictures with an hour's worth of chart.
fn chart_seconds() -> u64 {
    setting("CDC_TEST_CHART_SECONDS").map_or(25, |text| text.parse().unwrap())
}

#[tokio::test]
#[ignore = "takes a browser: cargo xtask browser-test"]
async fn a_standby_says_so() {
    let (scenario, leader, writer) = flowing("page_standby").await;
    let mut standby = scenario.spawn();
    standby.stands_by().await;
    let mut browser = Browser::start();
    browser.open(standby.admin()).await;
    browser.headline("Standing by").await;
    browser.look("standby").await;
    writer.stop().await;
    leader.stop().await;
    standby.leads().await;
    browser.headline("Changes flow").await;
}

#[tokio::test]
#[ignore = "takes a browser: cargo xtask browser-test"]
async fn a_broker_that_takes_nothing_is_shown_with_what_to_do() {
    let mut broker = Broker::exclusive().await;
    let scenario = Scenario::at("page_blocked", &mongo_uri(), &broker.uri("")).await;
    let engine = scenario.start().await;
    let writer = Writer::start(scenario.collection("numbers"));
    engine.delivers().await;
    let mut browser = Browser::start();
    browser.open(engine.admin()).await;
    browser.headline("Changes flow").await;
    let limit = ["set_vm_memory_high_watermark", "0.0001"];
    broker.limit(&limit).await;
    browser.headline("RabbitMQ takes nothing").await;
    let obstacles = browser.text("#obstacles").await;
    assert!(obstacles.contains("What to do:"), "{obstacles}");
    tokio::time::sleep(Duration::from_secs(12)).await;
    browser.look("blocked").await;
    broker.end_alarms().await;
    browser.headline("Changes flow").await;
    let problems = browser.text("#problems").await;
    assert!(problems.contains("blocked"), "{problems}");
    writer.stop().await;
}

#[tokio::test]
#[ignore = "takes a browser: cargo xtask browser-test"]
async fn a_mongodb_that_is_away_is_shown_until_it_is_back() {
    let mut scenario = Scenario::new("page_mongodb").await;
    let proxy = proxy_to(scenario.primary().await).await;
    let uri = format!("mongodb://{}/?directConnection=true", proxy.address);
    scenario.set("MONGO_DATABASE_HOST", uri + "&serverSelectionTimeoutMS=500");
    let engine = scenario.start().await;
    let mut browser = Browser::start();
    browser.open(engine.admin()).await;
    browser.headline("Changes flow").await;
    proxy.down();
    browser.headline("MongoDB is away").await;
    browser.look("mongodb-away").await;
    proxy.pass();
    browser.headline("Changes flow").await;
}

#[tokio::test]
#[ignore = "takes a browser: cargo xtask browser-test"]
async fn changes_that_are_about_to_leave_the_oplog_are_shown() {
    let (_server, mut scenario) = forgetful("page_headroom").await;
    let proxy = scenario.behind_a_proxy("").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    let mut browser = Browser::start();
    browser.open(engine.admin()).await;
    browser.headline("Changes flow").await;
    proxy.down();
    browser.headline("RabbitMQ is away").await;
    let numbers = scenario.collection("numbers");
    let is_critical = async || {
        let large = doc! { "pad": "x".repeat(10_000) };
        numbers.insert_one(large).await.unwrap();
        let report = engine.get("/ready").await.json();
        report["obstacles"][0]["cause"] == "headroom"
    };
    // An engine is up to date for a minute.
    if !comes_true(is_critical).await {
        eventually("the headroom is critical", is_critical).await;
    }
    browser.headline("Changes are ").await;
    browser.look("headroom-critical").await;
}

#[tokio::test]
#[ignore = "takes a browser: cargo xtask browser-test"]
async fn a_snapshot_is_shown_with_how_far_it_is() {
    let mut scenario = Scenario::new("page_snapshot").await;
    let documents = (0..4_000).map(|number| doc! { "_id": number, "n": number });
    let games = scenario.collection("games");
    games.insert_many(documents).await.unwrap();
    scenario
        .set("CDC_SNAPSHOT", "initial")
        .set("CDC_SNAPSHOT_RATE", "50");
    let engine = scenario.start().await;
    let mut browser = Browser::start();
    browser.open(engine.admin()).await;
    browser.headline("Changes flow, beside a snapshot").await;
    eventually("its progress is shown", async || {
        browser
            .text("#facts")
            .await
            .contains("of about 4,000 documents")
    })
    .await;
    browser.look("snapshot").await;
}

#[tokio::test]
#[ignore = "takes a browser: cargo xtask browser-test"]
async fn the_page_asks_for_the_token_and_shows_nothing_without() {
    let mut scenario = Scenario::new("page_token").await;
    scenario.set("CDC_ADMIN_TOKEN", "a-token-of-this-test");
    let engine = scenario.spawn();
    assert_eq!(engine.get("/live").await.status, 200);
    let mut browser = Browser::start();
    browser.open(engine.admin()).await;
    browser.headline("A token is needed").await;
    browser.look("token").await;
    browser.expect(UNAUTHORIZED);
    browser.enter("#token", "not-the-token-of-this-test").await;
    eventually("a wrong one is said", async || {
        browser
            .text("#wrong")
            .await
            .contains("not the engine's token")
    })
    .await;
    browser.enter("#token", "a-token-of-this-test").await;
    browser.headline("Changes flow").await;
    assert!(browser.text("#set").await.contains("CDC_ADMIN_TOKEN"));
    assert!(!browser.text("main").await.contains("a-token-of-this-test"));
    engine.signal(Signal::TERM);
    engine.finish().await;
    browser.expect(GONE);
    browser.headline("No answer from the engine").await;
}
