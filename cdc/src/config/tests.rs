mod routing;

use std::num::NonZeroU32;

use super::*;
use crate::{
    encode::JsonMode,
    event::Operation,
    snapshot::{OnRenameIn, When},
    source::{HistoryLost, Operations},
};

fn given(values: &[(&'static str, &str)]) -> Given {
    let typed = values.iter().map(|(variable, text)| {
        let (text, origin) = ((*text).to_owned(), Origin::Environment);
        (*variable, Value { text, origin })
    });
    typed.collect()
}

fn config(values: &[(&'static str, &str)]) -> (Config, LogConfig) {
    Config::check(&given(values)).unwrap()
}

fn faults(values: &[(&'static str, &str)]) -> String {
    Config::check(&given(values))
        .expect_err("a bad configuration")
        .to_string()
}

#[test]
fn nothing_set_means_the_documented_defaults() {
    let (config, log) = config(&[]);
    assert_eq!(config.source.scope.databases.one(), Some("scrabble"));
    assert!(config.source.scope.collections.is_empty());
    let inserts = Operations::Some(vec![Operation::Insert]);
    assert_eq!(config.source.scope.operations, inserts);
    assert_eq!(config.checkpoint.database, "cdc");
    assert_eq!(config.checkpoint.pipeline, "default");
    assert_eq!(config.publish.broker.address(), "localhost:5673");
    assert_eq!(config.publish.topology.targets[0].name, "test_queue");
    assert_eq!(config.publish.topology.exchange.name, "");
    assert_eq!(
        config.encode.routing_key,
        encode::RoutingKey::parse("test_queue").unwrap()
    );
    let shape = format!("{:?}", config.encode.shape);
    assert_eq!(
        (shape.as_str(), config.encode.mode),
        ("Document", JsonMode::Relaxed)
    );
    assert_eq!(config.startup_timeout, Duration::from_secs(30));
    assert_eq!(
        (log.format, log.filter.text.as_str()),
        (LogFormat::Text, "info")
    );
}

#[test]
fn an_empty_value_means_none_and_is_a_fault_where_the_default_is_a_value() {
    let (config, _) = config(&[
        ("CDC_COLLECTIONS", ""),
        ("RABBITMQ_EXCHANGE", " "),
        ("RABBITMQ_ROUTING_KEY", ""),
        ("RABBITMQ_URI", ""),
        ("RABBITMQ_URI_FILE", ""),
    ]);
    assert!(config.source.scope.collections.is_empty());
    assert_eq!(config.publish.topology.exchange.name, "");
    assert_eq!(config.publish.broker.address(), "localhost:5673");
    let text = faults(&[
        ("MONGO_DATABASE_NAME", ""),
        ("RABBITMQ_PORT", "  "),
        ("RABBITMQ_DEFAULT_PASSWORD", ""),
        ("CDC_OPERATIONS", ""),
    ]);
    for part in [
        "MONGO_DATABASE_NAME: empty; leave it out for the default, `scrabble`",
        "RABBITMQ_PORT: empty; ",
        "RABBITMQ_DEFAULT_PASSWORD: empty; ",
        "CDC_OPERATIONS: empty; ",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn the_admin_port_is_on_loopback_unless_told_otherwise_or_off() {
    let address = |text: Option<&str>| {
        let given: Vec<_> = text
            .map(|text| ("CDC_ADMIN_ADDR", text))
            .into_iter()
            .collect();
        let (config, _) = config(&given);
        config.admin.address.map(|address| address.to_string())
    };
    assert_eq!(address(None).as_deref(), Some("127.0.0.1:9464"));
    assert_eq!(address(Some("[::1]:0")).as_deref(), Some("[::1]:0"));
    assert_eq!(address(Some("off")), None);
}

#[test]
fn an_admin_port_that_other_machines_reach_has_a_token_or_says_that_anyone_may_ask() {
    for address in ["0.0.0.0:9464", "[::]:0", "10.1.2.3:9464"] {
        let given = ("CDC_ADMIN_ADDR", address);
        let text = faults(&[given]);
        for part in [
            "CDC_ADMIN_ADDR: ",
            "CDC_ADMIN_TOKEN",
            "CDC_ADMIN_ALLOW_ANYONE=on",
        ] {
            assert!(text.contains(part), "no `{part}` in:\n{text}");
        }
        let (closed, _) = config(&[given, ("CDC_ADMIN_TOKEN", "0123456789abcdef")]);
        assert!(closed.admin.access.token.is_some());
        let (open, _) = config(&[given, ("CDC_ADMIN_ALLOW_ANYONE", "on")]);
        assert!(open.admin.access.token.is_none());
    }
    let (mapped, _) = config(&[("CDC_ADMIN_ADDR", "[::ffff:127.0.0.1]:0")]);
    assert!(mapped.admin.address.is_some());
}

#[test]
fn a_token_is_in_no_fault() {
    let text = faults(&[("CDC_ADMIN_TOKEN", "hunter2 hunter2 hunter2")]);
    assert!(
        text.contains("CDC_ADMIN_TOKEN: ") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn lists_lose_white_space_and_repetitions() {
    let (config, _) = config(&[
        ("CDC_COLLECTIONS", " moves, games,,moves "),
        ("CDC_OPERATIONS", "delete, insert,delete"),
    ]);
    let collections = &config.source.scope.collections;
    assert!(collections.texts().eq(["games", "moves"]));
    assert_eq!(config.source.scope.operations.names().len(), 2);
}

#[test]
fn a_list_of_nothing_but_commas_is_a_fault() {
    assert!(faults(&[("CDC_OPERATIONS", ", ,")]).contains("CDC_OPERATIONS: names no operation"));
    assert!(faults(&[("CDC_COLLECTIONS", ", ,")]).contains("CDC_COLLECTIONS: names nothing"));
}

#[test]
fn what_a_snapshot_does_is_no_operation_to_choose() {
    let text = faults(&[("CDC_OPERATIONS", "insert,read")]);
    let part = "CDC_OPERATIONS: `read` is no operation of a change stream";
    assert!(text.contains(part), "no `{part}` in:\n{text}");
}

#[test]
fn collections_are_told_by_the_database_that_is_watched() {
    let watched = ("MONGO_DATABASE_NAME", "shop");
    let (config, _) = config(&[watched, ("CDC_COLLECTIONS", "shop.games, or?ers_*, a.b")]);
    let collections = &config.source.scope.collections;
    assert!(collections.texts().eq(["a.b", "games", "or?ers_*"]));
    let text = faults(&[watched, ("CDC_COLLECTIONS", "shop.,a$b,games")]);
    assert_eq!(text.matches("CDC_COLLECTIONS: `").count(), 2, "{text}");
}

#[test]
fn a_fault_of_a_secret_from_a_file_names_the_setting_of_the_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "http://ada:hunter2@host").unwrap();
    let text = faults(&[("RABBITMQ_URI_FILE", file.path().to_str().unwrap())]);
    assert!(
        text.contains("RABBITMQ_URI_FILE: not an amqp:// or amqps:// URI"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn the_uri_wins_over_its_parts() {
    let (config, _) = config(&[
        ("RABBITMQ_HOST", "elsewhere"),
        ("RABBITMQ_URI", "amqps://ada:secret@broker.example/%2fgames"),
    ]);
    assert_eq!(config.publish.broker.address(), "broker.example:5671");
    assert_eq!(config.publish.broker.vhost(), "/games");
}

#[test]
fn an_ipv6_address_in_the_uri_is_not_taken_for_localhost() {
    let (config, _) = config(&[("RABBITMQ_URI", "amqp://ada:secret@[::1]:5679/")]);
    assert_eq!(config.publish.broker.address(), "[::1]:5679");
    assert_eq!(config.publish.broker.vhost(), "/");
}

#[test]
fn no_secret_shows_in_a_fault_or_in_debug_output() {
    let text = faults(&[
        ("MONGO_DATABASE_HOST", "mongodb://ada:hunter2%zz@host:port"),
        ("RABBITMQ_URI", "amqp://ada:hunter2@host:port/"),
    ]);
    assert!(
        text.contains("MONGO_DATABASE_HOST") && text.contains("RABBITMQ_URI"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");

    let (config, _) = config(&[
        ("MONGO_DATABASE_HOST", "mongodb://ada:hunter2@host"),
        ("RABBITMQ_DEFAULT_PASSWORD", "hunter2"),
    ]);
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_password_keeps_its_white_space() {
    assert!(Config::check(&given(&[("RABBITMQ_DEFAULT_PASSWORD", " ")])).is_ok());
}

#[test]
fn databases_that_cannot_be_watched_are_refused() {
    for name in [
        "a.b",
        "a b",
        "a$b",
        "admin",
        "local",
        "config",
        &"x".repeat(64),
    ] {
        assert!(
            faults(&[("MONGO_DATABASE_NAME", name)]).contains("MONGO_DATABASE_NAME"),
            "{name}"
        );
    }
}

#[test]
fn numbers_have_their_bounds_in_the_fault() {
    let text = faults(&[
        ("CDC_WINDOW_EVENTS", "65537"),
        ("CDC_WINDOW_BYTES", "-1"),
        ("RABBITMQ_PORT", "70000"),
    ]);
    for part in [
        "from 1 to 65536",
        "CDC_WINDOW_BYTES: `-1`",
        "RABBITMQ_PORT: `70000` is not a whole number from 1 to 65535",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn the_hosts_may_be_several_and_have_ports_of_their_own() {
    let (config, _) = config(&[("RABBITMQ_HOST", "a.example, [::1]:5672,::1")]);
    assert_eq!(
        config.publish.broker.address(),
        "a.example:5673,[::1]:5672,[::1]:5673"
    );
    let text = faults(&[("RABBITMQ_HOST", "amqp://a")]);
    assert!(
        text.contains("RABBITMQ_HOST: not hosts") && text.contains("RABBITMQ_URI"),
        "{text}"
    );
}

#[test]
fn several_nodes_in_the_uri_share_user_and_virtual_host() {
    let (config, _) = config(&[("RABBITMQ_URI", "amqp://ada:secret@a,b:5673/games")]);
    assert_eq!(config.publish.broker.address(), "a:5672,b:5673");
    assert_eq!(config.publish.broker.vhost(), "games");
}

#[test]
fn names_over_255_bytes_are_refused() {
    assert!(
        faults(&[("RABBITMQ_QUEUE_NAME", &"q".repeat(256))])
            .contains("RABBITMQ_QUEUE_NAME: 256 bytes long")
    );
}

#[test]
fn what_is_wrong_with_the_parts_of_a_uri_that_is_set_does_not_matter() {
    // What Kubernetes sets for a service of this name.
    let parts = ("RABBITMQ_PORT", "tcp://10.0.0.1:5672");
    assert!(faults(&[parts]).contains("RABBITMQ_PORT"));
    let (config, _) = config(&[parts, ("RABBITMQ_URI", "amqp://broker.example")]);
    assert_eq!(config.publish.broker.address(), "broker.example:5672");
}

#[test]
fn only_the_default_servers_of_this_machine_are_the_defaults() {
    for address in [
        "localhost:5673",
        "localhost:30001,localhost:30002,localhost:30003",
    ] {
        assert!(are_defaults(address), "{address}");
    }
    for address in [
        "localhost:5672",
        "localhost:30001,db.example:30002",
        "localhost:3000",
    ] {
        assert!(!are_defaults(address), "{address}");
    }
}

#[test]
fn unacknowledged_writes_are_a_fault_of_the_connection_string() {
    let text = faults(&[(
        "MONGO_DATABASE_HOST",
        "mongodb://ada:hunter2@a.example/?w=0",
    )]);
    assert!(
        text.contains("MONGO_DATABASE_HOST: `w=0` leaves writes unacknowledged"),
        "{text}"
    );
}

#[test]
fn with_the_default_exchange_a_routing_key_that_is_not_the_queue_is_refused() {
    for key in ["{database}.{collection}", "other"] {
        let text = faults(&[("RABBITMQ_ROUTING_KEY", key)]);
        assert!(
            text.contains("RABBITMQ_ROUTING_KEY: the default exchange"),
            "{text}"
        );
    }
    let same = ("RABBITMQ_ROUTING_KEY", "test_queue");
    assert!(Config::check(&given(&[same])).is_ok());
    let braces = ("RABBITMQ_QUEUE_NAME", "a{b");
    assert!(Config::check(&given(&[braces])).is_ok());
}

#[test]
fn the_type_among_the_arguments_is_the_queues_type_or_a_fault() {
    let arguments = ("CDC_QUEUE_ARGUMENTS", r#"{"x-queue-type": "quorum"}"#);
    let (config, _) = config(&[arguments]);
    let kind = config.publish.topology.targets[0].kind;
    assert_eq!(kind, Some(crate::rabbitmq::QueueType::Quorum));
    let text = faults(&[arguments, ("CDC_QUEUE_TYPE", "classic")]);
    assert!(text.contains("contradicts CDC_QUEUE_TYPE"), "{text}");
}

#[test]
fn a_queue_that_is_declared_with_its_exchange_is_bound_by_what_is_published() {
    let binding = |more: &[(&'static str, &str)]| {
        let all = [("CDC_DECLARE", "all"), ("RABBITMQ_EXCHANGE", "changes")];
        let (config, _) = config(&[&all, more].concat());
        config.publish.topology.exchange.bindings[0].key.clone()
    };
    assert_eq!(binding(&[]), "#");
    let direct = ("CDC_EXCHANGE_TYPE", "direct");
    assert_eq!(binding(&[direct]), "test_queue");
    assert_eq!(binding(&[direct, ("RABBITMQ_ROUTING_KEY", "a")]), "a");
    assert_eq!(binding(&[("CDC_EXCHANGE_TYPE", "fanout")]), "");
    assert_eq!(binding(&[("CDC_BINDING_KEY", "a.*")]), "a.*");
    let text = faults(&[
        ("CDC_DECLARE", "all"),
        ("RABBITMQ_EXCHANGE", "changes"),
        direct,
        ("RABBITMQ_ROUTING_KEY", "{collection}"),
    ]);
    assert!(
        text.contains("RABBITMQ_ROUTING_KEY: a direct exchange"),
        "{text}"
    );
}

/// The shape that `values` choose, as its `Debug` shows it.
fn shape(values: &[(&'static str, &str)]) -> String {
    let (config, _) = config(values);
    format!("{:?}", config.encode.shape)
}

#[test]
fn each_format_has_its_shape_with_its_own_settings() {
    for (format, wanted) in [
        ("event", "Event"),
        ("bson", "RawEvent"),
        (
            "debezium",
            r#"Debezium(Options { name: "orders", has_schema: false })"#,
        ),
        (
            "cloudevents",
            "CloudEvents(Options { mode: Structured, prefix: Colon, source: None })",
        ),
    ] {
        let values = [("CDC_FORMAT", format), ("CDC_PIPELINE", "orders")];
        assert_eq!(shape(&values), wanted);
    }
    let debezium = shape(&[
        ("CDC_FORMAT", "debezium"),
        ("CDC_DEBEZIUM_NAME", "shop"),
        ("CDC_DEBEZIUM_SCHEMA", "on"),
    ]);
    assert_eq!(
        debezium,
        r#"Debezium(Options { name: "shop", has_schema: true })"#
    );
    let cloudevents = shape(&[
        ("CDC_FORMAT", "cloudevents"),
        ("CDC_CLOUDEVENTS_MODE", "binary"),
        ("CDC_CLOUDEVENTS_PREFIX", "ce-"),
        ("CDC_CLOUDEVENTS_SOURCE", "/shop"),
    ]);
    assert_eq!(
        cloudevents,
        r#"CloudEvents(Options { mode: Binary, prefix: Dash, source: Some("/shop") })"#
    );
}

#[test]
fn a_header_that_would_replace_an_attribute_is_a_fault() {
    let values = [
        ("CDC_FORMAT", "cloudevents"),
        ("CDC_CLOUDEVENTS_MODE", "binary"),
        ("CDC_CLOUDEVENTS_PREFIX", "ce-"),
        (
            "CDC_HEADERS",
            r#"{"ce-id": "{key}", "cloudEvents:id": "x"}"#,
        ),
    ];
    let text = faults(&values);
    assert!(text.contains("CDC_HEADERS: `ce-id`"), "{text}");
    assert!(!text.contains("cloudEvents:id"), "{text}");
    config(&values[1..3]);
}

#[test]
fn an_operation_that_the_format_has_no_body_for_is_a_fault() {
    let documents = "insert,update,replace,delete";
    let values = |operations| [("CDC_FORMAT", "debezium"), ("CDC_OPERATIONS", operations)];
    config(&values(documents));
    for (operations, untold) in [
        ("insert,rename,drop", "drop, rename;"),
        ("all", "create, drop, rename,"),
    ] {
        let text = faults(&values(operations));
        let part = format!("has no body for {untold}");
        assert!(text.contains(&part), "no `{part}` in:\n{text}");
    }
    config(&[
        ("CDC_FORMAT", "cloudevents"),
        ("CDC_OPERATIONS", "insert,rename,drop"),
    ]);
}

#[test]
fn settings_of_a_format_are_checked_whatever_the_format() {
    let text = faults(&[
        ("CDC_FORMAT", "avro"),
        ("CDC_DEBEZIUM_SCHEMA", "yes"),
        ("CDC_CLOUDEVENTS_MODE", "batched"),
        ("CDC_CLOUDEVENTS_PREFIX", "ce"),
        ("CDC_CLOUDEVENTS_SOURCE", "a b"),
    ]);
    for part in [
        "CDC_FORMAT: `avro` is not one of document, event, debezium, cloudevents, bson",
        "CDC_DEBEZIUM_SCHEMA: `yes` is not one of off, on",
        "CDC_CLOUDEVENTS_MODE: `batched` is not one of structured, binary",
        "CDC_CLOUDEVENTS_PREFIX: `ce` is not one of cloudEvents:, cloudEvents_, ce-",
        "CDC_CLOUDEVENTS_SOURCE: `a b` is no URI reference: ` ` has to be percent-encoded",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn snapshots_are_off_and_a_pipeline_may_begin_with_one() {
    let (none, _) = config(&[]);
    let expected = stage::Options {
        when: When::Never,
        rate: None,
        on_rename_in: OnRenameIn::Event,
    };
    assert_eq!(none.snapshot, expected);
    let (all, _) = config(&[
        ("CDC_SNAPSHOT", "initial"),
        ("CDC_SNAPSHOT_RATE", "2000"),
        ("CDC_ON_RENAME_IN", "snapshot"),
        ("CDC_ON_HISTORY_LOST", "snapshot"),
    ]);
    let expected = stage::Options {
        when: When::Initial,
        rate: NonZeroU32::new(2000),
        on_rename_in: OnRenameIn::Snapshot,
    };
    assert_eq!(all.snapshot, expected);
    assert_eq!(all.source.on_history_lost, HistoryLost::Snapshot);
    let text = faults(&[("CDC_SNAPSHOT", "always"), ("CDC_SNAPSHOT_RATE", "0")]);
    for part in [
        "CDC_SNAPSHOT: `always` is not one of never, initial",
        "CDC_SNAPSHOT_RATE: `0` is not a whole number from 1",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn what_is_read_beside_changes_does_not_go_with_stages_of_the_change_stream() {
    let stages = ("CDC_AGGREGATION", r#"[{"$match": {"a": 1}}]"#);
    for (variable, value) in [
        ("CDC_SNAPSHOT", "initial"),
        ("CDC_ON_RENAME_IN", "snapshot"),
        ("CDC_ON_HISTORY_LOST", "snapshot"),
    ] {
        let text = faults(&[stages, (variable, value)]);
        assert!(
            text.starts_with(&format!("  {variable}: documents that are read")),
            "{text}"
        );
    }
    let (config, _) = config(&[
        stages,
        ("CDC_SNAPSHOT_RATE", "10"),
        ("CDC_ON_HISTORY_LOST", "skip"),
    ]);
    assert!(!config.source.scope.aggregation.is_empty());
}
