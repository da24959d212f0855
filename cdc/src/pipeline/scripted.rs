//! A checkpoint for tests, which checks each save against what the target has.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bson::Timestamp;

use crate::{
    checkpoint::Error,
    position::Position,
    sink::scripted::{Took, World},
    snapshot::Progress,
};

/// What outlives sessions.
#[derive(Debug, Default)]
pub(super) struct Saved {
    /// How many of the events are before the checkpoint.
    pub(super) count: usize,
    /// What was wrong with a save.
    pub(super) fault: Option<String>,
    /// Saves that are still to fail.
    pub(super) failures_left: u32,
    /// How far snapshots are.
    pub(super) snapshot: Progress,
}

/// What a test says to a save of how far snapshots are.
pub(super) trait Audit: std::fmt::Debug + Send + Sync {
    /// What is wrong with it, with so much in the queue.
    fn fault(&self, progress: &Progress, world: &World) -> Option<String>;
}

/// Before the first event.
const START: Position = Position::At(Timestamp {
    time: 0,
    increment: 0,
});

/// See the module's text.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) saved: Arc<Mutex<Saved>>,
    /// Positions after each event, and its messages.
    pub(super) events: Arc<Vec<(Position, Vec<Took>)>>,
    /// How long a save takes.
    pub(super) delay: Duration,
    /// How far snapshots are.
    pub(super) snapshot: Progress,
    pub(super) audit: Option<Arc<dyn Audit>>,
}

impl Store {
    /// Where the session reads on.
    pub(super) fn position(&self) -> Position {
        let count = self.saved.lock().unwrap().count;
        let before = count.checked_sub(1).map(|last| self.events[last].0.clone());
        before.unwrap_or(START)
    }

    pub(super) fn keep(&mut self, snapshot: Progress) {
        self.snapshot = snapshot;
    }

    pub(super) async fn save(&mut self, position: &Position) -> Result<(), Error> {
        let after = self.events.iter().position(|(after, _)| after == position);
        let count = match after {
            Some(index) => index + 1,
            None if *position == START => 0,
            None => panic!("only positions of events are saved"),
        };
        self.check(count);
        tokio::time::sleep(self.delay).await;
        let mut saved = self.saved.lock().unwrap();
        if saved.failures_left > 0 {
            saved.failures_left -= 1;
            return Err(Error::passing());
        }
        if count < saved.count {
            saved.fault = Some(format!("went back from {} to {count}", saved.count));
        }
        saved.count = count;
        saved.snapshot = self.snapshot.clone();
        Ok(())
    }

    /// All that the checkpoint passes has to be in one of the queues.
    fn check(&self, count: usize) {
        let world = self.world.lock().unwrap();
        let audit = self.audit.as_ref();
        if let Some(fault) = audit.and_then(|audit| audit.fault(&self.snapshot, &world)) {
            self.saved.lock().unwrap().fault.get_or_insert(fault);
        }
        let messages = self.events[..count]
            .iter()
            .flat_map(|(_, messages)| messages);
        let mut messages = messages
            .filter(|message| !world.queue.contains(message) && !world.parked.contains(message));
        if let Some(message) = messages.next() {
            let fault = format!("a save of {count} events passes {message:?}, which no queue has");
            self.saved.lock().unwrap().fault.get_or_insert(fault);
        }
    }
}
