//! Where a change goes and what its message says of it: partitions, routing keys, headers and marks.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    Faults,
    kind::{Kind, optional},
    settings::{Messages, Rabbit},
};
use crate::{
    encode::{Headers, Partitions, RoutingKey},
    sink::rabbitmq::Marks,
};

/// A template for routing keys; none where nothing is set.
pub(super) fn routing_key() -> Kind<Option<RoutingKey>> {
    optional(Kind::new("", |text| {
        RoutingKey::parse(text).map_err(|error| error.to_string())
    }))
}

/// Headers as a JSON object of texts, which are templates, and whole numbers.
pub(super) fn headers() -> Kind<Headers> {
    Kind::new("", |text| {
        let mut headers = Headers::default();
        if text.is_empty() {
            return Ok(headers);
        }
        let object: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
            format!("not a JSON object such as {{\"tenant\": \"{{document.tenant}}\"}} ({error})")
        })?;
        if Headers::COUNT_MAX < object.len() {
            let most = Headers::COUNT_MAX;
            return Err(format!("{} headers, at most {most} may be", object.len()));
        }
        for (name, value) in &object {
            if let Some(fault) = Headers::fault_of_name(name) {
                return Err(fault);
            }
            add(&mut headers, name, value).map_err(|fault| format!("`{name}`: {fault}"))?;
        }
        Ok(headers)
    })
}

fn add(headers: &mut Headers, name: &str, value: &Value) -> Result<(), String> {
    if let Some(template) = value.as_str() {
        let added = headers.add_text(name, template);
        return added.map_err(|error| error.to_string());
    }
    let number = value.as_i64();
    let number = number.ok_or("neither a text in quotes nor a whole number")?;
    headers.add_number(name, number);
    Ok(())
}

/// The key that was given, else the name of the queue that the partition has.
pub(super) fn key(rabbit: &Rabbit, messages: &Messages, faults: &mut Faults) -> RoutingKey {
    let count = messages.partitions;
    let by_queue = RoutingKey::of_queue(&rabbit.queue, count);
    let Some(given) = messages.routing_key.clone() else {
        return by_queue;
    };
    let given = given.over(count);
    let fault = match (messages.exchange.is_empty(), given.has_partition()) {
        (true, _) if given != by_queue => Some(format!(
            "the default exchange takes a message to the queue of the routing key's name, which is `{by_queue}` \
             (RABBITMQ_QUEUE_NAME); leave it out, or set RABBITMQ_EXCHANGE"
        )),
        (false, true) if count == 1 => {
            Some("`{partition}` is one of CDC_PARTITIONS, which is not set".to_owned())
        }
        (false, false) if 1 < count => Some(format!(
            "it is the same in every partition, and CDC_PARTITIONS is {count}: put `{{partition}}` into it, so that \
             each partition's queue can be bound to what is its own"
        )),
        _ => None,
    };
    if let Some(fault) = fault {
        faults.add("RABBITMQ_ROUTING_KEY", fault);
    }
    given
}

pub(super) fn partitions(messages: &Messages) -> Partitions {
    Partitions::new(messages.partitions)
}

pub(super) fn marks(messages: &Messages) -> Marks {
    Marks {
        expiration_ms: messages.lifetime.and_then(as_millis),
        priority: messages.priority,
    }
}

/// What is no fault and yet loses messages.
pub(super) fn doubt(messages: &Messages) -> Option<String> {
    let ms = messages.lifetime.and_then(as_millis)?;
    Some(format!(
        "CDC_MESSAGE_TTL_MS is set: a message that nobody has taken out of its queue after {ms} ms is gone, unless the \
         queue has a dead-letter exchange"
    ))
}

fn as_millis(time: Duration) -> Option<u32> {
    u32::try_from(time.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        (headers().parse)(text).expect_err(text)
    }

    #[test]
    fn headers_are_texts_and_whole_numbers() {
        let text = r#"{"tenant": "{document.tenant.id}", "env": "prod", "x-delay": 5}"#;
        let mut expected = Headers::default();
        // The object's members come in the order of their names.
        expected.add_text("env", "prod").unwrap();
        expected.add_text("tenant", "{document.tenant.id}").unwrap();
        expected.add_number("x-delay", 5);
        assert_eq!((headers().parse)(text), Ok(expected));
        assert_eq!((headers().parse)(""), Ok(Headers::default()));
    }

    #[test]
    fn a_header_that_cannot_be_is_a_fault_with_its_name() {
        let many: Vec<String> = (0..17).map(|n| format!("\"h{n}\": 1")).collect();
        let many = format!("{{{}}}", many.join(","));
        for (text, part) in [
            ("tenant", "not a JSON object"),
            (r#"{"a": true}"#, "`a`: neither a text"),
            (r#"{"a": 1.5}"#, "`a`: neither a text"),
            (r#"{"a": "{tenant}"}"#, "`a`: `{tenant}` is not one of"),
            (r#"{"a": "{partition}"}"#, "cdc-partition"),
            (r#"{"": "a"}"#, "not a name"),
            (r#"{"CDC-own": "a"}"#, "the engine's"),
            (r#"{"BCC": "a"}"#, "meaning of its own"),
            (r#"{"x-first-death-queue": "a"}"#, "meaning of its own"),
            (&many, "17 headers, at most 16"),
        ] {
            let fault = fault(text);
            assert!(fault.contains(part), "{text}: {fault}");
        }
    }
}
