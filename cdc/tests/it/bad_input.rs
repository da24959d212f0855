//! What a user can get wrong in settings and files gets a clear answer, and no secret is shown.

use crate::support::{Engine, check, output, run};

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
async fn a_mistyped_name_is_a_fault_in_dotenv_and_a_warning_in_the_environment() {
    let engine = Engine::spawn_with(&[], &[], |command| {
        let folder = command.get_current_dir().unwrap();
        std::fs::write(
            folder.join(".env"),
            "CDC_COLLECTION=games\nCDC_FORMAT=event\nCDC_FORMAT=document\nRABBITMQ_DEFAULT_PASSWORD=hunter2$ecret\n",
        )
        .unwrap();
    });
    let finished = engine.finish().await;
    check(
        &finished,
        64,
        &[
            ".env:1: CDC_COLLECTION is not a setting; did you mean CDC_COLLECTIONS?",
            ".env:3: CDC_FORMAT is set a second time, first on line 2",
            ".env:4: a `$` outside of single quotes",
        ],
    );
    assert!(!finished.log.contains("hunter2"), "{}", finished.log);

    let finished = run(&[
        ("CDC_COLLECTION", "games"),
        ("CDC_STARTUP_TIMEOUT_MS", "0"),
        ("MONGO_DATABASE_HOST", "mongodb://127.0.0.1:1"),
    ])
    .await;
    check(
        &finished,
        1,
        &[
            "WARN",
            "CDC_COLLECTION is not a setting and is ignored; did you mean CDC_COLLECTIONS?",
        ],
    );
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
async fn help_tells_every_setting_and_shows_no_value() {
    let password = ("RABBITMQ_DEFAULT_PASSWORD", "hunter2secret");
    let (finished, help) = output(&["--help"], &[password], |_| {}).await;
    assert_eq!(finished.code, Some(0));
    for name in [
        "RABBITMQ_DEFAULT_PASSWORD_FILE",
        "CDC_WINDOW_BYTES",
        "--env-file",
    ] {
        assert!(help.contains(name), "{help}");
    }
    assert!(!help.contains("hunter2secret"));
}
