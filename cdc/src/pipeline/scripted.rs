//! A checkpoint for tests, which checks each save against what the target has.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{checkpoint::Error, message::MessageId, position::Position, sink::scripted::World};

/// What outlives sessions.
#[derive(Debug, Default)]
pub(super) struct Saved {
    /// How many of the events are before the checkpoint.
    pub(super) count: usize,
    /// What was wrong with a save.
    pub(super) fault: Option<String>,
    /// Saves that are still to fail.
    pub(super) failures_left: u32,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) saved: Arc<Mutex<Saved>>,
    /// Positions after each event, and the ids of their messages.
    pub(super) events: Arc<Vec<(Position, MessageId)>>,
    /// How long a save takes.
    pub(super) delay: Duration,
}

impl Store {
    pub(super) async fn save(&mut self, position: &Position) -> Result<(), Error> {
        let count = 1 + self
            .events
            .iter()
            .position(|(after, _)| after == position)
            .expect("only positions of events are saved");
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
        Ok(())
    }

    /// All that the checkpoint passes has to be in one of the queues.
    fn check(&self, count: usize) {
        let world = self.world.lock().unwrap();
        let missing = self.events[..count].iter().find(|(_, id)| {
            let id = id.to_string();
            !world.queue.contains(&id) && !world.parked.contains(&id)
        });
        if let Some((_, id)) = missing {
            let fault = format!("a save of {count} events passes {id}, which no queue has");
            self.saved.lock().unwrap().fault.get_or_insert(fault);
        }
    }
}
