//! Where messages go on the broker, and what is declared for it.

use lapin::types::AMQPValue;

use super::{
    Faults,
    kind::Kind,
    settings::{Declarations, Messages, Rabbit, Streams},
};
use crate::{
    encode::RoutingKey,
    rabbitmq::{Arguments, Binding, Exchange, Queue, QueueType, Topology},
};

/// Longest name of a queue in bytes.
const NAME_BYTES_MAX: usize = 255;
/// Why a direct exchange and a template do not go together.
const ONE_KEY: &str = "a direct exchange takes messages to a queue by one routing key, and this template has many; set \
     CDC_EXCHANGE_TYPE to topic, or CDC_BINDING_KEY to one of them";
const TELLS_APART: &str = "set it to topic, direct or headers, or leave CDC_PARTITIONS out";
const SAME_KEY: &str = "it is the same for every partition, so that each queue would have everything: put `{partition}` \
     into it";
const MANY_KEYS: &str = "what a partition has cannot be told from this RABBITMQ_ROUTING_KEY: set it to a key with \
     `{partition}`, such as `{partition}.#` where routing keys begin with it";

/// The type of an exchange.
pub(super) fn exchange_type() -> Kind<String> {
    Kind::new("", |text| match text {
        "topic" | "direct" | "fanout" | "headers" => Ok(text.to_owned()),
        _ if text.starts_with("x-") && text.len() <= 255 => Ok(text.to_owned()),
        _ => Err(format!(
            "`{text}` is not one of topic, direct, fanout, headers, and does not begin with x-"
        )),
    })
}

pub(super) fn topology(
    rabbit: &Rabbit,
    messages: &Messages,
    (declarations, streams): (&Declarations, &Streams),
    parks: bool,
    faults: &mut Faults,
) -> Topology {
    let mut queue = queue(rabbit);
    queue.arguments = declarations.queue_arguments.clone();
    take_type(&mut queue, faults);
    streams.declare(queue.kind, &mut queue.arguments, faults);
    let parking = parks.then(|| parking(&queue, faults));
    let mut topology = Topology {
        exchange: Exchange {
            name: messages.exchange.clone(),
            kind: declarations.exchange_type.clone(),
            arguments: declarations.exchange_arguments.clone(),
            bindings: Vec::new(),
        },
        targets: targets(&queue, messages.partitions, faults),
        parking,
        declare: declarations.declare,
    };
    if topology.is_bound() {
        topology.exchange.bindings = bindings(rabbit, messages, declarations, faults);
    }
    topology
}

/// The queue, without arguments of its own.
pub(super) fn queue(rabbit: &Rabbit) -> Queue {
    Queue {
        name: rabbit.queue.clone(),
        kind: rabbit.queue_type,
        arguments: Arguments::default(),
    }
}

/// The queue, or one for each partition.
fn targets(queue: &Queue, partitions: u16, faults: &mut Faults) -> Vec<Queue> {
    if partitions == 1 {
        return vec![queue.clone()];
    }
    let each = (0..partitions).map(|number| Queue {
        name: format!("{}.{number}", queue.name),
        ..queue.clone()
    });
    let targets: Vec<Queue> = each.collect();
    if let Some(last) = targets
        .last()
        .filter(|last| NAME_BYTES_MAX < last.name.len())
    {
        let text = format!(
            "`{}`, the queue of a partition, is longer than 255 bytes",
            last.name
        );
        faults.add("RABBITMQ_QUEUE_NAME", text);
    }
    targets
}

/// A type among the arguments is the queue's type.
fn take_type(queue: &mut Queue, faults: &mut Faults) {
    let Some(name) = queue.arguments.text("x-queue-type") else {
        return;
    };
    let named = QueueType::NAMES.iter().find(|(known, _)| *known == name);
    let named = named.map(|(_, kind)| *kind);
    if queue.kind.is_some() && queue.kind != named {
        let fault = format!("its x-queue-type `{name}` contradicts CDC_QUEUE_TYPE");
        faults.add("CDC_QUEUE_ARGUMENTS", fault);
    }
    queue.kind = named;
}

