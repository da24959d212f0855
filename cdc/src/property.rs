//! Property tests that run for a time, not for a number of cases.
//!
//! `PROPERTY_TEST_BUDGET_SECS` sets the time of each property, `PROPERTY_TEST_SEED` repeats a run.

use std::{
    env,
    fmt::Debug,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner},
};

const BUDGET_SECS_DEFAULT: u64 = 2;

/// Checks values of `strategy` until the budget is spent; at least once.
pub(crate) fn run<S>(strategy: &S, check: impl Fn(S::Value) -> TestCaseResult)
where
    S: Strategy,
    S::Value: Debug,
{
    let seed = setting("PROPERTY_TEST_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let budget = setting("PROPERTY_TEST_BUDGET_SECS").unwrap_or(BUDGET_SECS_DEFAULT);
    let deadline = Instant::now() + Duration::from_secs(budget);

    // ChaCha takes most of the time in an unoptimised build. An all-zero state does not work.
    let state = [seed, !seed].map(u64::to_le_bytes);
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, state.as_flattened());
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng);
    loop {
        let value = strategy
            .new_tree(&mut runner)
            .expect("few values are filtered out");
        if let Err(err) = runner.run_one(value, &check) {
            panic!("PROPERTY_TEST_SEED={seed} repeats this: {err}");
        }
        if deadline <= Instant::now() {
            return;
        }
    }
}

fn setting(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|err| panic!("{name}={value}: {err}")),
    )
}
