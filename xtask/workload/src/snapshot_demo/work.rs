//! Inserts what exists, then changes documents and listens, taking turns on one thread.

use std::{cell::RefCell, time::Duration};

use anyhow::{Result, bail};
use bson::{Document, doc};
use mongodb::Client;
use tokio::{
    select,
    time::{Instant, interval, sleep},
};

use super::{Args, NAME, ledger::Ledger};
use crate::{listener::Listener, progress::Progress, scrabble, settings::Settings, store, writer};

/// Most documents in one insert.
const BATCH: usize = 1_000;
/// Silence after which nothing more is waited for.
const SILENCE: Duration = Duration::from_secs(30);
/// Time between two looks.
const POLL: Duration = Duration::from_millis(10);
/// A change in so many is an insert, the others change what is there.
const INSERTS: usize = 4;
/// Documents are changed in an order that jumps: each change goes so many further.
const STRIDE: usize = 7_919;

/// A run.
pub(super) struct Work<'a> {
    pub(super) args: &'a Args,
    pub(super) settings: &'a Settings,
    pub(super) client: &'a Client,
    pub(super) progress: Progress,
    /// Nobody holds this while waiting.
    pub(super) ledger: RefCell<Ledger>,
}

impl Work<'_> {
    /// Inserts the documents that exist before the engine starts.
    pub(super) async fn prepare(&self) -> Result<()> {
        let count = self.args.count as usize;
        let mut first = 0;
        while first < count {
            let (collection, documents) = self.batch(count - first);
            first += documents.len();
            let collection = writer::collection(self.client, self.settings, collection);
            writer::insert(&collection, &documents).await?;
        }
        self.progress.note(&format!(
            "demo: {count} documents are in `{NAME}`; the engine starts with `CDC_SNAPSHOT=initial`, and {} changes a second go on beside; listening to queue `{NAME}`",
            self.args.rate
        ));
        Ok(())
    }

    /// The next documents of one collection.
    fn batch(&self, left: usize) -> (&'static str, Vec<Document>) {
        let mut ledger = self.ledger.borrow_mut();
        let stretch = ledger.generator.stretch(ledger.count());
        let count = left.min(stretch.documents).min(BATCH);
        let insert = |_| {
            let id = scrabble::fresh_id(stretch.collection);
            ledger.insert(id, true).1
        };
        (stretch.collection, (0..count).map(insert).collect())
    }

    /// Changes and listens until everything has arrived, or nothing has for too long.
    pub(super) async fn carry_out(&self, listener: &mut Listener) -> Result<()> {
        let working = async {
            self.change().await?;
            self.settle().await
        };
        select! {
            outcome = working => outcome,
            outcome = self.listen(listener) => outcome,
        }
    }

    /// Changes documents until something of every one that existed has arrived.
    async fn change(&self) -> Result<()> {
        let mut ticks = interval(Duration::from_secs(1) / self.args.rate);
        let (mut seen, mut since) = (0, Instant::now());
        for turn in 0.. {
            ticks.tick().await;
            let now = self.ledger.borrow().seen();
            if now == self.args.count as usize {
                break;
            }
            if seen != now {
                (seen, since) = (now, Instant::now());
            }
            if SILENCE < since.elapsed() {
                bail!(
                    "{seen} of {} documents have arrived, and no more do",
                    self.args.count
                );
            }
            self.change_one(turn).await?;
        }
        Ok(())
    }

    async fn change_one(&self, turn: usize) -> Result<()> {
        if turn.is_multiple_of(INSERTS) {
            let (name, document) = {
                let mut ledger = self.ledger.borrow_mut();
                let stretch = ledger.generator.stretch(ledger.count());
                ledger.insert(scrabble::fresh_id(stretch.collection), false)
            };
            let collection = writer::collection(self.client, self.settings, name);
            return writer::insert(&collection, &[document]).await;
        }
        let (name, document) = {
            let mut ledger = self.ledger.borrow_mut();
            let index = turn * STRIDE % ledger.count();
            ledger.replace(index)
        };
        let collection = writer::collection(self.client, self.settings, name);
        let filter = doc! { "_id": document.get("_id").cloned() };
        let replacing = collection.replace_one(filter, document);
        store::answer("replace a document", store::ANSWER_TIMEOUT, replacing).await?;
        Ok(())
    }

    /// Returns when everything has arrived, or nothing has for a while.
    async fn settle(&self) -> Result<()> {
        let arrived = || {
            let report = self.ledger.borrow().report();
            report.read + report.changes
        };
        let (mut latest, mut since) = (arrived(), Instant::now());
        while !self.ledger.borrow().is_settled() && since.elapsed() < SILENCE {
            sleep(POLL).await;
            if latest != arrived() {
                (latest, since) = (arrived(), Instant::now());
            }
        }
        Ok(())
    }

    async fn listen(&self, listener: &mut Listener) -> Result<()> {
        loop {
            let (moment, messages) = listener.next().await?;
            for message in &messages {
                let line = self.ledger.borrow_mut().received(message, moment);
                if let Some(line) = line {
                    self.progress.show(&line);
                }
            }
        }
    }

    /// Prints the summary line.
    pub(super) fn summarise(&self) {
        let ledger = self.ledger.borrow();
        let report = ledger.report();
        let read = f64::from(u32::try_from(report.read).unwrap_or(u32::MAX));
        let seconds = ledger.reading_time().as_secs_f64();
        self.progress.finish();
        self.progress.say(&format!(
            "demo: existed={} read={} missing={} out_of_order={} read_per_s={:.0} changes={} p50_ms={:.1} p99_ms={:.1}",
            report.existed,
            report.read,
            report.missing,
            report.out_of_order,
            read / seconds.max(f64::EPSILON),
            report.changes,
            ledger.percentile_ms(50.0),
            ledger.percentile_ms(99.0),
        ));
    }
}
