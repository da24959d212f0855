//! A running `cdc tail`, and a queue of numbers for it to show.

use std::{
    io::{BufRead as _, BufReader, PipeReader},
    process::Command,
};

use lapin::{
    BasicProperties,
    options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};

use crate::support::{DEADLINE, Engine, Finished, Scenario, amqp_uri, eventually};

/// A running `cdc tail` and the reading end of its standard output.
pub(crate) struct Tail {
    pub(super) child: Engine,
    /// Away while a line is waited for.
    lines: Option<BufReader<PipeReader>>,
}

impl Tail {
    pub(crate) fn start(scenario: &Scenario, arguments: &[&str]) -> Self {
        Self::start_with(&settings(scenario, amqp_uri()), arguments)
    }

    pub(super) fn start_with(settings: &[(String, String)], arguments: &[&str]) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        let arguments = [&["tail"], arguments].concat();
        let redirect = |command: &mut Command| {
            command.stdout(writer);
        };
        Self {
            child: Engine::spawn_with(&arguments, settings, redirect),
            lines: Some(BufReader::new(reader)),
        }
    }

    /// Waits for a line and gives the number in its message.
    pub(super) async fn number(&mut self) -> i64 {
        let mut lines = self.lines.take().unwrap();
        let read = move || {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            (number(&line), lines)
        };
        let (number, lines) = blocking(read).await;
        self.lines = Some(lines);
        number
    }

    pub(super) async fn numbers(&mut self, count: i64) -> Vec<i64> {
        let mut numbers = Vec::new();
        for _ in 0..count {
            numbers.push(self.number().await);
        }
        numbers
    }

    /// All lines up to the end.
    pub(crate) async fn rest(self) -> (Vec<i64>, Finished) {
        let lines = self.lines.unwrap();
        let read = || lines.lines().map(|line| number(&line.unwrap())).collect();
        let numbers = blocking(read).await;
        (numbers, self.child.finish().await)
    }

    /// Closes the reading end and waits for the end.
    pub(super) async fn close(self) -> Finished {
        drop(self.lines);
        self.child.finish().await
    }
}

/// Reads, though not for ever.
pub(super) async fn blocking<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> T {
    let read = tokio::time::timeout(DEADLINE, tokio::task::spawn_blocking(read));
    read.await.expect("tail writes or ends").unwrap()
}

pub(super) fn settings(scenario: &Scenario, uri: String) -> Vec<(String, String)> {
    let queue = scenario.name.clone();
    [("RABBITMQ_URI", uri), ("RABBITMQ_QUEUE_NAME", queue)]
        .map(|(variable, value)| (variable.to_owned(), value))
        .to_vec()
}

pub(super) fn number(line: &str) -> i64 {
    let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"));
    line["body"]["n"].as_i64().unwrap()
}

/// Declares the scenario's queue and puts the numbers of `range` in it.
pub(super) async fn fill(scenario: &Scenario, kind: &str, range: std::ops::Range<i64>) {
    let channel = scenario.channel().await;
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
    let name = scenario.name.as_str();
    channel
        .queue_declare(name.into(), options, arguments)
        .await
        .unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    let mut confirms = Vec::new();
    for n in range {
        let properties = BasicProperties::default().with_message_id(format!("{n:032x}").into());
        let body = format!(r#"{{"n":{n},"pad":"{}"}}"#, "x".repeat(300));
        let options = BasicPublishOptions::default();
        let publish =
            channel.basic_publish("".into(), name.into(), options, body.as_bytes(), properties);
        confirms.push(publish.await.unwrap());
    }
    for confirm in confirms {
        assert!(confirm.await.unwrap().is_ack());
    }
    channel.close(200, "OK".into()).await.unwrap();
}

/// Asserts that the queue holds exactly `range`, in order, and empties it; says how many were given out before.
pub(super) async fn holds(scenario: &Scenario, range: std::ops::Range<i64>) -> usize {
    let count = u32::try_from(range.end - range.start).unwrap();
    eventually("everything is back in the queue", async || {
        scenario.ready().await >= count
    })
    .await;
    let channel = scenario.channel().await;
    let (mut numbers, mut redelivered) = (Vec::new(), 0);
    // Not acknowledged one by one: a quorum queue's channel may drop some of many acknowledgements when it is closed.
    let options = BasicGetOptions { no_ack: true };
    let name = scenario.name.as_str();
    while let Some(message) = channel.basic_get(name.into(), options).await.unwrap() {
        let body: serde_json::Value = serde_json::from_slice(&message.data).unwrap();
        numbers.push(body["n"].as_i64().unwrap());
        redelivered += usize::from(message.redelivered);
    }
    assert_eq!(numbers, ordered(range));
    redelivered
}

pub(super) fn ordered(range: std::ops::Range<i64>) -> Vec<i64> {
    range.collect()
}
