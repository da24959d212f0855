//! What came of what was asked of the server.

use std::collections::VecDeque;

use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    Failures, Snapshots,
    marks::Marked,
    reads::{Done, Read},
};
use crate::{
    retry::{chain, millis},
    snapshot::{Chunk, Collection, Consequence, Error, Name, Origin, Run, Step},
};

impl Snapshots {
    pub(super) fn done(&mut self, done: Done, now: Instant) {
        match done {
            Done::Asked(outcome) => self.asked(outcome, now),
            Done::Told(outcome) => self.told(outcome, now),
            Done::Planned(_, Ok(run)) => self.planned(*run),
            Done::Opened(_, Ok(collection)) => self.opened(collection),
            // The run ends with nothing but the reason.
            Done::Planned(wish, Err(error)) if error.consequence() == Consequence::Skip => {
                let skipped = vec![("*".to_owned(), chain(&error))];
                self.planned(Run::new(*wish, VecDeque::new(), 0, skipped));
            }
            Done::Planned(_, Err(error)) => {
                self.is_preparing = false;
                self.failed(&error, now);
            }
            Done::Opened(name, Err(error)) => {
                self.is_preparing = false;
                self.failed_to_read(&name, &error, now);
            }
            Done::Read(id, outcome) => {
                let place = self.reads.iter().position(|read| read.id == id);
                // It may have been given up.
                if let Some(place) = place {
                    let read = self.reads.remove(place);
                    self.read(read, outcome, now);
                }
            }
        }
    }

    fn planned(&mut self, run: Run) {
        self.is_preparing = false;
        self.failures.over();
        self.wants_initial &= run.wish.origin != Origin::Initial;
        self.marked = Marked::default();
        self.pace.limit(self.options.rate_of(run.wish.rate));
        info!(
            run = run.wish.name,
            collections = run.todo.len(),
            documents = run.total,
            "snapshot begins"
        );
        for (collection, reason) in &run.skipped {
            warn!(
                run = run.wish.name,
                collection, reason, "left out of the snapshot"
            );
        }
        self.desk.begun(&run);
        self.step(Step::Began(Box::new(run)));
    }

    fn opened(&mut self, collection: Collection) {
        self.is_preparing = false;
        self.failures.over();
        let run = self.progress.run.as_ref();
        // It may have been renamed meanwhile.
        if run.is_some_and(|run| run.todo.contains(&collection.name)) {
            self.marked.collection = false;
            self.step(Step::Opened(Box::new(collection)));
        }
    }

    fn read(&mut self, read: Read, outcome: Result<Chunk, Error>, now: Instant) {
        let (name, what) = (read.name.clone(), read.what);
        // What has no document must not count before what its range still has to publish.
        let mut before = self.ready.iter_mut().rev();
        let before = before.find(|ready| ready.what == read.what);
        if let (Ok(chunk), Some(before)) = (&outcome, before)
            && chunk.documents.is_empty()
        {
            before.reach(chunk);
            self.failures.over();
            self.note_round();
            return;
        }
        match outcome.map(|chunk| read.ready(chunk)) {
            Ok(Ok(ready)) => {
                self.metrics.snapshot_chunks.inc();
                self.pace.read(ready.documents.len(), ready.bytes());
                self.failures.over();
                self.ready.push_back(ready);
            }
            // There was no document.
            Ok(Err(steps)) => {
                self.failures.over();
                self.marked.give_up(what);
                for step in steps {
                    self.step(step);
                }
                self.note_round();
            }
            Err(error) => self.failed_to_read(&name, &error, now),
        }
    }

    fn failed_to_read(&mut self, name: &Name, error: &Error, now: Instant) {
        match error.consequence() {
            Consequence::Again => self.failed(error, now),
            Consequence::Wait(since) => {
                self.give_up();
                self.gone = Some((name.clone(), since));
            }
            Consequence::Skip => {
                let reason = chain(error);
                warn!(collection = %name, error = reason, "left out of the snapshot");
                self.give_up();
                self.step(Step::Skipped {
                    name: name.clone(),
                    reason,
                });
            }
        }
    }

    /// It is tried again later.
    fn failed(&mut self, error: &Error, now: Instant) {
        let reason = chain(error);
        let delay = self.failures.backoff.next_delay();
        if let Some(tries) = self.failures.repeats.failed(&reason, now) {
            warn!(
                error = reason,
                tried = tries.count,
                for_seconds = tries.seconds,
                retry_ms = millis(delay),
                "the snapshot waits"
            );
        }
        self.failures.retry_at = Some(now + delay);
    }
}

impl Failures {
    fn over(&mut self) {
        self.backoff.reset();
        self.repeats.reset();
        self.retry_at = None;
    }
}
