//! What a connection string of MongoDB asks for: it holds, or the log says that it does not.

use bson::doc;

use crate::support::{MongoServer, Scenario, amqp_uri, check, mongo_uri, run};

#[tokio::test]
async fn each_compressor_is_used_in_both_directions() {
    let server = MongoServer::start(&["--replSet", "compressed"]).await;
    server.initiate("compressed").await;
    let plain = server.uri("replicaSet=compressed");
    for compressor in ["zstd", "snappy", "zlib"] {
        let label = format!("compressed_{compressor}");
        let mut scenario = Scenario::at(&label, &plain, &amqp_uri()).await;
        scenario.set(
            "MONGO_DATABASE_HOST",
            format!("{plain}&compressors={compressor}"),
        );
        let engine = scenario.start().await;
        scenario.insert_numbers(0..100).await;
        scenario.take_until_number(99).await;
        assert_eq!(engine.stop().await.code, Some(0));
        let admin = scenario.mongo.database("admin");
        let status = admin.run_command(doc! { "serverStatus": 1 }).await.unwrap();
        let network = status.get_document("network").unwrap();
        let counters = network.get_document("compression").unwrap();
        let counters = counters.get_document(compressor).unwrap();
        for direction in ["compressor", "decompressor"] {
            let bytes = counters
                .get_document(direction)
                .unwrap()
                .get_i64("bytesIn")
                .unwrap();
            assert!(bytes > 1_000, "{compressor}: {counters}");
        }
    }
}

#[tokio::test]
async fn what_cannot_hold_is_overridden_and_said_once() {
    let mut scenario = Scenario::new("overridden").await;
    let options = "&readConcernLevel=local&readPreference=secondary&w=1&maxPoolSize=1";
    scenario.set("MONGO_DATABASE_HOST", mongo_uri() + options);
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_until_number(9).await;
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    for note in [
        "`readConcernLevel=local` does not count",
        "`readPreference=secondary` counts for the change stream alone",
        "`w=1` does not count",
        "`maxPoolSize=1` is raised to 3",
    ] {
        assert_eq!(
            finished.log.matches(note).count(),
            1,
            "{note}\n{}",
            finished.log
        );
    }
}

#[tokio::test]
async fn unacknowledged_writes_are_a_bad_configuration() {
    let uri = "mongodb://ada:hunter2secret@127.0.0.1:1/?w=0";
    let finished = run(&[("MONGO_DATABASE_HOST", uri)]).await;
    check(
        &finished,
        64,
        &["MONGO_DATABASE_HOST: `w=0` leaves writes unacknowledged"],
    );
    assert!(!finished.log.contains("hunter2secret"), "{}", finished.log);
}

#[tokio::test]
async fn the_database_in_the_path_is_watched() {
    let mut scenario = Scenario::new("path").await;
    let uri = mongo_uri().replacen("/?", &format!("/{}?", scenario.name), 1);
    scenario
        .set("MONGO_DATABASE_HOST", uri)
        .unset("MONGO_DATABASE_NAME");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..3).await;
    scenario.take_until_number(2).await;
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_secondary_that_is_named_alone_is_told() {
    let scenario = Scenario::new("secondary").await;
    let admin = scenario.mongo.database("admin");
    let hello = admin.run_command(doc! { "hello": 1 }).await.unwrap();
    let primary = hello.get_str("primary").unwrap();
    let mut members = hello
        .get_array("hosts")
        .unwrap()
        .iter()
        .filter_map(bson::Bson::as_str);
    let secondary = members.find(|member| *member != primary).unwrap();
    let uri = format!("mongodb://{secondary}/?directConnection=true");
    let finished = run(&[
        ("MONGO_DATABASE_HOST", &uri),
        ("RABBITMQ_URI", "amqp://127.0.0.1:1"),
        ("CDC_STARTUP_TIMEOUT_MS", "1000"),
    ])
    .await;
    let error = format!("error: mongodb at {secondary} is not the primary");
    check(&finished, 1, &[&error, "hint: name all members"]);
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_told_in_one_line() {
    for (uri, error) in [
        (
            "mongodb://nowhere.invalid:27017/?replicaSet=a",
            "error: mongodb is not reachable at nowhere.invalid:27017: the name is not known",
        ),
        (
            "mongodb+srv://nowhere.invalid/",
            "error: mongodb+srv: no servers are named at `nowhere.invalid`: ",
        ),
        (
            "mongodb://127.0.0.1:1,127.0.0.1:2/?replicaSet=a",
            "error: mongodb is not reachable at 127.0.0.1:1,127.0.0.1:2: the connection was refused",
        ),
    ] {
        let finished = run(&[
            ("MONGO_DATABASE_HOST", uri),
            ("RABBITMQ_URI", "amqp://127.0.0.1:1"),
            ("CDC_STARTUP_TIMEOUT_MS", "100"),
        ])
        .await;
        check(&finished, 1, &[error, "hint: "]);
        assert!(!finished.log.contains("Topology"), "{}", finished.log);
    }
}

#[tokio::test]
async fn aws_is_a_bad_configuration_in_the_users_words() {
    let uri = "mongodb://127.0.0.1:1/?authMechanism=MONGODB-AWS";
    let finished = run(&[("MONGO_DATABASE_HOST", uri)]).await;
    check(
        &finished,
        64,
        &["MONGO_DATABASE_HOST: `authMechanism=MONGODB-AWS`"],
    );
    assert!(!finished.log.contains("feature flag"), "{}", finished.log);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_a_bad_configuration() {
    for (option, part) in [
        ("tlsCAFile", "/nowhere/ca.pem"),
        ("tlsCertificateKeyFile", "/nowhere/key.pem"),
    ] {
        let uri = format!("mongodb://127.0.0.1:1/?tls=true&{option}={part}");
        let finished = run(&[("MONGO_DATABASE_HOST", &uri)]).await;
        check(&finished, 64, &["MONGO_DATABASE_HOST: ", part]);
    }
}
