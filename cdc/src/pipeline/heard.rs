//! What the broker and the checkpoint's store have said, and what follows from it.

use std::ops::ControlFlow;

use tracing::{info, warn};

use super::{End, Error, OnOversize, Outcome, Pipeline, link, saver::Step};
use crate::{
    checkpoint,
    health::Cause,
    publish::{self, Judgement, Verdict},
    retry::chain,
};

impl Pipeline {
    pub(super) fn on_link(
        &mut self,
        event: link::Event,
        judgements: &mut Vec<Judgement>,
    ) -> ControlFlow<End> {
        let verdicts = self.on_judgements(judgements);
        match event {
            link::Event::Judged => {}
            link::Event::Connected if self.link.is_fresh() => {
                info!("rabbitmq connected again, publishing all that its new queue may have lost");
                // Another client may have declared it anew, so that it is there says nothing.
                return ControlFlow::Break(Ok(self.read_again()));
            }
            link::Event::Connected => {
                let again = self.window.reconnect();
                info!(
                    messages = again,
                    "rabbitmq connected again, publishing from the first unconfirmed message"
                );
            }
            link::Event::Lost(error) => warn!(
                error = chain(&error),
                unconfirmed = self.window.len(),
                "rabbitmq lost"
            ),
            link::Event::Failed(error) => return ControlFlow::Break(self.on_link_failed(error)),
        }
        verdicts
    }

    fn on_link_failed(&mut self, error: publish::Error) -> End {
        match error {
            publish::Error::Locked => Ok(Outcome::Superseded(error.into())),
            publish::Error::NoQueue { .. } => {
                warn!(error = chain(&error), "the queue is gone with what it held");
                Ok(self.read_again())
            }
            publish::Error::Oversize { bytes, limit } => {
                let is_news = self
                    .config
                    .max_message_bytes
                    .is_none_or(|known| limit < known);
                if self.config.policies.on_oversize != OnOversize::Stop && is_news {
                    return Ok(Outcome::Reread {
                        max_message_bytes: Some(limit),
                    });
                }
                let refused = self.window.find(|entry| entry.message.body.len() == bytes);
                Err(match refused {
                    Some(entry) => Error::oversize(&entry.message, error),
                    None => error.into(),
                })
            }
            error => Err(error.into()),
        }
    }

    /// Ends the session without a save, so that all that is not saved yet comes again.
    pub(super) fn read_again(&mut self) -> Outcome {
        self.saver.freeze();
        Outcome::Reread {
            max_message_bytes: None,
        }
    }

    pub(super) fn on_judgements(&mut self, judgements: &mut Vec<Judgement>) -> ControlFlow<End> {
        let mut flow = ControlFlow::Continue(());
        for Judgement {
            sequence,
            verdict,
            returned,
        } in judgements.drain(..)
        {
            self.window.judge(sequence, verdict);
            if verdict == Verdict::Nacked {
                self.metrics.messages_nacked.inc();
            } else if returned.is_none() {
                self.nack_backoff.reset();
            }
            // Every return is looked at, since each may be of a message that has left the window already.
            if let Some(returned) = returned {
                let next = self.on_returned(returned);
                flow = if flow.is_break() { flow } else { next };
            }
        }
        flow
    }

    /// A failure that only a person can mend ends the reading; what is in the window is still delivered.
    pub(super) fn on_step(
        &mut self,
        step: Result<Step, checkpoint::Error>,
        judgements: &mut Vec<Judgement>,
    ) -> ControlFlow<End> {
        match step {
            Ok(Step::Done) => {}
            Ok(Step::Settled) => {
                // Any of them may carry the return of a message that counts as confirmed.
                self.link.sweep(judgements);
                let flow = self.on_judgements(judgements);
                self.saver.start();
                return flow;
            }
            Err(error @ checkpoint::Error::Taken { .. }) => {
                return ControlFlow::Break(Ok(Outcome::Superseded(error.into())));
            }
            Err(error) => {
                self.health.hinder(Cause::Checkpoint, chain(&error));
                self.begin_drain(Some(error.into()));
            }
        }
        ControlFlow::Continue(())
    }
}
