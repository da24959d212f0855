//! What a user can get wrong gets a clear answer, and nothing is lost.

use std::{
    io::{Read as _, Seek as _},
    time::{Duration, Instant},
};

use bson::doc;
use lapin::types::{AMQPValue, FieldTable};

use crate::support::{Engine, Finished, MongoServer, Proxy, Scenario, amqp_uri, mongo_uri};

/// Runs `cdc` to its end with these settings alone.
async fn run(settings: &[(&str, &str)]) -> Finished {
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Engine::spawn(&[], &settings).finish().await
}

fn check(finished: &Finished, code: i32, parts: &[&str]) {
    assert_eq!(finished.code, Some(code), "{}", finished.log);
    for part in parts {
        assert!(
            finished.log.contains(part),
            "no `{part}` in:\n{}",
            finished.log
        );
    }
}

#[tokio::test]
async fn every_fault_of_a_configuration_is_told_at_once_and_no_secret() {
    let finished = run(&[
        (
            "MONGO_DATABASE_HOST",
            "mongodb://ada:hunter2secret@localhost:bad/",
        ),
        ("RABBITMQ_URI", "http://ada:hunter2secret@localhost"),
        ("CDC_FORMAT", "xml"),
        ("CDC_OPERATIONS", "insert,upsert"),
        ("CDC_WINDOW_EVENTS", "0"),
        ("CDC_CHECKPOINT_INTERVAL_MS", "soon"),
        ("CDC_QUEUE_TYPE", "fast"),
        ("CDC_LOG_FORMAT", "xml"),
        ("RABBITMQ_ROUTING_KEY", "{table}"),
    ])
    .await;
    check(
        &finished,
        64,
        &[
            "MONGO_DATABASE_HOST: ",
            "RABBITMQ_URI: not an amqp:// or amqps:// URI",
            "CDC_FORMAT: `xml` is not one of document, event",
            "CDC_OPERATIONS: `upsert` is not one of insert, update,",
            "CDC_WINDOW_EVENTS: `0` is not a whole number from 1 to 65536",
            "CDC_CHECKPOINT_INTERVAL_MS: `soon` is not a whole number from 10 to 3600000",
            "CDC_QUEUE_TYPE: `fast` is not one of classic, quorum, stream",
            "CDC_LOG_FORMAT: `xml` is not one of text, json",
            "RABBITMQ_ROUTING_KEY: `{table}` is not one of",
        ],
    );
    assert!(!finished.log.contains("hunter2secret"), "{}", finished.log);
}

#[tokio::test]
async fn a_connection_string_that_contradicts_itself_is_a_bad_configuration() {
    let uri = "mongodb://localhost:1,localhost:2/?directConnection=true";
    let finished = run(&[("MONGO_DATABASE_HOST", uri)]).await;
    check(
        &finished,
        64,
        &["MONGO_DATABASE_HOST: ", "directConnection"],
    );
}

