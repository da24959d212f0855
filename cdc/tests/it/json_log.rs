//! With `CDC_LOG_FORMAT=json` every line is a JSON object, to the last one, and numbers are numbers.

use serde_json::Value;

use crate::support::{Finished, Scenario, run};

/// Every line of what an engine wrote.
fn lines(finished: &Finished) -> Vec<Value> {
    let parse = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in:\n{line}"))
    };
    finished.log.lines().map(parse).collect()
}

/// The last line says why it ended.
fn check_end(finished: &Finished, code: i32, error: &str, hint: &str) {
    assert_eq!(finished.code, Some(code), "{}", finished.log);
    let lines = lines(finished);
    let last = lines.last().unwrap();
    assert_eq!(last["level"], "ERROR", "{last}");
    assert_eq!(last["message"], "stopped", "{last}");
    for (field, part) in [("error", error), ("hint", hint)] {
        let text = last[field].as_str().unwrap();
        assert!(text.contains(part), "no `{part}` in {last}");
    }
}

#[tokio::test]
async fn numbers_are_numbers() {
    let mut scenario = Scenario::new("json_log").await;
    scenario.set("CDC_LOG_FORMAT", "json");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_until_number(9).await;
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    let lines = lines(&finished);
    let line = |message: &str| {
        let found = lines.iter().find(|line| line["message"] == message);
        found.unwrap_or_else(|| panic!("no `{message}` in:\n{}", finished.log))
    };
    for (message, fields) in [
        ("draining", &["grace_ms", "in_flight"][..]),
        ("progress", &["read", "confirmed", "per_second", "lag_ms"]),
    ] {
        for field in fields {
            assert!(
                line(message)[field].is_number(),
                "{field} in {}",
                line(message)
            );
        }
    }
    // Whatever looks like a number is one.
    for line in &lines {
        for (field, value) in line.as_object().unwrap() {
            let is_text = value
                .as_str()
                .is_some_and(|text| text.parse::<f64>().is_ok());
            assert!(!is_text, "{field} in {line}");
        }
    }
}

#[tokio::test]
async fn the_end_is_told_as_the_rest_whatever_the_filter() {
    let finished = run(&[
        ("CDC_LOG_FORMAT", "json"),
        ("RUST_LOG", "off"),
        ("MONGO_DATABASE_HOST", "mongodb://127.0.0.1:1"),
        ("CDC_STARTUP_TIMEOUT_MS", "0"),
    ])
    .await;
    check_end(
        &finished,
        1,
        "mongodb is not reachable at 127.0.0.1:1",
        "is MongoDB running",
    );

    let finished = run(&[("CDC_LOG_FORMAT", "json"), ("CDC_WINDOW_EVENTS", "0")]).await;
    check_end(&finished, 64, "CDC_WINDOW_EVENTS: `0` is not", "cdc --help");
}
