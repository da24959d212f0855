//! `cdc status` and `cdc health`: how a pipeline stands, by the servers and by the engine itself.

use super::ask;
use crate::support::{Scenario, Signal};

#[tokio::test]
async fn the_servers_tell_where_a_pipeline_is_and_whether_an_engine_runs() {
    let scenario = Scenario::new("status").await;
    let none = ask(&scenario, &["status", "--json"]).await.json();
    assert_eq!(none["checkpoint"], serde_json::Value::Null);
    assert_eq!(none["has_leader"], false);
    assert_eq!(none["queues"][0]["ready"], serde_json::Value::Null);

    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    engine.has_confirmed(10).await;
    let status = ask(&scenario, &["status", "--json"]).await.json();
    assert_eq!(status["pipeline"], scenario.name.as_str());
    assert_eq!(status["has_leader"], true);
    assert_eq!(status["queues"][0]["ready"], 10);
    assert_eq!(status["queues"][0]["consumers"], 0);
    assert!(status["lag_seconds"].as_u64().unwrap() < 60, "{status}");
    assert!(status["headroom_seconds"].as_i64().unwrap() > 0, "{status}");
    let words = ask(&scenario, &["status"]).await;
    words.check(0, &[]);
    assert!(
        words.output.contains("10 messages ready, 0 consumers"),
        "{}",
        words.output
    );
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_queue_behind_an_exchange_of_ours_is_told_too() {
    let mut scenario = Scenario::new("status_bound").await;
    let exchange = format!("{}_exchange", scenario.name);
    scenario.set("RABBITMQ_EXCHANGE", &exchange);
    let foreign = ask(&scenario, &["status", "--json"]).await.json();
    assert_eq!(foreign["queues"], serde_json::json!([]));
    scenario.set("CDC_DECLARE", "all");
    let engine = scenario.start().await;
    let ours = ask(&scenario, &["status", "--json"]).await.json();
    assert_eq!(ours["exchange"], exchange.as_str());
    assert_eq!(ours["queues"][0]["ready"], 0, "{ours}");
    assert_eq!(engine.stop().await.code, Some(0));
    scenario.delete_exchange(&exchange).await;
}

#[tokio::test]
async fn a_server_that_is_away_is_told_and_what_the_other_one_says() {
    let mut scenario = Scenario::new("status_away").await;
    scenario.set("RABBITMQ_URI", "amqp://guest:guest@127.0.0.1:1");
    let status = ask(&scenario, &["status"]).await;
    status.check(1, &["rabbitmq at 127.0.0.1:1", "hint: "]);
    assert!(
        status.output.contains("position    none"),
        "{}",
        status.output
    );
}

#[tokio::test]
async fn health_is_an_exit_code_and_one_line() {
    let mut scenario = Scenario::new("health").await;
    let engine = scenario.start().await;
    scenario.set("CDC_ADMIN_ADDR", engine.admin());
    let ready = ask(&scenario, &["health"]).await;
    assert_eq!(
        (ready.finished.code, ready.output.as_str()),
        (Some(0), "ready: leader\n")
    );
    let live = ask(&scenario, &["health", "--live"]).await;
    assert_eq!(
        (live.finished.code, live.output.as_str()),
        (Some(0), "live\n")
    );
    engine.signal(Signal::STOP);
    ask(&scenario, &["health"])
        .await
        .check(1, &["gives no answer within 5000 ms"]);
    engine.signal(Signal::CONT);
    assert_eq!(engine.stop().await.code, Some(0));
    ask(&scenario, &["health"])
        .await
        .check(1, &["does not answer", "hint: "]);
    scenario.set("CDC_ADMIN_ADDR", "off");
    ask(&scenario, &["health"])
        .await
        .check(64, &["admin port is off"]);
}

#[tokio::test]
async fn an_engine_that_waits_is_live_and_not_ready() {
    let mut scenario = Scenario::new("health_waits").await;
    scenario.set("RABBITMQ_URI", "amqp://guest:guest@127.0.0.1:1");
    let engine = scenario.spawn();
    engine.is_held_up_by("rabbitmq").await;
    scenario.set("CDC_ADMIN_ADDR", engine.admin());
    ask(&scenario, &["health"])
        .await
        .check(1, &["error: not ready: starting; rabbitmq: "]);
    ask(&scenario, &["health", "--live"]).await.check(0, &[]);
}

#[tokio::test]
async fn completions_and_manual_pages_know_every_command() {
    let scenario = Scenario::new("pages").await;
    for shell in ["bash", "zsh", "fish"] {
        let answer = ask(&scenario, &["completions", shell]).await;
        answer.check(0, &[]);
        for command in ["checkpoint", "replay", "status", "health", "tail"] {
            assert!(answer.output.contains(command), "{shell}: {command}");
        }
    }
    let page = ask(&scenario, &["man"]).await;
    page.check(0, &[]);
    assert!(page.output.contains(".TH cdc"), "{}", page.output);
    ask(&scenario, &["completions", "basch"])
        .await
        .check(64, &["basch"]);
}
