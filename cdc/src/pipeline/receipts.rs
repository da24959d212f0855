//! What the broker and the checkpoint's store have said, and what follows from it.

use std::ops::ControlFlow;

use tracing::{info, warn};

use super::{End, Error, OnOversize, Outcome, Pipeline, Why, checkpointer::Turn, refusal::Reason};
use crate::{
    checkpoint,
    health::Cause,
    retry::chain,
    sink::{self, Ending, Receipt, Verdict},
};

impl Pipeline {
    pub(super) fn on_sink(
        &mut self,
        event: sink::Event,
        receipts: &mut Vec<Receipt>,
    ) -> ControlFlow<End> {
        let verdicts = self.on_receipts(receipts);
        match event {
            sink::Event::Receipts => {}
            sink::Event::Connected => {
                let again = self.window.rewind();
                self.refusal.reconnected();
                info!(
                    messages = again,
                    "{} connected again, publishing from the first unconfirmed message",
                    self.sink.target()
                );
            }
            sink::Event::Lost(error) => warn!(
                error = chain(&error),
                unconfirmed = self.window.len(),
                "{} lost",
                self.sink.target()
            ),
            sink::Event::Ended(ending) => return ControlFlow::Break(self.on_sink_ended(ending)),
        }
        verdicts
    }

    fn on_sink_ended(&mut self, ending: Ending) -> End {
        match ending {
            Ending::Superseded(error) => Ok(Outcome::Superseded(error.into())),
            Ending::Forgotten => Ok(self.read_again(Why::Forgotten)),
            Ending::TooLarge {
                bytes,
                limit,
                error,
            } => {
                let known = self.max_message_bytes;
                let is_news = known.is_none_or(|known| limit < known);
                if self.config.policies.on_oversize != OnOversize::Stop && is_news {
                    return Ok(Outcome::Reread(Why::TooLarge(limit)));
                }
                let refused = self.window.find(|entry| entry.message.body.len() == bytes);
                Err(match refused {
                    Some(entry) => Error::oversize(&entry.message, limit),
                    None => error.into(),
                })
            }
            Ending::Failed(error) => Err(error.into()),
        }
    }

    /// Ends the session without a save, so that all that is not saved yet comes again.
    pub(super) fn read_again(&mut self, why: Why) -> Outcome {
        self.checkpoint.saver.freeze();
        Outcome::Reread(why)
    }

    pub(super) fn on_receipts(&mut self, receipts: &mut Vec<Receipt>) -> ControlFlow<End> {
        let mut flow = ControlFlow::Continue(());
        for Receipt {
            sequence,
            verdict,
            returned,
        } in receipts.drain(..)
        {
            let sent = self.window.on_verdict(sequence, verdict).sent;
            match verdict {
                Verdict::Nacked => {
                    self.metrics.messages_nacked.inc();
                    self.refusal.refused(Reason::Nacked);
                }
                Verdict::Confirmed if returned.is_none() => {
                    self.progress.accepted(sent);
                    self.refusal.accepted();
                }
                Verdict::Confirmed => {}
            }
            // Every return is looked at, since each may be of a message that has left the window already.
            if let Some(returned) = returned {
                let next = self.on_returned(returned);
                flow = if flow.is_break() { flow } else { next };
            }
        }
        self.progress.count();
        flow
    }

    /// A failure that only a person can mend ends the reading; what is in the window is still delivered.
    pub(super) fn on_step(
        &mut self,
        step: Result<Turn, checkpoint::Error>,
        receipts: &mut Vec<Receipt>,
    ) -> ControlFlow<End> {
        match step {
            Ok(Turn::Ended) => {}
            Ok(Turn::Due) => {
                // Any of them may carry the return of a message that counts as confirmed.
                self.sink.sweep(receipts);
                let flow = self.on_receipts(receipts);
                self.checkpoint.start();
                return flow;
            }
            Err(error @ checkpoint::Error::Taken { .. }) => {
                return ControlFlow::Break(Ok(Outcome::Superseded(error.into())));
            }
            Err(error) => {
                self.health.add_obstacle(Cause::Checkpoint, chain(&error));
                self.begin_drain(Some(error.into()));
            }
        }
        ControlFlow::Continue(())
    }
}