#[tokio::test]
async fn a_replica_set_that_is_not_initiated_yet_is_waited_for() {
    let server = MongoServer::start(&["--replSet", "late"]).await;
    let mut scenario = Scenario::new("uninitiated").await;
    scenario.set("MONGO_DATABASE_HOST", server.uri("directConnection=true"));
    let engine = scenario.spawn();
    engine.wait_for("not initiated yet").await;
    server.initiate("late").await;
    engine.wait_for("watching").await;
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn an_unknown_option_is_a_bad_configuration() {
    let finished = Engine::spawn(&["run", "--collection", "moves"], &[])
        .finish()
        .await;
    check(&finished, 64, &["--collection", "--collections"]);
}

#[tokio::test]
async fn the_watched_database_cannot_hold_the_checkpoint() {
    let finished = run(&[("MONGO_DATABASE_NAME", "cdc")]).await;
    check(
        &finished,
        64,
        &["CDC_CHECKPOINT_DATABASE", "MONGO_DATABASE_NAME"],
    );
}

#[tokio::test]
async fn a_line_of_dotenv_that_does_not_parse_is_named_by_its_number_and_not_shown() {
    let engine = Engine::spawn_with(&[], &[], |command| {
        let folder = command.get_current_dir().unwrap();
        std::fs::write(
            folder.join(".env"),
            "# note\nCDC_FORMAT=event\nPASSWORD hunter2secret\n",
        )
        .unwrap();
    });
    let finished = engine.finish().await;
    check(&finished, 64, &[".env:3:"]);
    assert!(!finished.log.contains("hunter2secret"), "{}", finished.log);
}

#[tokio::test]
async fn dotenv_is_read_and_the_environment_wins() {
    let settings = [("CDC_FORMAT".to_owned(), "xml".to_owned())];
    let engine = Engine::spawn_with(&[], &settings, |command| {
        let folder = command.get_current_dir().unwrap();
        std::fs::write(
            folder.join(".env"),
            "CDC_FORMAT=event\nCDC_JSON_MODE=yaml\n",
        )
        .unwrap();
    });
    check(
        &engine.finish().await,
        64,
        &["CDC_FORMAT: `xml`", "CDC_JSON_MODE: `yaml`"],
    );
}

#[tokio::test]
async fn mongodb_that_is_not_there_is_retried_and_then_named() {
    let started = Instant::now();
    let finished = run(&[
        (
            "MONGO_DATABASE_HOST",
            "mongodb://localhost:1/?replicaSet=my-replica-set",
        ),
        ("RABBITMQ_URI", &amqp_uri()),
        ("CDC_STARTUP_TIMEOUT_MS", "1500"),
    ])
    .await;
    check(
        &finished,
        1,
        &["localhost:1", "hint: cargo xtask local-start"],
    );
    assert!(started.elapsed() >= Duration::from_millis(1500));
}

#[tokio::test]
async fn rabbitmq_that_is_not_there_is_retried_and_then_named() {
    let started = Instant::now();
    let finished = run(&[
        ("MONGO_DATABASE_HOST", &mongo_uri()),
        ("RABBITMQ_PORT", "1"),
        ("CDC_STARTUP_TIMEOUT_MS", "1500"),
    ])
    .await;
    check(
        &finished,
        1,
        &["localhost:1", "hint: cargo xtask local-start"],
    );
    assert!(started.elapsed() >= Duration::from_millis(1500));
}

#[tokio::test]
async fn servers_that_come_up_within_the_time_are_waited_for() {
    let mut scenario = Scenario::new("late").await;
    let broker = amqp_uri().rsplit_once('@').unwrap().1.to_owned();
    let proxy = Proxy::start(broker).await;
    proxy.down();
    scenario.set(
        "RABBITMQ_URI",
        format!("amqp://guest:guest@{}", proxy.address),
    );
    let engine = scenario.spawn();
    engine.wait_for("not ready, trying again").await;
    proxy.pass();
    engine.wait_for("watching").await;
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_wrong_password_for_rabbitmq_is_no_reason_to_try_again() {
    let broker = amqp_uri().rsplit_once('@').unwrap().1.to_owned();
    let finished = run(&[
        ("MONGO_DATABASE_HOST", &mongo_uri()),
        (
            "RABBITMQ_URI",
            &format!("amqp://guest:hunter2secret@{broker}"),
        ),
    ])
    .await;
    check(
        &finished,
        1,
        &[
            "refused user `guest`",
            "hint: correct RABBITMQ_DEFAULT_USERNAME",
        ],
    );
    assert!(
        !finished.log.contains("hunter2secret") && !finished.log.contains("trying again"),
        "{}",
        finished.log
    );
}

#[tokio::test]
async fn a_virtual_host_that_is_not_there_is_named() {
    let uri = format!("{}/nowhere", amqp_uri());
    let finished = run(&[
        ("MONGO_DATABASE_HOST", &mongo_uri()),
        ("RABBITMQ_URI", &uri),
    ])
    .await;
    check(&finished, 1, &["virtual host `nowhere`", "hint: "]);
}

#[tokio::test]
async fn a_standalone_mongod_is_refused_with_the_way_to_a_replica_set() {
    let server = MongoServer::start(&[]).await;
    for options in ["", "replicaSet=my-replica-set", "directConnection=true"] {
        let started = Instant::now();
        let uri = server.uri(options);
        let finished = run(&[("MONGO_DATABASE_HOST", &uri), ("RABBITMQ_URI", &amqp_uri())]).await;
        check(
            &finished,
            1,
            &[
                "standalone",
                "replica set",
                "rs.initiate()",
                &server.port.to_string(),
            ],
        );
        assert!(
            started.elapsed() < Duration::from_secs(15),
            "at once, not after the startup timeout"
        );
    }
}

#[tokio::test]
async fn a_replica_set_of_another_name_is_named() {
    let uri = mongo_uri().replace("replicaSet=my-replica-set", "replicaSet=other");
    let finished = run(&[("MONGO_DATABASE_HOST", &uri), ("RABBITMQ_URI", &amqp_uri())]).await;
    check(
        &finished,
        1,
        &["`my-replica-set`", "`other`", "hint: correct `replicaSet=`"],
    );
}

#[tokio::test]
async fn wrong_credentials_and_missing_permission_in_mongodb_are_no_reason_to_try_again() {
    let server = MongoServer::guarded("guarded").await;
    server.create_user("root", "hunter2secret", "root").await;
    server.create_user("reader", "hunter2secret", "read").await;
    let at = |user: &str, password: &str| {
        format!(
            "mongodb://{user}:{password}@127.0.0.1:{}/?authSource=admin&replicaSet=guarded",
            server.port
        )
    };

    let uri = at("root", "hunter3secret");
    let finished = run(&[("MONGO_DATABASE_HOST", &uri), ("RABBITMQ_URI", &amqp_uri())]).await;
    check(
        &finished,
        1,
        &[
            "refused the credentials of user `root`",
            "hint: correct user, password or authSource",
        ],
    );
    assert!(
        !finished.log.contains("hunter3secret") && !finished.log.contains("trying again"),
        "{}",
        finished.log
    );

    let uri = at("reader", "hunter2secret");
    let finished = run(&[("MONGO_DATABASE_HOST", &uri), ("RABBITMQ_URI", &amqp_uri())]).await;
    check(
        &finished,
        1,
        &["denies user `reader`", "hint: grant `read`"],
    );
    assert!(
        !finished.log.contains("hunter2secret") && !finished.log.contains("trying again"),
        "{}",
        finished.log
    );

    let anonymous = server.uri("replicaSet=guarded");
    let finished = run(&[
        ("MONGO_DATABASE_HOST", &anonymous),
        ("RABBITMQ_URI", &amqp_uri()),
    ])
    .await;
    check(&finished, 1, &["denies an anonymous user"]);
}

#[tokio::test]
async fn a_queue_with_other_properties_is_left_as_it_is() {
    let scenario = Scenario::new("queue_differs").await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(10));
    scenario.declare(&scenario.name, arguments.clone()).await;
    let finished = scenario.spawn().finish().await;
    check(
        &finished,
        1,
        &[
            &format!("queue `{}` exists", scenario.name),
            "x-max-length",
            "hint: the queue was left",
        ],
    );
    scenario.declare(&scenario.name, arguments).await;
}

#[tokio::test]
async fn a_quorum_queue_is_not_taken_for_a_classic_one() {
    let mut scenario = Scenario::new("quorum").await;
    scenario.set("CDC_QUEUE_TYPE", "quorum");
    scenario.start().await.stop().await;
    scenario.set("CDC_QUEUE_TYPE", "classic");
    let finished = scenario.spawn().finish().await;
    check(
        &finished,
        1,
        &[
            &format!("queue `{}` exists", scenario.name),
            "x-queue-type",
            "CDC_QUEUE_TYPE",
        ],
    );
}

#[tokio::test]
async fn an_exchange_that_is_not_there_is_named() {
    let mut scenario = Scenario::new("no_exchange").await;
    scenario.set("RABBITMQ_EXCHANGE", "nowhere");
    let finished = scenario.spawn().finish().await;
    check(
        &finished,
        1,
        &[
            "exchange `nowhere` does not exist",
            "hint: declare the exchange",
        ],
    );
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_read_stops_the_engine_and_stays() {
    for (document, parts) in [
        (
            doc! { "version": 2, "revision": 1_i64 },
            ["format version 2", "run the release that wrote it"],
        ),
        (
            doc! { "version": "1", "revision": 1_i64 },
            ["not readable", "start afresh"],
        ),
        (
            doc! { "version": 1, "revision": 1_i64 },
            ["not readable", "start afresh"],
        ),
        (
            doc! { "version": 1, "revision": -1_i64, "resume_token": { "_data": "82" } },
            ["not readable", "delete that document"],
        ),
        (
            doc! { "version": 1, "revision": 1_i64, "resume_token": "82" },
            ["not readable", "CDC_PIPELINE"],
        ),
    ] {
        let scenario = Scenario::new("checkpoint").await;
        let mut stored = doc! { "_id": &scenario.name };
        stored.extend(document);
        scenario.checkpoints().insert_one(&stored).await.unwrap();
        let finished = scenario.spawn().finish().await;
        check(
            &finished,
            1,
            &["`cdc_test.checkpoints`", &scenario.name, parts[0], parts[1]],
        );
        assert_eq!(scenario.checkpoint().await, Some(stored));
    }
}

#[tokio::test]
async fn a_resume_token_that_the_server_refuses_stops_the_engine() {
    let scenario = Scenario::new("bad_token").await;
    let stored = doc! { "_id": &scenario.name, "version": 1, "revision": 1_i64, "resume_token": { "_data": "1234" } };
    scenario.checkpoints().insert_one(&stored).await.unwrap();
    let finished = scenario.spawn().finish().await;
    check(&finished, 1, &["change stream"]);
    let place = |checkpoint: &bson::Document| checkpoint.get("resume_token").cloned();
    let after = scenario.checkpoint().await.unwrap();
    assert_eq!(place(&after), place(&stored), "the place is as it was");
}

#[tokio::test]
async fn help_tells_every_setting_and_shows_no_value() {
    let settings = [(
        "RABBITMQ_DEFAULT_PASSWORD".to_owned(),
        "hunter2secret".to_owned(),
    )];
    let mut output = Vec::new();
    let engine = Engine::spawn_with(&["--help"], &settings, |command| {
        let file = tempfile::tempfile().unwrap();
        output.push(file.try_clone().unwrap());
        command.stdout(file);
    });
    assert_eq!(engine.finish().await.code, Some(0));
    let mut help = String::new();
    output[0].rewind().unwrap();
    output[0].read_to_string(&mut help).unwrap();
    assert!(
        help.contains("RABBITMQ_DEFAULT_PASSWORD") && help.contains("CDC_WINDOW_BYTES"),
        "{help}"
    );
    assert!(!help.contains("hunter2secret"));
}
