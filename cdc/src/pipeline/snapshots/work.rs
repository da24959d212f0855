//! What a run asks of the server, one thing after the other.

use tokio::time::Instant;
use tracing::info;

use super::{
    Snapshots,
    gate::Next,
    reads::{Done, Read, What},
    waiting::Waiting,
};
use crate::{
    event::Mark,
    position::CATCHING_UP_SECONDS,
    snapshot::{Collection, INITIAL, Name, Origin, Piece, Step, Wish},
};

/// Chunks that are read or wait, at most.
const AHEAD_MAX: usize = 3;

/// What the rest of the pipeline is doing.
#[derive(Debug, Clone, Copy)]
pub(in crate::pipeline) struct View {
    /// What is to be handed over next.
    pub(in crate::pipeline) next: Next,
    /// How many seconds the reading is behind the server's time.
    pub(in crate::pipeline) behind_seconds: u32,
}

impl Snapshots {
    /// Waits until there is something to do.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(in crate::pipeline) async fn wait(&mut self) {
        let now = Instant::now();
        let deadlines = [
            self.pace.deadline(),
            self.pace
                .rest_until()
                .filter(|_| self.progress.run.is_some()),
            self.failures.retry_at,
            self.desk.due(),
        ];
        let deadline = deadlines.into_iter().flatten().filter(|at| now < *at).min();
        let has_jobs = !self.jobs.is_empty();
        tokio::select! {
            Some(done) = self.jobs.join_next(), if has_jobs => {
                // An error means that the job was given up.
                if let Ok(done) = done {
                    self.done(done, Instant::now());
                }
            }
            () = crate::pipeline::sleep_until(deadline) => {}
        }
    }

    /// Begins what can be begun.
    pub(in crate::pipeline) fn work(&mut self, view: View, now: Instant) {
        if self.is_closed {
            return;
        }
        self.look(now);
        if self.requests.is_some() && !self.desk.has_looked {
            return;
        }
        self.note_run();
        let waiting = self.waits_for(view, now);
        self.note_waiting(waiting);
        if matches!(waiting, Some(Waiting::Paused | Waiting::Mongodb)) {
            return;
        }
        if self.is_gone() {
            return;
        }
        let Some(run) = &self.progress.run else {
            return self.plan();
        };
        let Some(collection) = &run.current else {
            return match run.todo.front() {
                Some(name) => self.open(name.clone()),
                None => self.end(view, now),
            };
        };
        if !collection.ranges.iter().all(|range| range.is_done) {
            return self.read_on(view, now);
        }
        let name = collection.name.clone();
        if 0 < collection.documents && !self.marked.collection {
            self.read_last(Mark::CollectionLast, name, view, now);
        } else {
            self.step(Step::CollectionDone);
            self.work(view, now);
        }
    }

    /// Whether it has to wait for what the stream tells of a collection that is gone. One that was not renamed by then was
    /// dropped.
    fn is_gone(&mut self) -> bool {
        let Some((name, since)) = self.gone.take() else {
            return false;
        };
        if !self.gate.is_complete(since) {
            self.gone = Some((name, since));
            return true;
        }
        let Some(run) = &self.progress.run else {
            return false;
        };
        if run.todo.contains(&name) && run.current.is_none() {
            let empty = Collection::new(name, 0, &[], None);
            self.step(Step::Opened(Box::new(empty)));
        } else if run
            .current
            .as_ref()
            .is_some_and(|current| current.name == name)
        {
            self.step(Step::CollectionDone);
        }
        false
    }

    fn waits_for(&self, view: View, now: Instant) -> Option<Waiting> {
        if self.desk.is_paused {
            Some(Waiting::Paused)
        } else if self.failures.retry_at.is_some_and(|at| now < at) {
            Some(Waiting::Mongodb)
        } else {
            (CATCHING_UP_SECONDS <= view.behind_seconds).then_some(Waiting::CatchingUp)
        }
    }

    /// The next run, if there is to be one.
    fn plan(&mut self) {
        let initial = || Wish {
            name: INITIAL.to_owned(),
            origin: Origin::Initial,
            collections: None,
            filter: None,
            rate: None,
        };
        let first = self.wants_initial.then(initial);
        let own = first.or_else(|| self.progress.pending.front().cloned());
        let Some(wish) = own.or_else(|| self.desk.next().cloned()) else {
            return;
        };
        if !self.is_preparing {
            self.is_preparing = true;
            let reader = self.reader.clone();
            self.jobs.spawn(async move {
                let planned = reader.plan(wish.clone()).await;
                Done::Planned(Box::new(wish), planned.map(Box::new))
            });
        }
    }

    fn open(&mut self, name: Name) {
        if let Some(time) = self.gate.time().filter(|_| !self.is_preparing) {
            self.is_preparing = true;
            let reader = self.reader.clone();
            self.jobs.spawn(async move {
                let opened = reader.open(&name, time).await;
                Done::Opened(name, opened)
            });
        }
    }

    /// Ends the run, once its last document is marked.
    fn end(&mut self, view: View, now: Instant) {
        let Some(run) = &self.progress.run else {
            return;
        };
        match &run.last {
            Some(name) if !self.marked.run => {
                let name = name.clone();
                self.read_last(Mark::RunLast, name, view, now);
            }
            _ => self.ended(),
        }
    }

    fn ended(&mut self) {
        if let Some(run) = &self.progress.run {
            info!(
                run = run.wish.name,
                documents = run.documents,
                collections = run.done,
                skipped = run.skipped.len(),
                "snapshot is read"
            );
        }
        self.step(Step::Ended {
            is_cancelled: false,
        });
    }

    fn read_on(&mut self, view: View, now: Instant) {
        while self.may_read(view, now) {
            let Some(piece) = self.next_piece() else {
                return;
            };
            let (range, piece) = piece;
            self.begin(What::Chunk(range), piece, now);
        }
    }

    /// Changes go first: nothing is read while any waits, or the stream is far behind, or while changes come and what was
    /// published before is not confirmed.
    fn may_read(&self, view: View, now: Instant) -> bool {
        let under_way = self.reads.len() + self.ready.len();
        let has_room = if self.pace.is_live(now) {
            under_way == 0 && self.published == self.confirmed
        } else if self.pace.are_large() {
            under_way == 0
        } else {
            under_way < AHEAD_MAX
        };
        let is_rested = self.pace.rest_until().is_none_or(|until| until <= now);
        let is_near = view.behind_seconds < CATCHING_UP_SECONDS;
        has_room && is_rested && is_near && view.next == Next::Nothing && self.gate.time().is_some()
    }

    /// What is to be read of the first range that nothing is read of.
    fn next_piece(&self) -> Option<(usize, Piece)> {
        let run = self.progress.run.as_ref()?;
        let collection = run.current.as_ref()?;
        let documents = self.pace.documents();
        let is_read = |range: usize| {
            let is_it = |read: &Read| read.what == What::Chunk(range);
            let mut ready = self.ready.iter();
            self.reads.iter().any(is_it)
                || ready.any(|ready| ready.range() == Some(range) && ready.is_end)
        };
        let mut ranges = collection.ranges.iter().enumerate();
        let (index, range) = ranges.find(|(index, range)| !range.is_done && !is_read(*index))?;
        let ready = self.ready.iter().rev();
        let mut ready = ready.filter(|ready| ready.range() == Some(index));
        let ahead = ready.next().and_then(|ready| ready.last_key());
        let piece = Piece {
            name: collection.name.clone(),
            filter: run.wish.filter.clone(),
            from: range.from.clone(),
            after: ahead.cloned().or_else(|| range.after.clone()),
            to: range.to.clone(),
            is_single: range.is_single,
            documents: if range.is_single { 1 } else { documents },
            time: self.gate.time()?,
        };
        Some((index, piece))
    }

    fn read_last(&mut self, mark: Mark, name: Name, view: View, now: Instant) {
        let filter = self
            .progress
            .run
            .as_ref()
            .and_then(|run| run.wish.filter.clone());
        let is_idle = self.reads.is_empty() && self.ready.is_empty();
        let Some(time) = self
            .gate
            .time()
            .filter(|_| is_idle && self.may_read(view, now))
        else {
            return;
        };
        let piece = Piece {
            filter,
            ..Piece::whole(name, time)
        };
        self.begin(What::Last(mark), piece, now);
    }

    fn begin(&mut self, what: What, piece: Piece, now: Instant) {
        let id = self.next_id;
        self.next_id += 1;
        self.pace.begun(now);
        let (reader, time, name) = (self.reader.clone(), piece.time, piece.name.clone());
        let handle = self.jobs.spawn(async move {
            let read = match what {
                What::Chunk(_) => reader.chunk(&piece).await,
                What::Last(_) => reader.last(&piece).await,
            };
            Done::Read(id, read)
        });
        self.reads.push(Read::new((id, what, name), time, handle));
    }
}
