//! One run: a writer, a listener and the checker that both report to.

use std::{
    cell::RefCell,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use anyhow::Result;
use bson::Document;
use lapin::message::Delivery;
use mongodb::{Client, Collection};
use tokio::{
    join, select,
    time::{Instant, interval, sleep, sleep_until},
};

use super::Args;
use crate::{
    body::{self, Body, DocumentKey, Fingerprint, Style},
    checker::{Arrival, Checker, Copy, MessageId, Report},
    latency::Latency,
    listener::Listener,
    pace::Pace,
    progress::Progress,
    scrabble::{self, Generator},
    settings::Settings,
    writer,
};

/// Time between two updates of the progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Time between two looks whether everything has arrived.
const SETTLE_INTERVAL: Duration = Duration::from_millis(10);

pub(super) struct Run<'a> {
    args: &'a Args,
    settings: &'a Settings,
    generator: Generator,
    style: Style,
    /// Writer and listener take turns on one thread; nobody holds this while waiting.
    book: RefCell<Book>,
}

struct Book {
    checker: Checker,
    latency: Latency,
    progress: Progress,
    shown: usize,
    acknowledged: usize,
    difference: Option<String>,
}

/// Consecutive documents for one insert command.
struct Batch {
    first: usize,
    collection: &'static str,
    documents: Vec<Document>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        args: &'a Args,
        settings: &'a Settings,
        generator: Generator,
        progress: Progress,
    ) -> Self {
        let style = Style {
            format: settings.cdc_format,
            mode: settings.cdc_json_mode,
        };
        let book = RefCell::new(Book {
            checker: Checker::default(),
            latency: Latency::new(),
            progress,
            shown: 0,
            acknowledged: 0,
            difference: None,
        });
        Self {
            args,
            settings,
            generator,
            style,
            book,
        }
    }

    /// Writes and listens until everything has arrived, or nothing has for too long.
    pub(super) async fn carry_out(&self, client: &Client, listener: &mut Listener) -> Result<()> {
        let writing = async {
            self.write(client).await?;
            self.settle().await;
            Ok(())
        };
        select! {
            outcome = writing => outcome,
            outcome = self.listen(listener) => outcome,
            () = self.report_progress() => unreachable!("progress is reported for ever"),
        }
    }

    pub(super) fn report(&self) -> Report {
        self.book.borrow().checker.report()
    }

    pub(super) fn first_difference(&self) -> Option<String> {
        self.book.borrow().difference.clone()
    }

    pub(super) fn finish(&self) {
        self.book.borrow().progress.finish();
    }

    /// Prints the summary line, and a second one if there were replays.
    pub(super) fn summarise(&self) {
        let book = self.book.borrow();
        let report = book.checker.report();
        let label = &self.args.label;
        book.progress.say(&format!(
            "{label}: inserted={} delivered={} missing={} out_of_order={} p50_ms={:.1} p99_ms={:.1}",
            report.inserted,
            report.delivered,
            report.missing,
            report.out_of_order,
            book.latency.percentile_ms(50.0),
            book.latency.percentile_ms(99.0),
        ));
        if 0 < report.replayed {
            book.progress
                .say(&format!("{label}: replayed={}", report.replayed));
        }
    }

    async fn write(&self, client: &Client) -> Result<()> {
        let pace = Pace::new(self.args.rate);
        let limit = pace.batch(self.args.batch);
        let start = Instant::now();
        let mut next = self.prepare(0, limit);
        while let Some(batch) = next {
            let collection = writer::collection(client, self.settings, batch.collection);
            sleep_until(start + pace.due(batch.first)).await;
            // The servers work on this batch while the next one is made.
            let making = async { self.prepare(batch.end(), limit) };
            let (outcome, made) = join!(self.insert(&collection, &batch), making);
            outcome?;
            next = made;
        }
        Ok(())
    }

    /// Makes the batch that starts with document `first` and tells the checker what to expect of it.
    fn prepare(&self, first: usize, limit: usize) -> Option<Batch> {
        let left = self.args.count - first;
        if left == 0 {
            return None;
        }
        let stretch = self.generator.stretch(first);
        let size = limit.min(stretch.documents).min(left);
        let mut book = self.book.borrow_mut();
        let make = |index| {
            let id = scrabble::fresh_id(stretch.collection);
            let document = self.generator.document(index, id);
            let body = self.style.expected(stretch.collection, &document);
            let key = DocumentKey::new(&body.collection, &body.id);
            book.checker.sending(key, Fingerprint::of(&body.content));
            document
        };
        Some(Batch {
            first,
            collection: stretch.collection,
            documents: (first..first + size).map(make).collect(),
        })
    }

    async fn insert(&self, collection: &Collection<Document>, batch: &Batch) -> Result<()> {
        let sent = Instant::now();
        self.book.borrow_mut().latency.sent(batch.first, sent);
        writer::insert(collection, &batch.documents).await?;
        let mut book = self.book.borrow_mut();
        book.acknowledged = batch.end();
        book.checker.acknowledged(batch.first..batch.end());
        Ok(())
    }

    /// Returns when everything has arrived, or nothing new has within the timeout.
    async fn settle(&self) {
        let timeout = Duration::from_millis(self.args.timeout_ms);
        let mut arrived = self.arrived();
        let mut since = Instant::now();
        while !self.book.borrow().checker.is_settled() && since.elapsed() < timeout {
            sleep(SETTLE_INTERVAL).await;
            if self.arrived() != arrived {
                arrived = self.arrived();
                since = Instant::now();
            }
        }
    }

    /// Copies of our documents so far: a replay is a sign of life too.
    fn arrived(&self) -> usize {
        let report = self.report();
        report.delivered + report.altered + report.replayed
    }

    async fn listen(&self, listener: &mut Listener) -> Result<()> {
        loop {
            let (moment, messages) = listener.next().await?;
            let mut book = self.book.borrow_mut();
            for message in &messages {
                self.receive(&mut book, message, moment);
            }
        }
    }

    fn receive(&self, book: &mut Book, message: &Delivery, moment: Instant) {
        let Some(body) = self.style.read(&message.data) else {
            return;
        };
        let copy = Copy {
            document: DocumentKey::new(&body.collection, &body.id),
            message: message.properties.message_id().as_ref().map(message_id),
            body: Fingerprint::of(&body.content),
        };
        match book.checker.received(copy) {
            Arrival::First(index) => {
                let latency = book.latency.arrived(index, moment);
                if book.shown < self.args.show {
                    book.shown += 1;
                    book.progress.show(&line(&body, latency, &message.data));
                }
            }
            Arrival::Altered(index) if book.difference.is_none() => {
                book.difference = Some(self.difference(index, &body));
            }
            Arrival::Altered(_) | Arrival::Replay(_) | Arrival::Foreign => {}
        }
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
        let place = format!("{}/{}", arrived.collection, arrived.id);
        format!(
            "first in {place}: {}",
            difference.unwrap_or_else(|| "`_id`".to_owned())
        )
    }

    async fn report_progress(&self) {
        let mut ticks = interval(PROGRESS_INTERVAL);
        loop {
            ticks.tick().await;
            let mut book = self.book.borrow_mut();
            let (acknowledged, delivered) = (book.acknowledged, book.checker.report().delivered);
            book.progress.update(acknowledged, delivered);
        }
    }
}

fn message_id(id: &lapin::types::ShortString) -> MessageId {
    let mut hasher = DefaultHasher::new();
    id.as_str().hash(&mut hasher);
    MessageId(hasher.finish())
}

/// A message in one line: where it belongs, how long it took, what it says.
fn line(body: &Body, latency: Duration, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let millis = latency.as_secs_f64() * 1_000.0;
    format!("{} {} {millis:.1} ms {text}", body.collection, body.id)
}

impl Batch {
    fn end(&self) -> usize {
        self.first + self.documents.len()
    }
}
