//! Where settings come from: flags, the environment, `.env` or another file, files of secrets; and what is told of it.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Scenario, amqp_uri, check, mongo_uri, output};

/// Settings that end the engine at once if it gets as far as asking a server.
const NOWHERE: [(&str, &str); 2] = [
    ("MONGO_DATABASE_HOST", "mongodb://127.0.0.1:1"),
    ("CDC_STARTUP_TIMEOUT_MS", "0"),
];

#[tokio::test]
async fn secrets_from_files_open_both_servers() {
    let folder = tempfile::tempdir().unwrap();
    let mut scenario = Scenario::new("secret_files").await;
    for (variable, secret) in [
        ("MONGO_DATABASE_HOST", mongo_uri()),
        ("RABBITMQ_URI", amqp_uri()),
    ] {
        let path = folder.path().join(variable);
        fs::write(&path, secret + "\n").unwrap();
        let file = format!("{variable}_FILE");
        scenario.unset(variable).set(&file, path.to_str().unwrap());
    }
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_secret_in_a_file_that_cannot_be_used_is_named_and_not_shown() {
    let settings = [
        ("RABBITMQ_DEFAULT_PASSWORD", "hunter2secret"),
        ("RABBITMQ_DEFAULT_PASSWORD_FILE", "password"),
        ("RABBITMQ_URI_FILE", "hunter2missing"),
        ("MONGO_DATABASE_HOST_FILE", "empty"),
    ];
    let prepare = |folder: &std::path::Path| {
        fs::write(folder.join("password"), "hunter2file").unwrap();
        fs::write(folder.join("empty"), "\n").unwrap();
    };
    let (finished, _) = output(&[], &settings, prepare).await;
    let parts = [
        "RABBITMQ_DEFAULT_PASSWORD_FILE: RABBITMQ_DEFAULT_PASSWORD is given too",
        "RABBITMQ_URI_FILE: the file cannot be read: No such file",
        "MONGO_DATABASE_HOST_FILE: the file is empty",
    ];
    check(&finished, 64, &parts);
    assert!(!finished.log.contains("hunter2"), "{}", finished.log);
}

#[tokio::test]
async fn an_empty_value_is_a_fault_where_the_default_is_a_value() {
    let prepare = |folder: &std::path::Path| {
        fs::write(
            folder.join(".env"),
            "MONGO_DATABASE_NAME=\nCDC_COLLECTIONS=\n",
        )
        .unwrap();
    };
    let (finished, _) = output(&["--rabbitmq-queue-name", ""], &NOWHERE, prepare).await;
    let parts = [
        "MONGO_DATABASE_NAME: empty; leave it out for the default, `scrabble`",
        "RABBITMQ_QUEUE_NAME: empty; leave it out for the default, `test_queue`",
    ];
    check(&finished, 64, &parts);
    assert!(
        !finished.log.contains("CDC_COLLECTIONS"),
        "{}",
        finished.log
    );
}

#[tokio::test]
async fn another_file_is_read_instead_of_dotenv_wherever_it_is_named() {
    let prepare = |folder: &std::path::Path| {
        fs::write(folder.join(".env"), "CDC_FORMAT=xml\n").unwrap();
        fs::write(
            folder.join("shop.env"),
            "CDC_FORMAT=event\nCDC_PIPELINE=shop\n",
        )
        .unwrap();
    };
    for arguments in [
        &["--env-file", "shop.env", "config"][..],
        &["config", "--env-file=shop.env"],
        &["config", "--format=event", "--env-file", "shop.env"],
    ] {
        let (finished, text) = output(arguments, &[], prepare).await;
        check(&finished, 0, &[]);
        let line = lines_of(&text, "CDC_PIPELINE");
        assert_eq!(line, ["CDC_PIPELINE=shop # shop.env line 2"], "{text}");
    }
    let (finished, _) = output(&["--env-file=shop.env"], &NOWHERE, prepare).await;
    check(&finished, 1, &["mongodb"]);
}

#[tokio::test]
async fn a_file_that_was_named_has_to_be_there_and_named_once() {
    for (arguments, parts) in [
        (
            &["--env-file", "gone.env"][..],
            &["read `gone.env`: No such file"][..],
        ),
        (
            &["tail", "--env-file=gone.env"],
            &["read `gone.env`: No such file"],
        ),
        (
            &["--env-file=a", "--env-file=b"],
            &["--env-file is given twice"],
        ),
        (
            &["run", "--env-file"],
            &["--env-file <FILE>", "value is required"],
        ),
    ] {
        let (finished, _) = output(arguments, &[], |_| {}).await;
        check(&finished, 64, parts);
    }
    let prepare = |folder: &std::path::Path| {
        fs::write(folder.join("bad.env"), "\nCDC_FROMAT=event\n").unwrap();
    };
    let (finished, _) = output(&["--env-file", "bad.env"], &[], prepare).await;
    check(&finished, 64, &["bad.env:2: CDC_FROMAT is not a setting"]);
}

#[tokio::test]
async fn config_tells_each_setting_with_its_origin_and_no_secret() {
    let settings = [
        ("RABBITMQ_DEFAULT_PASSWORD", "hunter2secret"),
        ("CDC_JSON_MODE", "canonical"),
        ("RABBITMQ_URI_FILE", "uri"),
    ];
    let prepare = |folder: &std::path::Path| {
        let dotenv =
            "CDC_JSON_MODE=relaxed\n\nMONGO_DATABASE_HOST=mongodb://ada:hunter2@host/shop\n";
        fs::write(folder.join(".env"), dotenv).unwrap();
        fs::write(folder.join("uri"), "amqp://ada:hunter2@host").unwrap();
    };
    let (finished, text) = output(&["config", "--format", "event"], &settings, prepare).await;
    check(&finished, 0, &[]);
    let lines = lines_of(&text, "");
    for line in [
        "# MongoDB",
        "MONGO_DATABASE_HOST=(hidden) # .env line 3",
        "MONGO_DATABASE_NAME=shop # MONGO_DATABASE_HOST",
        "RABBITMQ_DEFAULT_PASSWORD=(hidden) # environment",
        "RABBITMQ_URI=(hidden) # RABBITMQ_URI_FILE",
        "RABBITMQ_URI_FILE=uri # environment",
        "CDC_JSON_MODE=canonical # environment",
        "CDC_FORMAT=event # flag",
        "CDC_WINDOW_EVENTS=1024 # default",
        "CDC_COLLECTIONS= # default: all",
    ] {
        assert!(
            lines.iter().any(|known| known == line),
            "no `{line}` in\n{text}"
        );
    }
    assert!(!(text + &finished.log).contains("hunter2"));
}

#[tokio::test]
async fn config_tells_the_settings_and_the_faults_of_a_bad_configuration() {
    let settings = [("CDC_FORMAT", "xml"), ("RABBITMQ_URI", "hunter2secret")];
    let (finished, text) = output(&["config", "--json"], &settings, |_| {}).await;
    check(
        &finished,
        64,
        &["CDC_FORMAT: `xml` is not one of", "RABBITMQ_URI: "],
    );
    assert!(!(text.clone() + &finished.log).contains("hunter2"));
    let told: Value = serde_json::from_str(&text).unwrap();
    let setting = |name: &str| {
        let all = told["settings"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap().clone()
    };
    let format = json!({
        "name": "CDC_FORMAT", "group": "Messages", "value": "xml", "secret": false, "from": "environment",
    });
    assert_eq!(setting("CDC_FORMAT"), format);
    let uri = setting("RABBITMQ_URI");
    assert_eq!(
        (&uri["value"], &uri["secret"]),
        (&Value::Null, &json!(true))
    );
    let faults = told["faults"].as_array().unwrap();
    let named: Vec<&Value> = faults.iter().map(|fault| &fault["setting"]).collect();
    assert_eq!(named, ["RABBITMQ_URI", "CDC_FORMAT"]);
}

#[tokio::test]
async fn a_database_in_the_connection_string_is_watched_or_its_difference_said() {
    let mut scenario = Scenario::new("path_database").await;
    let uri = mongo_uri().replace("/?", &format!("/{}?", scenario.name));
    scenario
        .set("MONGO_DATABASE_HOST", uri)
        .unset("MONGO_DATABASE_NAME");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    assert_eq!(engine.stop().await.code, Some(0));
    let difference = "the path of MONGO_DATABASE_HOST names the database `shop`";
    let settings = [
        ("MONGO_DATABASE_HOST", "mongodb://127.0.0.1:1/shop"),
        NOWHERE[1],
    ];
    let (finished, _) = output(&["--mongo-database-name=other"], &settings, |_| {}).await;
    check(&finished, 1, &["WARN", difference]);
}

/// The lines that begin so, with one space where there are several.
fn lines_of(text: &str, begin: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.starts_with(begin));
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    words.collect()
}
