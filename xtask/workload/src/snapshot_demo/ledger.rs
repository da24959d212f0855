//! What every document must have gone through, and what has arrived of it.
//!
//! A document counts its editions in a field. A snapshot stands in its place among the changes: what is read has the
//! edition of the latest change before it, and every change has the next one.

use std::{collections::HashMap, time::Duration};

use bson::{Bson, Document};
use hdrhistogram::Histogram;
use lapin::message::Delivery;
use tokio::time::Instant;

use crate::{
    body::{DocumentKey, Fingerprint, Style},
    latency,
    scrabble::Generator,
    settings::{Format, JsonMode},
};

/// The field with the edition.
const EDITION: &str = "edition";
/// How bodies are written.
const STYLE: Style = Style {
    format: Format::Document,
    mode: JsonMode::Relaxed,
};

/// The record of a run.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) generator: Generator,
    documents: Vec<Entry>,
    by_key: HashMap<DocumentKey, usize>,
    /// Documents that existed and of which nothing has arrived.
    unseen: usize,
    /// First and latest arrival of a document that was read.
    reading: Option<(Instant, Instant)>,
    latencies: Histogram<u64>,
    /// Messages of reads and of changes that are still to be shown.
    to_show: [usize; 2],
    report: Report,
}

/// What is known so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// Documents that existed.
    pub(super) existed: usize,
    /// Messages of documents that were read.
    pub(super) read: usize,
    /// Messages of changes.
    pub(super) changes: usize,
    /// Documents whose latest edition has not arrived.
    pub(super) missing: usize,
    /// Messages whose edition is not the one that is due.
    pub(super) out_of_order: usize,
    /// Messages with another content.
    pub(super) altered: usize,
}

#[derive(Debug)]
struct Entry {
    id: Bson,
    /// When each edition after those of the start was written.
    written: Vec<Instant>,
    /// The edition that it began with, if it existed.
    existed: bool,
    /// Changes that have arrived.
    arrived: usize,
    is_seen: bool,
}

impl Ledger {
    /// Shows so many messages of either kind.
    pub(super) fn new(generator: Generator, show: usize) -> Self {
        Self {
            generator,
            documents: Vec::new(),
            by_key: HashMap::new(),
            unseen: 0,
            reading: None,
            latencies: latency::histogram(),
            to_show: [show; 2],
            report: Report::default(),
        }
    }

    /// Notes a new document and returns it; `existed` where that is before the engine's first start.
    pub(super) fn insert(&mut self, id: Bson, existed: bool) -> (&'static str, Document) {
        let index = self.documents.len();
        let written = if existed {
            Vec::new()
        } else {
            vec![Instant::now()]
        };
        self.documents.push(Entry {
            id,
            written,
            existed,
            arrived: 0,
            is_seen: false,
        });
        let (collection, document) = self.document(index, 0);
        let body = STYLE.expected(collection, &document);
        let key = DocumentKey::new(&body.collection, &body.id);
        self.by_key.insert(key, index);
        self.unseen += usize::from(existed);
        self.report.existed += usize::from(existed);
        (collection, document)
    }

    /// Notes the next edition of document `index` and returns it.
    pub(super) fn replace(&mut self, index: usize) -> (&'static str, Document) {
        let entry = &mut self.documents[index];
        entry.written.push(Instant::now());
        let edition = entry.latest();
        self.document(index, edition)
    }

    /// Notes a message that arrived at `moment`; returns its line if it is to be shown.
    pub(super) fn received(&mut self, message: &Delivery, moment: Instant) -> Option<String> {
        let kind = message.properties.kind().as_ref()?.as_str();
        let body = STYLE.read(&message.data, None)?;
        let key = DocumentKey::new(&body.collection, &body.id);
        let index = *self.by_key.get(&key)?;
        let edition = usize::try_from(body.content.get(EDITION)?.as_u64()?).ok()?;
        let is_read = kind == "read";
        if self.take(index, edition, is_read, moment) {
            let (collection, document) = self.document(index, edition);
            let expected = STYLE.expected(collection, &document).content;
            let differs = Fingerprint::of(&expected) != Fingerprint::of(&body.content);
            self.report.altered += usize::from(differs);
        }
        let left = &mut self.to_show[usize::from(is_read)];
        *left = left.checked_sub(1)?;
        let text = String::from_utf8_lossy(&message.data);
        Some(format!("{kind} {} {} {text}", body.collection, body.id))
    }

    /// Documents that existed and of which something has arrived.
    pub(super) fn seen(&self) -> usize {
        self.report.existed - self.unseen
    }

    /// Documents of all times.
    pub(super) fn count(&self) -> usize {
        self.documents.len()
    }

