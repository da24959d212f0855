//! What the CloudEvents SDK of Python makes of messages.

use std::{
    env,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::normal::headers;
use crate::support::Delivery;

/// Reads a message from each line, and writes its attributes and its data to a line. Two bindings, which differ in the
/// headers' names: that of the specification for AMQP, and Knative's for RabbitMQ.
const READER: &str = r#"
import json, sys
from datetime import datetime
from cloudevents.core.bindings import amqp, rabbitmq

def event(message):
    headers, body = message["headers"], message["body"].encode()
    if any(name.startswith("ce-") for name in headers):
        return rabbitmq.from_rabbitmq_event(rabbitmq.RabbitMQMessage(headers, message["content_type"], body))
    return amqp.from_amqp_event(amqp.AMQPMessage({"content-type": message["content_type"]}, headers, body))

def text(value):
    if not isinstance(value, datetime):
        return value
    text = value.isoformat(timespec="milliseconds" if value.microsecond else "seconds")
    return text.replace("+00:00", "Z")

for line in sys.stdin:
    found = event(json.loads(line))
    attributes = {name: text(value) for name, value in found.get_attributes().items()}
    print(json.dumps({**attributes, "data": found.get_data()}))
"#;

/// The events that the SDK reads, each as the JSON that the structured mode has.
pub(super) fn read(deliveries: &[Delivery]) -> Vec<Value> {
    let lines: Vec<String> = deliveries.iter().map(line).collect();
    let path = env::var_os("CDC_TEST_PYTHONPATH").expect(
        "CDC_TEST_PYTHONPATH is not set\n\nhint: python3 -m pip install --target target/python --requirement \
         xtask/requirements/python.txt, and set it to that folder",
    );
    let mut python = Command::new("python3")
        .args(["-c", READER])
        .env("PYTHONPATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    let mut input = python.stdin.take().unwrap();
    // As much as a pipe holds may be too little for both sides.
    let writer = std::thread::spawn(move || input.write_all(lines.concat().as_bytes()));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "the SDK failed, see above");
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), deliveries.len());
    events
}

fn line(delivery: &Delivery) -> String {
    let headers: serde_json::Map<String, Value> = headers(delivery)
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect();
    let content_type = delivery.properties.content_type().as_ref().unwrap();
    let message = json!({
        "content_type": content_type.as_str(), "headers": headers,
        "body": std::str::from_utf8(&delivery.body).unwrap(),
    });
    format!("{message}\n")
}
