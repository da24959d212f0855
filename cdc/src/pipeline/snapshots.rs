//! Puts the documents of snapshots among the changes, each where it is true.
//!
//! A chunk is read at the cluster time that the stream has reached. Whatever comes later waits until the chunk is
//! published, or is given up because it takes too long: changes go first. Nothing is compared, and nothing is written to
//! the watched databases.

mod desk;
mod gate;
mod log;
mod marks;
mod outcome;
mod pace;
mod reads;
mod waiting;
mod wishes;
mod work;

use std::collections::VecDeque;

use bson::{RawDocument, Timestamp};
use tokio::{task::JoinSet, time::Instant};

use self::{
    desk::Desk,
    gate::Gate,
    log::Log,
    marks::Marked,
    pace::Pace,
    reads::{Done, Read, Ready},
    waiting::Waiting,
};
pub(super) use self::{gate::Next, work::View};
use crate::{
    event::{self, ChangeEvent, Reading},
    metrics::Metrics,
    retry::{Backoff, Repeats},
    snapshot::{Name, Options, Progress, Reader, Step, When, requests::Requests},
    source::{HistoryLost, Scope},
};

/// Most documents that are published and not in a saved checkpoint: so many are read again after a crash.
const UNSAVED_MAX: u64 = if cfg!(test) { 20 } else { 5_000 };

/// See the module's text.
#[derive(Debug)]
pub(super) struct Snapshots {
    reader: Reader,
    scope: Scope,
    options: Options,
    on_history_lost: HistoryLost,
    /// With all that was put into the window.
    progress: Progress,
    log: Log,
    gate: Gate,
    pace: Pace,
    jobs: JoinSet<Done>,
    reads: Vec<Read>,
    ready: VecDeque<Ready>,
    /// Whether a job prepares a run or a collection.
    is_preparing: bool,
    failures: Failures,
    requests: Option<Requests>,
    desk: Desk,
    /// Whether the settings ask for a run that was not begun yet.
    wants_initial: bool,
    marked: Marked,
    /// A collection that has no name any more, and when that was so. A rename of it is in the stream by then.
    gone: Option<(Name, Timestamp)>,
    waiting: Option<Waiting>,
    /// A change whose time is taken.
    probe: Option<Probe>,
    metrics: Metrics,
    next_id: u64,
    /// Whether nothing more is to be read.
    is_closed: bool,
    /// Documents that went into the window, that have left it, and that a saved checkpoint has.
    published: u64,
    confirmed: u64,
    saved: u64,
}

/// A change in the window whose time is taken.
#[derive(Debug, Clone, Copy)]
struct Probe {
    /// Number of the message.
    number: u64,
    since: Instant,
    /// Whether documents of a snapshot were before it.
    is_beside: bool,
}

/// Failures to read that pass.
#[derive(Debug, Default)]
struct Failures {
    backoff: Backoff,
    repeats: Repeats,
    /// Nothing is asked of the server before.
    retry_at: Option<Instant>,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// To publish a document: [`Snapshots::take`].
    Document,
    /// To hand over what comes next, if anything does.
    Pass,
    /// To wait.
    Wait,
}

/// What snapshots are made with.
#[derive(Debug)]
pub struct Parts {
    /// Reads documents.
    pub reader: Reader,
    /// How far the checkpoint is.
    pub progress: Progress,
    /// What people ask.
    pub requests: Option<Requests>,
    /// What is watched.
    pub scope: Scope,
    /// When snapshots are made, and how fast.
    pub options: Options,
    /// Whether one follows where changes are lost.
    pub on_history_lost: HistoryLost,
}

/// A document to publish, and what follows when it is in the window.
#[derive(Debug)]
pub(super) struct Taken {
    /// It as an event.
    pub(super) event: Result<ChangeEvent, event::Error>,
    /// For [`Snapshots::published`].
    pub(super) steps: Vec<Step>,
}

impl Snapshots {
    /// Goes on from where the checkpoint was.
    pub(super) fn new(parts: Parts, metrics: Metrics) -> Self {
        let progress = parts.progress;
        let wants_initial = parts.options.when == When::Initial;
        let mut pace = Pace::new();
        let rate = progress.run.as_ref().and_then(|run| run.wish.rate);
        pace.limit(parts.options.rate_of(rate));
        Self {
            wants_initial: wants_initial && !progress.has_begun_initial,
            on_history_lost: parts.on_history_lost,
            reader: parts.reader,
            progress,
            scope: parts.scope,
            options: parts.options,
            log: Log::default(),
            gate: Gate::default(),
            pace,
            jobs: JoinSet::new(),
            reads: Vec::new(),
            ready: VecDeque::new(),
            is_preparing: false,
            failures: Failures::default(),
            requests: parts.requests,
            desk: Desk::default(),
            marked: Marked::default(),
            gone: None,
            waiting: None,
            probe: None,
            metrics,
            next_id: 0,
            is_closed: false,
            published: 0,
            confirmed: 0,
            saved: 0,
        }
    }

