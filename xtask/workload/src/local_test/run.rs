//! One run: a writer and a listener, taking turns on one thread.

use std::{cell::RefCell, time::Duration};

use anyhow::Result;
use bson::Document;
use mongodb::{Client, Collection};
use tokio::{
    join, select,
    time::{Instant, interval, sleep, sleep_until},
};

use super::{Args, book::Book};
use crate::{listener::Listener, pace::Pace, scrabble, settings::Settings, writer};

/// Time between two updates of the progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Time between two looks whether everything has arrived.
const SETTLE_INTERVAL: Duration = Duration::from_millis(10);

pub(super) struct Run<'a> {
    pub(super) args: &'a Args,
    pub(super) settings: &'a Settings,
    /// Nobody holds this while waiting.
    pub(super) book: RefCell<Book>,
}

/// Consecutive documents for one insert command.
struct Batch {
    first: usize,
    collection: &'static str,
    documents: Vec<Document>,
}

impl Run<'_> {
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
            () = self.tell_progress() => unreachable!("progress is told for ever"),
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

    /// Makes the batch that starts with document `first`; `None` after the last one.
    fn prepare(&self, first: usize, limit: usize) -> Option<Batch> {
        let left = self.args.count - first;
        if left == 0 {
            return None;
        }
        let mut book = self.book.borrow_mut();
        let stretch = book.generator.stretch(first);
        let end = first + limit.min(stretch.documents).min(left);
        let make = |index| {
            let id = scrabble::fresh_id(stretch.collection);
            let document = book.generator.document(index, id);
            book.expect(stretch.collection, &document);
            document
        };
        Some(Batch {
            first,
            collection: stretch.collection,
            documents: (first..end).map(make).collect(),
        })
    }

    async fn insert(&self, collection: &Collection<Document>, batch: &Batch) -> Result<()> {
        let sent = Instant::now();
        self.book.borrow_mut().latency.sent(batch.first, sent);
        writer::insert(collection, &batch.documents).await?;
        let documents = batch.first..batch.end();
        self.book.borrow_mut().acknowledged(documents);
        Ok(())
    }

    /// Returns when everything has arrived, or nothing has within the timeout.
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
        let report = self.book.borrow().checker.report();
        report.delivered + report.altered + report.replayed
    }

    async fn listen(&self, listener: &mut Listener) -> Result<()> {
        loop {
            let (moment, messages) = listener.next().await?;
            let mut book = self.book.borrow_mut();
            for message in &messages {
                book.received(message, moment);
            }
        }
    }

    async fn tell_progress(&self) {
        let mut ticks = interval(PROGRESS_INTERVAL);
        loop {
            ticks.tick().await;
            self.book.borrow_mut().tell_progress();
        }
    }
}

impl Batch {
    fn end(&self) -> usize {
        self.first + self.documents.len()
    }
}
