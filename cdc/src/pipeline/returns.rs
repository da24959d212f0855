//! Messages that came back because they match no queue.

use std::{ops::ControlFlow, sync::Arc};

use tracing::warn;

use super::{End, Error, OnUnroutable, Pipeline, Why, refusal::Reason};
use crate::{
    message::{Message, ParkReason, Target},
    retry::chain,
    sabotage::{self, Defect},
    sink::Returned,
};

impl Pipeline {
    /// The message is named by its own id, since its return may ride on another message's confirm. Copies for several
    /// partitions share it.
    pub(super) fn on_returned(&mut self, returned: Returned) -> ControlFlow<End> {
        self.metrics.messages_returned.inc();
        if sabotage::has(Defect::DropReturned) {
            return ControlFlow::Continue(());
        }
        let policy = self.config.policies.on_unroutable;
        let is_it = |message: &Message| {
            message.partition.map(|partition| partition.number) == returned.partition
                && message.message_id.to_string() == returned.message_id
        };
        let Some((sequence, entry)) = self.window.mark_returned(|entry| is_it(&entry.message))
        else {
            if policy == OnUnroutable::Drop && !self.config.policies.park() {
                self.dropped.add(&returned.message_id, &self.metrics);
                return ControlFlow::Continue(());
            }
            // It counted as confirmed for a moment: nothing that is not yet saved may be saved any more.
            let again = self.read_again(Why::Forgotten);
            let target = format!("exchange {:?}", self.intake.encode().exchange);
            return ControlFlow::Break(match policy {
                OnUnroutable::Stop => Err(unroutable(returned, target)),
                OnUnroutable::Retry | OnUnroutable::Park | OnUnroutable::Drop => Ok(again),
            });
        };
        let exchange = &self.intake.encode().exchange;
        let target = match &entry.message.target {
            Target::Parked => "the parking queue".to_owned(),
            Target::Main(key) => format!(
                "exchange {exchange:?}, routing key {key:?}, change of `{}`",
                entry.message.namespace
            ),
        };
        let was_parked = entry.message.target == Target::Parked;
        match policy {
            _ if was_parked => return ControlFlow::Break(Err(unroutable(returned, target))),
            OnUnroutable::Stop => return ControlFlow::Break(Err(unroutable(returned, target))),
            OnUnroutable::Park => {
                let reason = returned.reason.as_str();
                let parked = entry.message.park(ParkReason::Unroutable, reason, exchange);
                entry.message = Arc::new(parked);
                self.window.resend(sequence);
                self.metrics.parked(ParkReason::Unroutable);
                warn!(error = chain(&unroutable(returned, target)), "parked");
            }
            OnUnroutable::Drop => {
                self.window.give_up(sequence);
                self.dropped.add(&target, &self.metrics);
            }
            OnUnroutable::Retry => {
                let text = chain(&unroutable(returned, target));
                if self.refusal.refused(Reason::Unroutable(text.clone())) {
                    warn!(
                        error = text,
                        "looking whether what we own is there, and trying again"
                    );
                }
            }
        }
        ControlFlow::Continue(())
    }
}

fn unroutable(returned: Returned, target: String) -> Error {
    Error::Unroutable {
        message_id: returned.message_id,
        reason: returned.reason,
        target,
    }
}