    /// Whether the latest edition of every document has arrived.
    pub(super) fn is_settled(&self) -> bool {
        self.documents.iter().all(Entry::is_settled)
    }

    /// What is known so far.
    pub(super) fn report(&self) -> Report {
        let missing = self.documents.iter().filter(|entry| !entry.is_settled());
        Report {
            missing: missing.count(),
            ..self.report
        }
    }

    /// Between the first document that was read and the latest one.
    pub(super) fn reading_time(&self) -> Duration {
        self.reading
            .map_or(Duration::ZERO, |(first, latest)| latest - first)
    }

    /// What `percent` of the changes took at most to arrive, in milliseconds.
    pub(super) fn percentile_ms(&self, percent: f64) -> f64 {
        latency::percentile_ms(&self.latencies, percent)
    }

    /// Takes an edition; whether it is the one that is due.
    fn take(&mut self, index: usize, edition: usize, is_read: bool, moment: Instant) -> bool {
        let entry = &mut self.documents[index];
        let is_due = Some(edition) == entry.due(is_read);
        if is_read {
            self.report.read += 1;
            let (first, _) = self.reading.unwrap_or((moment, moment));
            self.reading = Some((first, moment));
        } else {
            self.report.changes += 1;
        }
        if !is_due {
            self.report.out_of_order += 1;
            return false;
        }
        if !is_read {
            let took = moment.saturating_duration_since(entry.written[entry.arrived]);
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            self.latencies.saturating_record(micros);
            entry.arrived += 1;
        }
        self.unseen -= usize::from(entry.existed && !entry.is_seen);
        entry.is_seen = true;
        true
    }

    fn document(&self, index: usize, edition: usize) -> (&'static str, Document) {
        let collection = self.generator.stretch(index).collection;
        let id = self.documents[index].id.clone();
        let mut document = self.generator.document(index, id);
        document.insert(EDITION, i32::try_from(edition).unwrap_or(i32::MAX));
        (collection, document)
    }
}

impl Entry {
    /// The edition that was written last.
    fn latest(&self) -> usize {
        self.written.len() - usize::from(!self.existed)
    }

    /// The edition that the next message must have: for what is read, that of the latest change; none where there was
    /// nothing to read, or no more to change.
    fn due(&self, is_read: bool) -> Option<usize> {
        let next = self.arrived + usize::from(self.existed);
        if is_read {
            return next.checked_sub(1);
        }
        (self.arrived < self.written.len()).then_some(next)
    }

    fn is_settled(&self) -> bool {
        self.is_seen && self.arrived == self.written.len()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::settings::Settings;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    /// A document that existed, and one that came later; each has been changed once.
    fn ledger() -> Ledger {
        let settings = Line::parse_from(["workload"]).settings;
        let mut ledger = Ledger::new(Generator::new(1, &settings).unwrap(), 0);
        ledger.insert("old".into(), true);
        ledger.insert("new".into(), false);
        ledger.replace(0);
        ledger.replace(1);
        ledger
    }

    fn take(ledger: &mut Ledger, messages: &[(usize, usize, bool)]) -> Vec<bool> {
        let moment = Instant::now();
        let messages = messages.iter();
        messages
            .map(|&(index, edition, is_read)| ledger.take(index, edition, is_read, moment))
            .collect()
    }

    #[test]
    fn a_snapshot_may_stand_anywhere_among_the_changes() {
        let before = [(0, 0, true), (0, 1, false), (1, 0, false), (1, 1, false)];
        let after = [(0, 1, false), (0, 1, true), (1, 0, false), (1, 1, false)];
        let between = [
            (1, 0, false),
            (1, 0, true),
            (0, 0, true),
            (1, 1, false),
            (0, 1, false),
        ];
        for messages in [&before[..], &after, &between] {
            let mut ledger = ledger();
            assert!(take(&mut ledger, messages).iter().all(|is_due| *is_due));
            assert!(ledger.is_settled());
            assert_eq!(ledger.seen(), 1);
            assert_eq!(ledger.report().missing, 0);
        }
    }

    #[test]
    fn what_was_read_before_a_change_must_not_come_after_it() {
        let mut ledger = ledger();
        let late = take(&mut ledger, &[(0, 1, false), (0, 0, true)]);
        assert_eq!(late, [true, false]);
        let early = take(&mut ledger, &[(1, 1, true), (1, 1, false)]);
        assert_eq!(early, [false, false]);
        let report = ledger.report();
        assert_eq!((report.out_of_order, report.missing), (3, 1));
    }

    #[test]
    fn a_document_of_which_nothing_arrives_is_missing() {
        let ledger = ledger();
        assert!(!ledger.is_settled());
        assert_eq!((ledger.seen(), ledger.report().missing), (0, 2));
    }
}
