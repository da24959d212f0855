//! An engine for tests: it watches and publishes like the real one, and makes one fault on demand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bson::{Document, doc};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use mongodb::{Client, change_stream::ChangeStream, change_stream::event::ChangeStreamEvent};
use serde_json::Value;
use workload::{
    body::Style,
    settings::{Format, JsonMode, Settings},
};

/// What goes wrong, and at which insert, counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Is not published.
    Lose(usize),
    /// Is published after the next one.
    Swap(usize),
    /// Is published with a false value.
    Alter(usize),
    /// Is followed by the last hundred once more, as after a restart.
    Replay(usize),
}

/// A running engine.
pub(crate) struct Engine {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

struct Message {
    id: String,
    body: Value,
}

impl Engine {
    /// Starts to watch, on a thread of its own.
    pub(crate) fn start(settings: &Settings, fault: Fault) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (settings, stopped) = (settings.clone(), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(deliver(&settings, fault, &stopped))
        });
        Self { stop, thread }
    }

    /// Stops it; returns the ids of all messages in the order in which they were published.
    pub(crate) fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

async fn deliver(settings: &Settings, fault: Fault, stop: &AtomicBool) -> Vec<String> {
    let client = Client::with_uri_str(&settings.mongo_database_host)
        .await
        .unwrap();
    let connection = Connection::connect(&settings.rabbitmq_uri, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    let mut events = watch(&client, settings).await;
    let mut messages: Vec<Message> = Vec::new();
    let mut published = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let next = events.next_if_any();
        let Some(event) = next.await.unwrap() else {
            continue;
        };
        let mut message = message(event);
        if fault == Fault::Alter(messages.len()) {
            message.body["score"] = "altered".into();
        }
        messages.push(message);
        for index in due(fault, messages.len() - 1) {
            publish(&channel, &settings.rabbitmq_queue_name, &messages[index]).await;
            published.push(messages[index].id.clone());
        }
    }
    published
}

/// The stream of inserts, and a checkpoint that says that it is open.
async fn watch(client: &Client, settings: &Settings) -> ChangeStream<ChangeStreamEvent<Document>> {
    let database = client.database(&settings.mongo_database_name);
    let inserts = [doc! { "$match": { "operationType": "insert" } }];
    let events = database
        .watch()
        .pipeline(inserts)
        .max_await_time(Duration::from_millis(50))
        .await
        .unwrap();
    let checkpoints = client
        .database(&settings.cdc_checkpoint_database)
        .collection("checkpoints");
    checkpoints
        .insert_one(doc! { "_id": &settings.cdc_pipeline })
        .await
        .unwrap();
    events
}

fn message(event: ChangeStreamEvent<Document>) -> Message {
    let style = Style {
        format: Format::Document,
        mode: JsonMode::Relaxed,
    };
    let collection = event.ns.and_then(|namespace| namespace.coll).unwrap();
    let body = style.expected(&collection, &event.full_document.unwrap());
    Message {
        id: body.id,
        body: body.content,
    }
}

/// Which messages to publish now that number `index` is there.
fn due(fault: Fault, index: usize) -> Vec<usize> {
    match fault {
        Fault::Lose(lost) if index == lost => vec![],
        Fault::Swap(early) if index == early => vec![],
        Fault::Swap(early) if index == early + 1 => vec![index, early],
        Fault::Replay(end) if index == end => (index..=index).chain(index - 99..=index).collect(),
        _ => vec![index],
    }
}

async fn publish(channel: &Channel, queue: &str, message: &Message) {
    let properties = BasicProperties::default().with_message_id(message.id.as_str().into());
    let bytes = message.body.to_string();
    let publishing = channel.basic_publish(
        "".into(),
        queue.into(),
        BasicPublishOptions::default(),
        bytes.as_bytes(),
        properties,
    );
    publishing.await.unwrap().await.unwrap();
}
