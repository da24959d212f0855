//! How Linux schedules the engine's threads; what that is good for, the bench shows.

use crate::support::Scenario;

#[tokio::test]
async fn only_the_librarys_thread_waits_for_its_turn() {
    const OTHER: u32 = 0;
    const BATCH: u32 = 3;
    let scenario = Scenario::new("batch").await;
    let engine = scenario.start().await;
    let policies = engine.policies();
    // An engine that somebody made nice, it and the tests, stays as it is.
    let is_nice = rustix::process::getpriority_process(None) != Ok(0);
    let expected = if is_nice { OTHER } else { BATCH };
    assert_eq!(
        policies.get("lapin-io-loop"),
        Some(&expected),
        "{policies:?}"
    );
    assert_eq!(policies.get("cdc"), Some(&OTHER), "{policies:?}");
}
