//! What it costs the engine that people look at it: ten status pages and 50 scrapes a second.

use std::time::{Duration, Instant};

use bson::doc;
use futures_util::StreamExt as _;
use harness::http;
use lapin::{options::BasicConsumeOptions, types::FieldTable};
use tokio::{task::JoinSet, time::interval};

use crate::support::{Scenario, percentile, repetitions};

const PAGES: u64 = 10;
/// How often a page asks; each fifth time for everything.
const PAGE_ASKS_EVERY: Duration = Duration::from_secs(2);
const SCRAPE_EVERY: Duration = Duration::from_millis(20);
const LIMIT: Duration = Duration::from_secs(5);

/// Messages of a backlog, some ten seconds of work.
const BACKLOG: i32 = 300_000;
/// Changes of which each is made when the one before has arrived.
const PINGS: i32 = 1_000;

/// Asks as browsers and Prometheus do, until it is dropped.
fn look(address: &str) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for page in 0..PAGES {
        let address = address.to_owned();
        clients.spawn(async move {
            tokio::time::sleep(PAGE_ASKS_EVERY * u32::try_from(page).unwrap() / 10).await;
            let mut turns = interval(PAGE_ASKS_EVERY);
            for turn in 0.. {
                turns.tick().await;
                let path = ["/status.json?brief", "/status.json"][usize::from(turn % 5 == 0)];
                let asking = http::request(&address, ("GET", path), "", LIMIT);
                assert_eq!(asking.await.unwrap().status, 200);
            }
        });
    }
    let address = address.to_owned();
    clients.spawn(async move {
        let (mut turns, mut scrapes) = (interval(SCRAPE_EVERY), JoinSet::new());
        loop {
            turns.tick().await;
            let address = address.clone();
            scrapes.spawn(async move {
                let asking = http::request(&address, ("GET", "/metrics"), "", LIMIT);
                assert_eq!(asking.await.unwrap().status, 200);
            });
            while let Some(scrape) = scrapes.try_join_next() {
                scrape.unwrap();
            }
        }
    });
    clients
}

/// Messages confirmed a second, of a backlog.
async fn rate(is_looked_at: bool) -> f64 {
    let scenario = Scenario::new("load_rate").await;
    // Its checkpoint is before the backlog.
    assert_eq!(scenario.start().await.stop().await.code, Some(0));
    scenario.insert_numbers(0..BACKLOG).await;
    let engine = scenario.start().await;
    let begun = Instant::now();
    let clients = is_looked_at.then(|| look(engine.admin()));
    let confirmed = "cdc_messages_confirmed_total";
    engine.metric_reaches(confirmed, f64::from(BACKLOG)).await;
    let rate = f64::from(BACKLOG) / begun.elapsed().as_secs_f64();
    drop(clients);
    assert_eq!(engine.stop().await.code, Some(0));
    rate
}

/// The 99th percentile of the time from an insert's begin until its message is there, in milliseconds.
async fn latency(is_looked_at: bool) -> f64 {
    let scenario = Scenario::new("load_latency").await;
    let engine = scenario.start().await;
    let clients = is_looked_at.then(|| look(engine.admin()));
    let channel = scenario.channel().await;
    let options = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let consuming = channel.basic_consume(
        scenario.name.as_str().into(),
        "".into(),
        options,
        FieldTable::default(),
    );
    let mut messages = consuming.await.unwrap();
    let (numbers, mut times) = (scenario.collection("numbers"), Vec::new());
    for number in 0..PINGS {
        let begun = Instant::now();
        numbers.insert_one(doc! { "_id": number }).await.unwrap();
        messages.next().await.unwrap().unwrap();
        times.push(begun.elapsed());
    }
    drop(clients);
    assert_eq!(engine.stop().await.code, Some(0));
    percentile(&mut times, 99).as_secs_f64() * 1_000.0
}

/// The medians of what is measured, without and with clients, in turns.
#[expect(clippy::print_stdout, reason = "a measurement")]
async fn medians(what: &str, measure: impl AsyncFn(bool) -> f64) -> [f64; 2] {
    let mut found = [Vec::new(), Vec::new()];
    // The first run of all warms everything up.
    measure(false).await;
    for round in 0..repetitions(5) {
        for is_looked_at in [round % 2 == 0, round % 2 != 0] {
            found[usize::from(is_looked_at)].push(measure(is_looked_at).await);
        }
    }
    println!("{what}, alone {:.1?}, looked at {:.1?}", found[0], found[1]);
    found.map(|mut values| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    })
}

/// `CDC_TEST_ENGINE=$PWD/target/release/cdc cargo test -p cdc --test it -- --ignored --nocapture people_who_look`, on a
/// machine that does nothing else.
#[tokio::test]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "a measurement")]
async fn people_who_look_take_nothing_from_the_engine() {
    let [alone, looked_at] = medians("messages a second", rate).await;
    let of_rate = looked_at / alone;
    println!("{looked_at:.0} of {alone:.0}: {of_rate:.3}");
    let [alone, looked_at] = medians("p99 in ms", latency).await;
    let of_latency = looked_at / alone;
    println!("{looked_at:.2} of {alone:.2}: {of_latency:.3}");
    assert!(0.97 <= of_rate, "the rate is {of_rate} of what it is alone");
    assert!(of_latency <= 1.2, "p99 is {of_latency} of what it is alone");
}
