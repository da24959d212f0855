use std::collections::BTreeSet;

use super::*;

fn args() -> RunArgs {
    RunArgs::default()
}

fn faults(args: &RunArgs) -> String {
    Config::check(args)
        .expect_err("a bad configuration")
        .to_string()
}

#[test]
fn nothing_set_means_the_documented_defaults() {
    let (config, log) = Config::check(&args()).unwrap();
    assert_eq!(config.source.scope.database, "scrabble");
    assert!(config.source.scope.collections.is_empty());
    assert_eq!(config.source.scope.operations, [Operation::Insert]);
    assert_eq!(config.checkpoint.database, "cdc");
    assert_eq!(config.checkpoint.pipeline, "default");
    assert_eq!(config.publish.broker.address(), "localhost:5673");
    assert_eq!(config.publish.topology.queue.name, "test_queue");
    assert_eq!(config.publish.topology.exchange, "");
    assert_eq!(
        config.encode.routing_key,
        RoutingKey::parse("test_queue").unwrap()
    );
    assert_eq!(
        (config.encode.format, config.encode.mode),
        (Format::Document, JsonMode::Relaxed)
    );
    assert_eq!(config.startup_timeout, Duration::from_secs(30));
    assert_eq!((log.format, log.filter.as_str()), (LogFormat::Text, "info"));
}

#[test]
fn an_empty_or_blank_value_counts_as_unset() {
    let mut args = args();
    args.engine.pipeline = Some(String::new());
    args.rabbit.rabbitmq_port = Some("  ".to_owned());
    args.mongo.operations = Some(String::new());
    let (config, _) = Config::check(&args).unwrap();
    assert_eq!(config.checkpoint.pipeline, "default");
    assert_eq!(config.publish.broker.address(), "localhost:5673");
    assert_eq!(config.source.scope.operations, [Operation::Insert]);
}

#[test]
fn the_admin_port_is_on_loopback_unless_told_otherwise_or_off() {
    let address = |text: Option<&str>| {
        let mut args = args();
        args.engine.admin_addr = text.map(str::to_owned);
        let (config, _) = Config::check(&args).unwrap();
        config.admin.map(|address| address.to_string())
    };
    assert_eq!(address(None).as_deref(), Some("127.0.0.1:9464"));
    assert_eq!(address(Some("[::]:0")).as_deref(), Some("[::]:0"));
    assert_eq!(address(Some("off")), None);
}

#[test]
fn lists_lose_white_space_and_repetitions() {
    let mut args = args();
    args.mongo.collections = Some(" moves, games,,moves ".to_owned());
    args.mongo.operations = Some("delete, insert,delete".to_owned());
    let (config, _) = Config::check(&args).unwrap();
    assert_eq!(
        config.source.scope.collections,
        BTreeSet::from(["games", "moves"].map(str::to_owned))
    );
    assert_eq!(config.source.scope.operations.len(), 2);
}

#[test]
fn a_list_of_nothing_but_commas_names_no_operation() {
    let mut args = args();
    args.mongo.operations = Some(", ,".to_owned());
    assert!(faults(&args).contains("CDC_OPERATIONS: names no operation"));
}

#[test]
fn the_uri_wins_over_its_parts() {
    let mut args = args();
    args.rabbit.rabbitmq_host = Some("elsewhere".to_owned());
    args.rabbit.rabbitmq_uri = Some("amqps://ada:secret@broker.example/%2fgames".to_owned());
    let (config, _) = Config::check(&args).unwrap();
    assert_eq!(config.publish.broker.address(), "broker.example:5671");
    assert_eq!(config.publish.broker.vhost(), "/games");
}

#[test]
fn an_ipv6_address_in_the_uri_is_not_taken_for_localhost() {
    let mut args = args();
    args.rabbit.rabbitmq_uri = Some("amqp://ada:secret@[::1]:5679/".to_owned());
    let (config, _) = Config::check(&args).unwrap();
    assert_eq!(config.publish.broker.address(), "::1:5679");
    assert_eq!(config.publish.broker.vhost(), "/");
}

#[test]
fn no_secret_shows_in_a_fault_or_in_debug_output() {
    let mut args = args();
    args.mongo.mongo_database_host = Some("mongodb://ada:hunter2%zz@host:port".to_owned());
    args.rabbit.rabbitmq_uri = Some("amqp://ada:hunter2@host:port/".to_owned());
    let text = faults(&args);
    assert!(
        text.contains("MONGO_DATABASE_HOST") && text.contains("RABBITMQ_URI"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");

    let mut args = super::RunArgs::default();
    args.mongo.mongo_database_host = Some("mongodb://ada:hunter2@host".to_owned());
    args.rabbit.rabbitmq_default_password = Some("hunter2".to_owned());
    let (config, _) = Config::check(&args).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_password_keeps_its_white_space() {
    let mut args = args();
    args.rabbit.rabbitmq_default_password = Some(" ".to_owned());
    assert!(Config::check(&args).is_ok());
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
        let mut args = args();
        args.mongo.mongo_database_name = Some(name.to_owned());
        assert!(faults(&args).contains("MONGO_DATABASE_NAME"), "{name}");
    }
}

#[test]
fn numbers_have_their_bounds_in_the_fault() {
    let mut args = args();
    args.engine.window_events = Some("65537".to_owned());
    args.engine.window_bytes = Some("-1".to_owned());
    args.rabbit.rabbitmq_port = Some("70000".to_owned());
    let text = faults(&args);
    for part in [
        "from 1 to 65536",
        "CDC_WINDOW_BYTES: `-1`",
        "RABBITMQ_PORT: `70000` is not a whole number from 1 to 65535",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn a_host_with_a_port_is_pointed_to_the_right_variable() {
    let mut args = args();
    args.rabbit.rabbitmq_host = Some("localhost:5672".to_owned());
    assert!(faults(&args).contains("RABBITMQ_HOST: not a host name"));
}

#[test]
fn names_over_255_bytes_are_refused() {
    let mut args = args();
    args.rabbit.rabbitmq_queue_name = Some("q".repeat(256));
    assert!(faults(&args).contains("RABBITMQ_QUEUE_NAME: 256 bytes long"));
}