    /// What to do, with `next` to be handed over, and with room in the window for a document or not.
    pub(super) fn turn(&mut self, next: Next, has_room: bool) -> Turn {
        if self.reads.is_empty() && self.ready.is_empty() {
            return Turn::Pass;
        }
        let is_waiting = match next {
            Next::Rest | Next::Idle(_) => return Turn::Pass,
            Next::Change(time) => self.has_earlier(time),
            Next::Nothing => false,
        };
        if is_waiting {
            let now = Instant::now();
            self.pace.hold(now);
            if self.pace.deadline().is_some_and(|deadline| deadline <= now) {
                self.give_up();
                return Turn::Pass;
            }
        }
        let is_open = |ready: &Ready| self.gate.is_open(ready.time, next);
        let may_publish = has_room && self.published - self.saved < UNSAVED_MAX;
        if may_publish && self.ready.front().is_some_and(is_open) {
            return Turn::Document;
        }
        if is_waiting { Turn::Wait } else { Turn::Pass }
    }

    /// `next` was handed over.
    pub(super) fn passed(&mut self, next: Next) {
        self.gate.pass(next);
        if self.progress.run.is_some() && matches!(next, Next::Change(_)) {
            let now = Instant::now();
            if self.probe.is_none() {
                self.probe = Some(Probe {
                    number: self.log.counts().0 + 1,
                    since: self.pace.held_since().unwrap_or(now),
                    is_beside: self.confirmed < self.published || self.pace.held_since().is_some(),
                });
            }
            self.pace.change(now);
        }
    }

    /// The document that is next, out of what was read.
    pub(super) fn take(&mut self, now: Instant) -> Option<Taken> {
        let run = self.progress.run.as_ref()?;
        let ready = self.ready.front_mut()?;
        let (key, document) = ready.documents.pop_front()?;
        let is_last = ready.documents.is_empty();
        let marks = self.marked.of(run, ready, is_last);
        let event =
            RawDocument::from_bytes(&document).map_or(Err(event::Error::Missing("_id")), |raw| {
                let reading = Reading {
                    run: &run.wish.name,
                    namespace: ready.name.namespace(),
                    document: raw,
                    time: ready.time,
                    range: marks::range(run, ready),
                    // A share reads a part of the collection, too.
                    is_filtered: run.wish.filter.is_some() || self.scope.share.is_some(),
                    marks,
                };
                reading.event()
            });
        let mut steps = Vec::new();
        if let Some(range) = ready.range() {
            let bytes = Some(document.len() as u64);
            steps.push(Step::Read { range, key, bytes });
        }
        if is_last && let Some(ready) = self.ready.pop_front() {
            steps.extend(ready.end());
        }
        for step in &steps {
            self.progress.take(step.clone());
        }
        if self.ready.is_empty() && self.reads.is_empty() {
            self.pace.published_all(now);
        }
        Some(Taken { event, steps })
    }

    /// What was taken is in the window, if there is a message for it, or else was passed.
    pub(super) fn published(&mut self, steps: Vec<Step>, has_message: bool, now: Instant) {
        if has_message {
            self.pace.published(1, now);
        }
        for step in steps {
            if let Step::Read {
                bytes: Some(bytes), ..
            } = step
            {
                self.published += 1;
                self.metrics.snapshot_documents.inc();
                self.metrics.snapshot_bytes.inc_by(bytes);
            }
            self.log.add(step);
        }
    }

    /// A message is in the window.
    pub(super) fn pushed(&mut self) {
        self.log.pushed();
    }

    /// Messages have left the window, confirmed. Gives the steps that are confirmed with them.
    pub(super) fn popped(&mut self, count: usize) -> Vec<Step> {
        self.log.popped(count);
        let popped = self.log.counts().1;
        if let Some(probe) = self.probe.take_if(|probe| probe.number <= popped) {
            let time = Instant::now().duration_since(probe.since);
            self.pace.took(time, probe.is_beside);
        }
        let steps: Vec<Step> = std::iter::from_fn(|| self.log.next()).collect();
        let documents = steps.iter().filter(|step| is_document(step)).count();
        self.confirmed += documents as u64;
        if 0 < documents {
            self.note_round();
        }
        steps
    }

    /// Tells the pace where nothing of what was read is under way any more.
    fn note_round(&mut self) {
        let is_over = self.reads.is_empty() && self.ready.is_empty();
        if is_over && self.confirmed == self.published {
            self.pace.confirmed_all(Instant::now());
        }
    }

    /// How many documents of this session are confirmed.
    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// A saved checkpoint has so many documents of this session.
    pub(super) fn saved(&mut self, documents: u64) {
        self.saved = documents;
    }

    /// Reads no more.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.jobs.abort_all();
        self.reads.clear();
        self.ready.clear();
    }

    /// What was read and is not in the window is read again later.
    fn give_up(&mut self) {
        let given_up = self.reads.len() + self.ready.len();
        self.metrics
            .snapshot_chunks_given_up
            .inc_by(given_up as u64);
        for read in self.reads.drain(..) {
            read.abort();
        }
        self.ready.clear();
        self.pace.given_up();
    }

    /// Whether anything is under way that has to be published before what happened at `time`.
    fn has_earlier(&self, time: Timestamp) -> bool {
        self.reads.iter().any(|read| read.time() < time)
            || self.ready.iter().any(|ready| ready.time < time)
    }

    /// A step that no message brings.
    fn step(&mut self, step: Step) {
        if matches!(step, Step::Began(_) | Step::Ended { .. }) {
            self.desk.forget();
        }
        self.progress.take(step.clone());
        self.log.add(step);
    }
}

/// Whether it is a document that was published.
fn is_document(step: &Step) -> bool {
    matches!(step, Step::Read { bytes: Some(_), .. })
}

#[cfg(test)]
mod tests;
