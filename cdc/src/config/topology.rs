//! Where messages go on the broker, and what is declared for it.

use super::{
    Faults,
    kind::Kind,
    settings::{Declarations, Messages, Rabbit},
};
use crate::amqp::{Arguments, Exchange, Queue, QueueType, Topology};

/// Longest name of a queue in bytes.
const NAME_BYTES_MAX: usize = 255;
/// Why a direct exchange and a template do not go together.
const ONE_KEY: &str = "a direct exchange takes messages to a queue by one routing key, and this template has many; set \
     CDC_EXCHANGE_TYPE to topic, or CDC_BINDING_KEY to one of them";

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
    declarations: &Declarations,
    parks: bool,
    faults: &mut Faults,
) -> Topology {
    let mut queue = queue(rabbit);
    queue.arguments = declarations.queue_arguments.clone();
    take_type(&mut queue, faults);
    let parking = parks.then(|| parking(&queue, faults));
    let mut topology = Topology {
        exchange: Exchange {
            name: messages.exchange.clone(),
            kind: declarations.exchange_type.clone(),
            arguments: declarations.exchange_arguments.clone(),
            binding_key: String::new(),
        },
        queue,
        parking,
        declare: declarations.declare,
    };
    if topology.is_bound() {
        topology.exchange.binding_key = binding_key(rabbit, messages, declarations, faults);
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
            Some(key) => key.as_constant().map_or_else(
                || {
                    faults.add("RABBITMQ_ROUTING_KEY", ONE_KEY);
                    String::new()
                },
                str::to_owned,
            ),
        },
        _ => String::new(),
    }
}
