//! What is known of a run: the checker's record, the latencies, and what the user was told.

use std::{ops::Range, time::Duration};

use bson::Document;
use lapin::message::Delivery;
use tokio::time::Instant;

use super::message;
use crate::{
    body::{self, Body, DocumentKey, Fingerprint, Style},
    checker::{Arrival, Checker, Copy, MessageId},
    latency::Latency,
    progress::Progress,
    scrabble::Generator,
};

/// The record of one run.
pub(super) struct Book {
    pub(super) generator: Generator,
    pub(super) checker: Checker,
    pub(super) latency: Latency,
    /// The first difference between a document and its message, if there was one.
    pub(super) difference: Option<String>,
    style: Style,
    progress: Progress,
    /// Messages that are still to be shown.
    to_show: usize,
    acknowledged: usize,
}

impl Book {
    pub(super) fn new(style: Style, generator: Generator, progress: Progress, show: usize) -> Self {
        Self {
            style,
            generator,
            checker: Checker::default(),
            latency: Latency::default(),
            progress,
            to_show: show,
            acknowledged: 0,
            difference: None,
        }
    }

    /// Notes a document that is made and will be sent.
    pub(super) fn expect(&mut self, collection: &str, document: &Document) {
        let body = self.style.expected(collection, document);
        let key = DocumentKey::new(&body.collection, &body.id);
        self.checker.sending(key, Fingerprint::of(&body.content));
    }

    /// Notes that the majority has these documents.
    pub(super) fn acknowledged(&mut self, documents: Range<usize>) {
        self.acknowledged = documents.end;
        self.checker.acknowledged(documents);
    }

    /// Notes a message that arrived at `moment`.
    pub(super) fn received(&mut self, message: &Delivery, moment: Instant) {
        let Some(data) = message::data(message) else {
            return;
        };
        let Some(body) = self.style.read(&data, message::namespace(message)) else {
            return;
        };
        let copy = Copy {
            document: DocumentKey::new(&body.collection, &body.id),
            message: message.properties.message_id().as_ref().map(MessageId::of),
            body: Fingerprint::of(&body.content),
            redelivered: message.redelivered,
        };
        match self.checker.received(copy) {
            Arrival::First(index) => {
                let latency = self.latency.arrived(index, moment);
                self.show(&body, latency, &data);
            }
            Arrival::Altered(index) if self.difference.is_none() => {
                self.difference = Some(self.difference(index, &body));
            }
            Arrival::Altered(_) | Arrival::Replay(_) | Arrival::Again(_) | Arrival::Foreign => {}
        }
    }

    pub(super) fn tell_progress(&mut self) {
        let delivered = self.checker.report().delivered;
        self.progress.update(self.acknowledged, delivered);
    }

    /// Prints the summary line, and a second one if there were replays.
    pub(super) fn summarise(&self, label: &str) {
        let report = self.checker.report();
        self.progress.finish();
        self.progress.say(&format!(
            "{label}: inserted={} delivered={} missing={} out_of_order={} p50_ms={:.1} p99_ms={:.1}",
            self.acknowledged,
            report.delivered,
            report.missing,
            report.out_of_order,
            self.latency.percentile_ms(50.0),
            self.latency.percentile_ms(99.0),
        ));
        if 0 < report.replayed {
            let line = format!("{label}: replayed={}", report.replayed);
            self.progress.say(&line);
        }
    }

    /// Prints a message in one line: where it belongs, how long it took, what it says.
    fn show(&mut self, body: &Body, latency: Duration, bytes: &[u8]) {
        if self.to_show == 0 {
            return;
        }
        self.to_show -= 1;
        let text = String::from_utf8_lossy(bytes);
        let millis = latency.as_secs_f64() * 1_000.0;
        let line = format!("{} {} {millis:.1} ms {text}", body.collection, body.id);
        self.progress.show(&line);
    }

    /// What differs, with the document made once more from the seed.
    fn difference(&self, index: usize, arrived: &Body) -> String {
        let document = self.generator.document(index, arrived.id.as_str().into());
        let mut expected = self.style.expected(&arrived.collection, &document).content;
        if let (Some(expected), Some(id)) = (expected.get_mut("_id"), arrived.content.get("_id")) {
            // Its `_id` is the one thing that the seed does not tell.
            *expected = id.clone();
        }
        let difference = body::first_difference(&expected, &arrived.content);
        let difference = difference.unwrap_or_else(|| "its `_id`".to_owned());
        format!(
            "the first is {} {}, {difference}",
            arrived.collection, arrived.id
        )
    }
}
