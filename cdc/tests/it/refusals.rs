//! Servers that are not there, refuse, or hold something else than the engine needs: a clear answer, and nothing is
//! lost.

use std::time::{Duration, Instant};

use bson::doc;

use crate::support::{MongoServer, Scenario, amqp_uri, check, mongo_uri, proxy_to, run};

#[tokio::test]
async fn a_replica_set_that_is_not_initiated_yet_is_waited_for() {
    let server = MongoServer::start(&["--replSet", "late"]).await;
    let mut scenario = Scenario::new("uninitiated").await;
    scenario.set("MONGO_DATABASE_HOST", server.uri("directConnection=true"));
    let mut engine = scenario.spawn();
    engine.wait_for("not initiated yet").await;
    server.initiate("late").await;
    engine.leads().await;
    assert_eq!(engine.stop().await.code, Some(0));
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
        &[
            "localhost:1",
            "hint: is MongoDB running there",
            "MONGO_DATABASE_HOST",
        ],
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
        &[
            "localhost:1",
            "hint: is RabbitMQ running there",
            "RABBITMQ_PORT",
        ],
    );
    assert!(started.elapsed() >= Duration::from_millis(1500));
}

#[tokio::test]
async fn servers_that_come_up_within_the_time_are_waited_for() {
    let mut scenario = Scenario::new("late").await;
    let broker = amqp_uri().rsplit_once('@').unwrap().1.to_owned();
    let proxy = proxy_to(broker).await;
    proxy.down();
    scenario.set(
        "RABBITMQ_URI",
        format!("amqp://guest:guest@{}", proxy.address),
    );
    let mut engine = scenario.spawn();
    engine.wait_for("not ready, trying again").await;
    proxy.pass();
    engine.leads().await;
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
        &[
            "user `reader` is not authorized for find, insert, update on `cdc.checkpoints`",
            "hint: in mongosh, as an administrator: db.getSiblingDB",
        ],
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
    check(&finished, 1, &["asks for credentials, and none are given"]);
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
            doc! { "version": 4, "revision": 1_i64 },
            ["format version 4", "run the release that wrote it"],
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
