//! A queue that is gone, by an operator or with a crash of the broker: it is said, and what the checkpoint has not
//! passed comes again.

use std::time::{Duration, Instant};

use crate::support::{Engine, Proxy, Scenario, eventually, first_copies};

/// What the engine says of a queue that is gone while it runs.
const GONE: &str = "the queue is gone with what it held";
/// What it says of a queue that it declares although it has delivered before.
const DECLARED: &str =
    "declared a queue that was not there: if this pipeline has delivered to it before";

/// Well below the time for which the engine takes a queue to be fresh.
const FRESH: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 5;

/// An engine that reaches the broker through a proxy, and 500 messages in the queue that it declared.
struct Filled {
    scenario: Scenario,
    proxy: Proxy,
    engine: Engine,
}

impl Filled {
    async fn new(label: &str) -> Self {
        let mut scenario = Scenario::new(label).await;
        let proxy = scenario.behind_a_proxy("").await;
        scenario.set("CDC_CHECKPOINT_INTERVAL_MS", "50");
        let engine = scenario.start().await;
        scenario.insert_numbers(0..500).await;
        eventually("500 messages are there", async || {
            scenario.ready().await == 500
        })
        .await;
        Self {
            scenario,
            proxy,
            engine,
        }
    }

    /// The same, with a queue that is still fresh. On a machine that is too slow for that, the next attempt may do.
    async fn fresh(label: &str) -> Self {
        for _ in 0..ATTEMPTS {
            let start = Instant::now();
            let filled = Self::new(label).await;
            // Several intervals of the checkpoint: one that was not held back would be saved.
            tokio::time::sleep(Duration::from_millis(200)).await;
            filled.proxy.down();
            if start.elapsed() < FRESH {
                return filled;
            }
        }
        panic!("{ATTEMPTS} attempts took longer than {FRESH:?} each");
    }

    /// The same, with a queue of which the broker can be sure, and a checkpoint behind its messages.
    async fn older(label: &str) -> Self {
        let filled = Self::new(label).await;
        filled.engine.has_confirmed(500).await;
        let first = filled.scenario.checkpoint().await.unwrap();
        eventually("the checkpoint follows", async || {
            let now = filled.scenario.checkpoint().await.unwrap();
            now.get("revision") != first.get("revision")
        })
        .await;
        filled
    }
}

#[tokio::test]
async fn a_fresh_queue_that_is_gone_after_a_lost_connection_is_filled_again() {
    let Filled {
        scenario,
        proxy,
        engine,
    } = Filled::fresh("fresh").await;
    scenario.delete_queue(&scenario.name).await;
    proxy.pass();
    engine.wait_for(DECLARED).await;
    scenario.insert_numbers(500..600).await;
    let deliveries = scenario.take_numbers(600).await;
    assert_eq!(first_copies(&deliveries), (0..600).collect::<Vec<_>>());
    let page = engine.get("/metrics").await.body;
    let series = format!(
        "cdc_queues_declared_total{{pipeline=\"{}\"}} 2\n",
        scenario.name
    );
    assert!(page.contains(&series), "{page}");
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert_eq!(finished.log.matches(GONE).count(), 1, "{}", finished.log);
}

#[tokio::test]
async fn a_fresh_queue_that_another_client_has_declared_anew_is_filled_again() {
    let Filled {
        scenario,
        proxy,
        engine,
    } = Filled::fresh("anew").await;
    scenario.delete_queue(&scenario.name).await;
    scenario.declare_own().await;
    proxy.pass();
    engine.wait_for("rabbitmq connected again").await;
    let deliveries = scenario.take_numbers(500).await;
    assert_eq!(first_copies(&deliveries), (0..500).collect::<Vec<_>>());
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert!(!finished.log.contains(GONE), "{}", finished.log);
}

#[tokio::test]
async fn a_fresh_queue_that_is_gone_together_with_the_engine_is_filled_again() {
    let Filled {
        scenario,
        proxy,
        engine,
    } = Filled::fresh("both").await;
    engine.kill().await;
    scenario.delete_queue(&scenario.name).await;
    proxy.pass();
    let engine = scenario.start().await;
    let deliveries = scenario.take_numbers(500).await;
    assert_eq!(first_copies(&deliveries), (0..500).collect::<Vec<_>>());
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
}

#[tokio::test]
async fn an_older_queue_that_is_gone_after_a_lost_connection_is_said_and_declared() {
    let Filled {
        scenario,
        proxy,
        engine,
    } = Filled::older("older").await;
    proxy.down();
    engine.wait_for("rabbitmq lost").await;
    scenario.delete_queue(&scenario.name).await;
    scenario.insert_numbers(500..600).await;
    proxy.pass();
    engine.wait_for(DECLARED).await;
    let deliveries = scenario.take_numbers(100).await;
    assert_eq!(first_copies(&deliveries), (500..600).collect::<Vec<_>>());
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert_eq!(finished.log.matches(GONE).count(), 1, "{}", finished.log);
}

#[tokio::test]
async fn a_queue_that_is_gone_at_the_start_is_said_and_declared() {
    let Filled {
        scenario,
        proxy: _proxy,
        engine,
    } = Filled::older("start").await;
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert!(!finished.log.contains(DECLARED), "{}", finished.log);
    scenario.delete_queue(&scenario.name).await;
    let engine = scenario.start().await;
    scenario.insert_numbers(500..600).await;
    let deliveries = scenario.take_numbers(100).await;
    assert_eq!(first_copies(&deliveries), (500..600).collect::<Vec<_>>());
    let finished = engine.stop().await;
    assert_eq!(
        finished.log.matches(DECLARED).count(),
        1,
        "{}",
        finished.log
    );
    assert!(!finished.log.contains(GONE), "{}", finished.log);
}
