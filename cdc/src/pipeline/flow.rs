//! Through the window: what was received goes in, what may be sent goes out, what is confirmed leaves.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::warn;

use super::{
    Entry, Error, Pipeline,
    intake::Taken,
    refusal::Reason,
    snapshots::{Next, Turn, View},
};
use crate::{
    health::Cause,
    position::Position,
    retry::millis,
    sabotage::{self, Defect, Point},
};

impl Pipeline {
    /// Encodes what was received, as far as the window has room, and puts the documents of snapshots among it. The first
    /// failure ends the reading; what came before it is still delivered.
    pub(super) fn fill(&mut self) {
        while self.window.room() > 0 {
            if self.snapshots.is_some() {
                // Documents may fill the window again and again, and changes go first.
                self.intake.look();
            }
            let next = self.intake.peek();
            match self.turn(next) {
                Turn::Wait => return,
                Turn::Document => {
                    if let Err(error) = self.take_document() {
                        self.begin_drain(Some(error));
                    }
                }
                Turn::Pass => {
                    let renamed = self.intake.renamed();
                    let Some(taken) = self.intake.next() else {
                        return;
                    };
                    self.take(next, taken);
                    if let (Some(snapshots), Some(renamed)) = (&mut self.snapshots, renamed) {
                        snapshots.renamed(renamed, next);
                    }
                }
            }
        }
    }

    fn turn(&mut self, next: Next) -> Turn {
        // A quarter of the window stays free for changes.
        let has_room = self.window.is_low();
        match &mut self.snapshots {
            Some(snapshots) => snapshots.turn(next, has_room),
            None => Turn::Pass,
        }
    }

    fn take(&mut self, next: Next, taken: Result<Taken, Error>) {
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.passed(next);
        }
        match taken {
            Ok(Taken::Entry(entry)) => self.push(entry),
            Ok(Taken::Idle(position)) => match self.window.last_mut() {
                Some(entry) => entry.position = Some(position),
                None => self.checkpoint.saver.idle(position, Instant::now()),
            },
            Ok(Taken::Nothing) => {}
            Ok(Taken::Skipped(position)) => self.skip(position),
            Ok(Taken::End) => self.begin_drain(None),
            Ok(Taken::Missed) => self.has_missed = true,
            Err(error) => self.begin_drain(Some(error)),
        }
    }

    /// What was up to `position` is lost. It is saved soon: the next start must not find the same hole.
    fn skip(&mut self, position: Position) {
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.lost(&position);
        }
        self.confirm_steps(0);
        match self.window.last_mut() {
            Some(entry) => entry.position = Some(position),
            None => self.checkpoint.saver.confirmed(position, 1, Instant::now()),
        }
    }

    fn push(&mut self, entry: Entry) {
        let bytes = entry.message.bytes();
        self.window.push(entry, bytes);
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.pushed();
        }
    }

    /// Publishes the document of a snapshot whose turn it is.
    fn take_document(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let Some(snapshots) = &mut self.snapshots else {
            return Ok(());
        };
        let Some(taken) = snapshots.take(now) else {
            return Ok(());
        };
        let message = self.intake.read(taken.event)?;
        let has_message = message.is_some();
        if let Some(message) = message {
            self.push(Entry {
                message: Arc::new(message),
                position: None,
                sent: None,
            });
        }
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.published(taken.steps, has_message, now);
        }
        Ok(())
    }

    /// Reads on, and takes the steps of snapshots that no message brings.
    pub(super) fn read_snapshots(&mut self) {
        let Some(snapshots) = &mut self.snapshots else {
            return;
        };
        let view = View {
            next: self.intake.peek(),
            behind_seconds: self.intake.behind_seconds(),
        };
        snapshots.saved(self.checkpoint.saved_documents());
        snapshots.work(view, Instant::now());
        self.confirm_steps(0);
    }

    /// With `count` messages that have left the window, steps of snapshots are confirmed.
    fn confirm_steps(&mut self, count: usize) {
        let Some(snapshots) = &mut self.snapshots else {
            return;
        };
        let steps = snapshots.popped(count);
        if !steps.is_empty() {
            let confirmed = snapshots.confirmed();
            self.checkpoint.take(steps, confirmed, Instant::now());
        }
    }

    /// Takes the confirmed prefix out of the window.
    pub(super) fn advance(&mut self) {
        let mut count = 0;
        let mut reached = None;
        while let Some(entry) = self.window.pop() {
            sabotage::pass(Point::AfterConfirm);
            count += 1;
            let message = &entry.message;
            self.progress
                .confirmed(Some(message.told_ms()), message.happened_ms());
            reached = entry.position.or(reached);
        }
        self.progress.count();
        self.confirm_steps(count);
        let saver = &mut self.checkpoint.saver;
        match reached {
            Some(position) => saver.confirmed(position, count, Instant::now()),
            None => saver.confirmed_in_part(count, Instant::now()),
        }
        if 0 < count && self.refusal.is_over() {
            self.health.clear(Cause::Nacked);
            self.health.clear(Cause::Unroutable);
        }
        if self.window.in_flight() == 0 {
            self.after_refusal();
        }
    }

    /// With every receipt there, all is sent again from the first refused message on.
    fn after_refusal(&mut self) {
        let Some((reason, pause)) = self.refusal.settled(Instant::now()) else {
            return;
        };
        match reason {
            Reason::Unroutable(reason) => {
                self.health.add_obstacle(Cause::Unroutable, reason);
                self.sink.check_again();
            }
            Reason::Nacked => {
                let reason = "rabbitmq refused a message, publishing from it on, one at a time";
                warn!(retry_ms = millis(pause), "{reason}");
                self.health.add_obstacle(Cause::Nacked, reason);
            }
        }
        self.window.rewind();
    }

    /// Sends whatever may be sent now.
    pub(super) fn send(&mut self) {
        if !self.sink.can_send() {
            return;
        }
        let Self {
            window,
            sink,
            refusal,
            checkpoint,
            progress,
            ..
        } = self;
        let mut sent = 0;
        let now = Instant::now();
        sink.send(std::iter::from_fn(|| {
            if !refusal.may_send(window.in_flight()) {
                return None;
            }
            let next = window.send_next()?;
            next.item.sent = Some(now);
            let message = &next.item.message;
            progress.published(message.body.len(), next.again);
            checkpoint.sent(message.cluster_time);
            sent += 1;
            Some((next.sequence, Arc::clone(message)))
        }));
        (0..sent).for_each(|_| sabotage::pass(Point::AfterPublish));
        if sabotage::has(Defect::EarlyCheckpoint)
            && let Some(first) = self.window.find(|_| true)
            && let Some(position) = first.position.clone()
        {
            self.checkpoint.saver.confirmed(position, 0, Instant::now());
        }
    }
}
