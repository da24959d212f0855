//! Snapshots, while they run and while they wait.

use std::time::Duration;

use super::moves;
use crate::{operate::ask, support::Scenario};

#[tokio::test]
async fn a_snapshot_is_counted_and_so_is_what_a_pause_gives_up() {
    let mut scenario = Scenario::new("moves_snapshot").await;
    let proxy = scenario.behind_a_proxy("").await;
    scenario.insert_numbers(0..3_000).await;
    scenario
        .set("CDC_SNAPSHOT", "initial")
        .set("CDC_SNAPSHOT_RATE", "100")
        .set("CDC_WINDOW_EVENTS", "16");
    let engine = scenario.start().await;
    moves(&engine, "snapshot under way").await;
    // Documents are read, and the window has no room for them.
    proxy.down();
    engine.has_in_flight(12).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let pause = ask(&scenario, &["snapshot", "pause", "initial"]).await;
    pause.check(0, &[]);
    moves(&engine, "snapshot paused").await;
    engine.kill().await;
}
