//! A secret that is planted wherever one can be is in nothing that the engine writes or serves.

use std::time::Duration;

use cdc::config::{Config, Given, Origin, Value};
use harness::http;
use serde_json::json;

use crate::support::{Broker, Engine, MongoServer, Scenario, eventually, output};

/// Part of every secret, so that one look finds any of them, also within a URI.
const PLANTED: &str = "hunter2";
/// Longest wait for the admin port.
const LIMIT: Duration = Duration::from_secs(5);

/// The settings that are secrets, each with one.
fn secrets(mongo: &str, rabbit: &str) -> Vec<(&'static str, String)> {
    vec![
        ("MONGO_DATABASE_HOST", mongo.to_owned()),
        ("RABBITMQ_URI", rabbit.to_owned()),
        ("RABBITMQ_DEFAULT_PASSWORD", "hunter2-default".to_owned()),
        (
            "CDC_FIELDS_MASK_SECRET",
            "hunter2-hunter2-hunter2".to_owned(),
        ),
        ("CDC_ADMIN_TOKEN", "hunter2-token-of-this-test".to_owned()),
    ]
}

fn is_clean(what: &str, text: &str) {
    let line = text.lines().find(|line| line.contains(PLANTED));
    assert_eq!(line, None, "{what} tells a secret");
}

/// All commands that take the settings, as far as they need no terminal.
const COMMANDS: [&[&str]; 10] = [
    &["check"],
    &["check", "--json"],
    &["config"],
    &["config", "--json"],
    &["status"],
    &["health"],
    &["checkpoint", "show"],
    &["snapshot", "status"],
    &[
        "replay",
        "--from",
        "2020-01-01T00:00:00Z",
        "--queue",
        "again",
    ],
    &["tail", "--no-follow"],
];

async fn commands_are_clean(settings: &[(&str, String)]) {
    for arguments in COMMANDS {
        let settings: Vec<_> = settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let (finished, text) = output(arguments, &settings, |_| {}).await;
        is_clean(&format!("{arguments:?}"), &(text + &finished.log));
    }
}

#[tokio::test]
async fn an_engine_that_works_tells_no_secret() {
    let mongo = MongoServer::guarded("secrets").await;
    mongo.create_user("root", "hunter2-mongo", "root").await;
    let mongo_uri = mongo.uri_of("root", "hunter2-mongo");
    let broker = Broker::exclusive().await;
    let account = json!({ "password": "hunter2-rabbit", "tags": "administrator" });
    broker.put("/api/users/secrets", &account).await;
    let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
    broker.put("/api/permissions/%2F/secrets", &all).await;
    let rabbit_uri = format!("amqp://secrets:hunter2-rabbit@{}/%2f", broker.address());

    let mut scenario = Scenario::at("secrets", &mongo_uri, &rabbit_uri).await;
    let secrets = secrets(&mongo_uri, &rabbit_uri);
    for (name, value) in &secrets {
        scenario.set(name, value);
    }
    scenario
        .set("CDC_FIELDS_MASK", "n=hash")
        .set("RUST_LOG", "trace")
        .set("CDC_LOG_FORMAT", "json");
    let engine = scenario.spawn();
    engine.wait_for("watching").await;
    scenario.insert_numbers(0..10).await;
    eventually("the messages are there", async || {
        scenario.ready().await == 10
    })
    .await;
    let right = "Authorization: Bearer hunter2-token-of-this-test\r\n";
    let wrong = "Authorization: Bearer hunter2\r\n";
    for path in [
        "/",
        "/live",
        "/ready",
        "/metrics",
        "/status.json",
        "/nothing",
    ] {
        for headers in ["", right, wrong] {
            let asking = http::request(engine.admin(), ("GET", path), headers, LIMIT);
            let reply = asking.await.unwrap();
            is_clean(path, &format!("{reply:?}"));
        }
    }
    let settings: Vec<(&str, String)> = scenario
        .given()
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    commands_are_clean(&settings).await;
    is_clean("the log", &engine.stop().await.log);
}

#[tokio::test]
async fn what_is_refused_or_not_there_is_told_without_the_secret() {
    let mongo = MongoServer::guarded("refused").await;
    mongo.create_user("root", "password", "root").await;
    let broker = Broker::exclusive().await;
    let mongo = mongo.uri_of("root", "hunter2-mongo");
    let rabbit = format!("amqp://guest:hunter2-rabbit@{}", broker.address());
    let nowhere = "mongodb://ada:hunter2@127.0.0.1:1/?directConnection=true";
    let odd = "mongodb://ada:hunter2@[host/?nonsense=hunter2";
    for (mongo, rabbit) in [
        (mongo.as_str(), rabbit.as_str()),
        (nowhere, "amqps://ada:hunter2@127.0.0.1:1"),
        (odd, "amqp://ada:hunter2@host:port?frame_max=hunter2"),
        ("hunter2", "hunter2"),
    ] {
        let mut settings = secrets(mongo, rabbit);
        settings.push(("CDC_STARTUP_TIMEOUT_MS", "500".to_owned()));
        settings.push(("RUST_LOG", "trace".to_owned()));
        settings.push(("CDC_ADMIN_ADDR", "off".to_owned()));
        commands_are_clean(&settings).await;
        let given: Vec<_> = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        is_clean("the log", &Engine::spawn(&[], &given).finish().await.log);
    }
}

/// Of what a panic would write: no value that is at hand writes a secret by itself.
#[test]
fn a_configuration_writes_none_by_itself() {
    let rabbit = "amqp://ada:hunter2@host";
    let secrets = secrets("mongodb://ada:hunter2@host", rabbit);
    let value = |text: &String| Value {
        text: text.clone(),
        origin: Origin::Environment,
    };
    let given: Given = secrets
        .iter()
        .map(|(name, text)| (*name, value(text)))
        .collect();
    let (config, _) = Config::check(&given).unwrap();
    is_clean("a configuration", &format!("{config:#?}"));
}