/// The queue for what is parked. A stream has none of its own kind: what is parked is to be taken out.
fn parking(queue: &Queue, faults: &mut Faults) -> Queue {
    let name = format!("{}.parked", queue.name);
    if name.len() > NAME_BYTES_MAX {
        let text = format!("`{name}`, the queue for what is parked, is longer than 255 bytes");
        faults.add("RABBITMQ_QUEUE_NAME", text);
    }
    Queue {
        name,
        kind: queue.kind.filter(|kind| *kind != QueueType::Stream),
        arguments: Arguments::default(),
    }
}

/// How each queue is bound: by the key that was given, else by one by which everything comes that is published for it.
fn bindings(
    rabbit: &Rabbit,
    messages: &Messages,
    declarations: &Declarations,
    faults: &mut Faults,
) -> Vec<Binding> {
    if messages.partitions == 1 {
        let key = binding_key(rabbit, messages, declarations, faults);
        return vec![of_key(key)];
    }
    match declarations.exchange_type.as_str() {
        "headers" => (0..messages.partitions).map(of_number).collect(),
        kind @ ("fanout" | "x-consistent-hash") => {
            let fault = format!("a {kind} exchange does not tell partitions apart; {TELLS_APART}");
            faults.add("CDC_EXCHANGE_TYPE", fault);
            Vec::new()
        }
        _ => {
            let keys = partition_keys(rabbit, messages, declarations, faults);
            keys.into_iter().map(of_key).collect()
        }
    }
}

fn of_key(key: String) -> Binding {
    let arguments = Arguments::default();
    Binding { key, arguments }
}

/// By the header that has the partition's number.
fn of_number(number: u16) -> Binding {
    let number = AMQPValue::LongLongInt(number.into());
    let all = AMQPValue::LongString("all".into());
    let arguments = [("x-match", all), ("cdc-partition", number)];
    let arguments = arguments.map(|(name, value)| (name.to_owned(), value));
    Binding {
        key: String::new(),
        arguments: arguments.into_iter().collect(),
    }
}

fn partition_keys(
    rabbit: &Rabbit,
    messages: &Messages,
    declarations: &Declarations,
    faults: &mut Faults,
) -> Vec<String> {
    const PARTITION: &str = "{partition}";
    let numbers = 0..messages.partitions;
    if let Some(key) = &declarations.binding_key {
        if !key.contains(PARTITION) {
            faults.add("CDC_BINDING_KEY", SAME_KEY);
        }
        return numbers
            .map(|number| key.replace(PARTITION, &number.to_string()))
            .collect();
    }
    let by_queue = RoutingKey::of_queue(&rabbit.queue, messages.partitions);
    let key = messages.routing_key.clone().unwrap_or(by_queue);
    let key = key.over(messages.partitions);
    let Some(keys) = key.known() else {
        faults.add("CDC_BINDING_KEY", MANY_KEYS);
        return Vec::new();
    };
    keys.iter().map(ToString::to_string).collect()
}

/// The key that was given, else one by which everything comes that is published.
fn binding_key(
    rabbit: &Rabbit,
    messages: &Messages,
    declarations: &Declarations,
    faults: &mut Faults,
) -> String {
    if let Some(key) = &declarations.binding_key {
        return key.clone();
    }
    match declarations.exchange_type.as_str() {
        "topic" => "#".to_owned(),
        "direct" => match &messages.routing_key {
            None => rabbit.queue.clone(),
            Some(key) => key.known().map_or_else(
                || {
                    faults.add("RABBITMQ_ROUTING_KEY", ONE_KEY);
                    String::new()
                },
                <[_]>::concat,
            ),
        },
        // Its share of the messages.
        "x-consistent-hash" => "1".to_owned(),
        _ => String::new(),
    }
}
