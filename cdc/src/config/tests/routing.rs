//! Partitions, templates, and what messages have beside.

use super::*;
use crate::checkpoint::Target;

#[test]
fn partitions_have_a_queue_each_and_a_key_for_it() {
    let (config, _) = config(&[("CDC_PARTITIONS", "3")]);
    let targets = &config.publish.topology.targets;
    let names: Vec<&str> = targets.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["test_queue.0", "test_queue.1", "test_queue.2"]);
    let keys = config.encode.routing_key.known().unwrap();
    let keys: Vec<&str> = keys.iter().map(|key| &**key).collect();
    assert_eq!(keys, names);
    assert_eq!(config.encode.partitions.count(), 3);
    let scope = config.checkpoint.scope;
    let queue = Target::Queue("test_queue".to_owned());
    assert_eq!((scope.target, scope.partitions), (queue, 3));
    let typed = ("RABBITMQ_ROUTING_KEY", "test_queue.{partition}");
    assert!(Config::check(&given(&[("CDC_PARTITIONS", "3"), typed])).is_ok());
}

#[test]
fn partitions_behind_an_exchange_are_bound_each_to_its_own() {
    let all = [
        ("CDC_DECLARE", "all"),
        ("RABBITMQ_EXCHANGE", "changes"),
        ("CDC_PARTITIONS", "2"),
    ];
    let keys = |more: &[(&'static str, &str)]| {
        let (config, _) = config(&[&all, more].concat());
        let bindings = config.publish.topology.exchange.bindings;
        let keys = bindings.into_iter().map(|binding| binding.key);
        keys.collect::<Vec<_>>()
    };
    assert_eq!(keys(&[]), ["test_queue.0", "test_queue.1"]);
    assert_eq!(
        keys(&[("RABBITMQ_ROUTING_KEY", "p.{partition}")]),
        ["p.0", "p.1"]
    );
    let template = ("RABBITMQ_ROUTING_KEY", "{partition}.{collection}");
    let binding = ("CDC_BINDING_KEY", "{partition}.#");
    assert_eq!(keys(&[template, binding]), ["0.#", "1.#"]);
    assert_eq!(keys(&[("CDC_EXCHANGE_TYPE", "headers")]), ["", ""]);
    for (more, part) in [
        (&[template][..], "CDC_BINDING_KEY: what a partition has"),
        (
            &[template, ("CDC_BINDING_KEY", "#")],
            "CDC_BINDING_KEY: it is the same",
        ),
        (
            &[("CDC_EXCHANGE_TYPE", "fanout")],
            "CDC_EXCHANGE_TYPE: a fanout exchange",
        ),
        (
            &[("CDC_EXCHANGE_TYPE", "x-consistent-hash")],
            "CDC_EXCHANGE_TYPE: a x-cons",
        ),
        (
            &[("RABBITMQ_ROUTING_KEY", "{collection}")],
            "RABBITMQ_ROUTING_KEY: it is the same",
        ),
    ] {
        let text = faults(&[&all, more].concat());
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn what_names_a_partition_without_partitions_or_a_queue_too_long_is_refused() {
    let exchange = ("RABBITMQ_EXCHANGE", "changes");
    let text = faults(&[exchange, ("RABBITMQ_ROUTING_KEY", "{partition}")]);
    assert!(text.contains("CDC_PARTITIONS, which is not set"), "{text}");
    let long = "q".repeat(252);
    let queue = ("RABBITMQ_QUEUE_NAME", long.as_str());
    let text = faults(&[queue, ("CDC_PARTITIONS", "256")]);
    assert!(text.contains("RABBITMQ_QUEUE_NAME: `qq"), "{text}");
    assert!(Config::check(&given(&[queue, ("CDC_PARTITIONS", "10")])).is_ok());
    for count in ["0", "257", "many"] {
        let text = faults(&[("CDC_PARTITIONS", count)]);
        assert!(text.contains("CDC_PARTITIONS: `"), "{text}");
    }
}

#[test]
fn a_template_that_cannot_work_is_refused() {
    for (variable, template, part) in [
        (
            "RABBITMQ_ROUTING_KEY",
            "{table}",
            "`{table}` is not one of {database}",
        ),
        (
            "RABBITMQ_ROUTING_KEY",
            "{document.}",
            "`{document.}` is not one of",
        ),
        ("RABBITMQ_ROUTING_KEY", "a{key", "a brace has no partner"),
        (
            "CDC_HEADERS",
            "{\"a\": \"{table}\"}",
            "`a`: `{table}` is not one of {database}",
        ),
    ] {
        let text = faults(&[("RABBITMQ_EXCHANGE", "changes"), (variable, template)]);
        assert!(
            text.contains(&format!("{variable}: {part}")) || text.contains(part),
            "{text}"
        );
    }
}

#[test]
fn what_expires_is_said() {
    let (config, _) = config(&[
        ("CDC_MESSAGE_TTL_MS", "60000"),
        ("CDC_MESSAGE_PRIORITY", "9"),
    ]);
    assert!(
        config.doubts.concat().contains("60000 ms"),
        "{:?}",
        config.doubts
    );
    let marks = config.publish.marks;
    assert_eq!(
        (marks.expiration_ms, marks.priority),
        (Some(60_000), Some(9))
    );
    assert!(faults(&[("CDC_MESSAGE_TTL_MS", "0")]).contains("CDC_MESSAGE_TTL_MS"));
    assert!(faults(&[("CDC_MESSAGE_PRIORITY", "256")]).contains("CDC_MESSAGE_PRIORITY"));
}
