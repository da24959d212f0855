//! Where messages go: the contract that every sink keeps, and the sinks there are.
//!
//! - **Order.** Messages go out in the order of [`Sink::send`], each of which has a number of the caller's.
//! - **Receipts.** While the connection lives, each message that was sent gets one receipt, in any order. A plain
//!   [`Verdict::Confirmed`] means that the target has the message for good, unless [`Sink::may_forget`].
//! - **Returns.** A message that matched no queue comes back on some receipt, its own or another's, and counts as not
//!   delivered whatever its own verdict is. When the receipts of a message and of all before it are there, so is its
//!   return, if there is one: it is among the receipts that [`Sink::sweep`] gives.
//! - **Loss.** Every receipt that exists comes before or with [`Event::Lost`], since it may carry a return; after that
//!   none comes for what was sent before, but for those that come with [`Event::Connected`]. The sink connects again by
//!   itself, for as long as it takes, and says so; then the caller sends all again that has no receipt, in order.
//! - **Exactness.** Where [`Sink::is_exact`], the target has each message once, if what has a receipt is not sent again.
//! - **End.** [`Event::Ended`] is the last event. What it means for the session stands with each [`Ending`].
//! - **One publisher.** Whatever a sink sends, it holds the pipeline's lease; one that lost it ends. A sink of a program's
//!   own has no lease: there the checkpoint alone has one writer, and an engine ends that another one takes it from.
//! - **Cancel safety.** No receipt and no event is lost where a wait is dropped.

pub mod own;
pub mod rabbitmq;
#[cfg(test)]
pub(crate) mod scripted;

pub use self::rabbitmq::stream::{Place, Places, UpTo};
use std::{error::Error as StdError, sync::Arc, time::Duration};

use crate::{message::Message, rabbitmq::Error as RabbitmqError, retry::Disposition};

/// Targets in words.
const RABBITMQ: &str = "rabbitmq";
const OWN: &str = "the sink";

/// A sink, connected and ready.
#[derive(Debug)]
pub enum Sink {
    /// RabbitMQ.
    Rabbitmq(Box<rabbitmq::Link>),
    /// One of the program's own.
    Own(Box<own::Own>),
    /// A target that does what a test wants.
    #[cfg(test)]
    Scripted(Box<scripted::Scripted>),
}

/// What the target says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Taken, for good.
    Confirmed,
    /// Not taken; it has to be sent again.
    Nacked,
}

/// What the target said of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Number that [`Sink::send`] was given.
    pub sequence: u64,
    /// The verdict on that message.
    pub verdict: Verdict,
    /// A message that came back as unroutable, this one or another.
    pub returned: Option<Returned>,
}

/// A message that matched no queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// Its own id, which tells what it is.
    pub message_id: String,
    /// Number of the partition that it is for, which tells copies of one change apart.
    pub partition: Option<u16>,
    /// The target's reason.
    pub reason: String,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// Receipts came.
    Receipts,
    /// The connection is gone; another one is being made. Receipts may have come before.
    Lost(Error),
    /// A new connection is there.
    Connected,
    /// The session is over.
    Ended(Ending),
}

/// Why a session is over.
#[derive(Debug)]
pub enum Ending {
    /// Another engine has the lease.
    Superseded(Error),
    /// The target may have forgotten what it confirmed: all since the last save has to be sent again.
    Forgotten,
    /// A message is larger than the target takes.
    TooLarge {
        /// Bytes of its body.
        bytes: usize,
        /// The target's limit.
        limit: usize,
        /// The target's words.
        error: Error,
    },
    /// No connection can be made until a person mends something.
    Failed(Error),
}

/// A failure of the target or of the way to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// RabbitMQ.
    #[error(transparent)]
    Rabbitmq(#[from] RabbitmqError),
    /// A sink of the program's own.
    #[error("the sink failed")]
    Own {
        /// The program's words.
        source: Box<dyn StdError + Send + Sync>,
        /// Whether the program says that only a person can mend it.
        is_permanent: bool,
    },
    /// A sink of the program's own that is too slow.
    #[error("the sink has not answered within {} ms", .0.as_millis())]
    Silent(Duration),
}

impl Error {
    /// Whether another attempt may help.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Rabbitmq(error) => error.disposition(),
            Self::Own {
                is_permanent: true, ..
            } => Disposition::Halt,
            Self::Own { .. } | Self::Silent(_) => Disposition::Retry,
        }
    }

    /// The target, in words.
    pub fn target(&self) -> &'static str {
        match self {
            Self::Rabbitmq(_) => RABBITMQ,
            Self::Own { .. } | Self::Silent(_) => OWN,
        }
    }
}

impl Sink {
    /// The target, in words.
    pub fn target(&self) -> &'static str {
        match self {
            Self::Rabbitmq(_) => RABBITMQ,
            Self::Own(_) => OWN,
            #[cfg(test)]
            Self::Scripted(_) => RABBITMQ,
        }
    }

    /// Whether messages can be sent now.
    pub fn can_send(&self) -> bool {
        match self {
            Self::Rabbitmq(link) => link.can_send(),
            Self::Own(own) => own.can_send(),
            #[cfg(test)]
            Self::Scripted(scripted) => scripted.can_send(),
        }
    }

    /// Sends messages, in order, after everything sent before. [`Sink::can_send`] must hold. A connection that is
    /// already lost is told by [`Sink::next`].
    pub fn send(&mut self, messages: impl Iterator<Item = (u64, Arc<Message>)>) {
        match self {
            Self::Rabbitmq(link) => link.send(messages),
            Self::Own(own) => own.send(messages),
            #[cfg(test)]
            Self::Scripted(scripted) => scripted.send(messages),
        }
    }

    /// Waits for what happens next. `receipts` may have grown whatever the event, and must be looked at first.
    ///
    /// # Cancel safety
    /// Cancel safe: everything that is under way stays in `self`.
    pub async fn next(&mut self, receipts: &mut Vec<Receipt>) -> Event {
        match self {
            Self::Rabbitmq(link) => link.next(receipts).await,
            Self::Own(own) => own.next(receipts).await,
            #[cfg(test)]
            Self::Scripted(scripted) => scripted.next(receipts).await,
        }
    }

    /// Adds every receipt that is there to `receipts`, also those that [`Sink::next`] would give only after others.
    pub fn sweep(&mut self, receipts: &mut Vec<Receipt>) {
        match self {
            Self::Rabbitmq(link) => link.sweep(receipts),
            Self::Own(_) => {}
            #[cfg(test)]
            Self::Scripted(scripted) => scripted.sweep(receipts),
        }
    }

    /// Looks at the deadlines, about once a second. An error where the connection was given up; the
    /// receipts that it had come with the next [`Sink::next`] or [`Sink::sweep`].
    pub fn tick(&mut self) -> Option<Error> {
        match self {
            Self::Rabbitmq(link) => link.tick().map(Error::from),
            Self::Own(_) => None,
            #[cfg(test)]
            Self::Scripted(_) => None,
        }
    }

    /// Looks whether the target is there as it should be, before anything is sent again. Nothing may be in flight.
    pub fn check_again(&mut self) {
        match self {
            Self::Rabbitmq(link) => link.check_again(),
            Self::Own(_) => {}
            #[cfg(test)]
            Self::Scripted(_) => {}
        }
    }

    /// Whether the target has each message once, if what has a receipt is not sent again.
    pub fn is_exact(&self) -> bool {
        match self {
            Self::Rabbitmq(link) => link.is_exact(),
            Self::Own(_) => false,
            #[cfg(test)]
            Self::Scripted(_) => false,
        }
    }

    /// For each partition the last change that the target has already; empty where that cannot be known.
    pub fn places(&self) -> Places {
        match self {
            Self::Rabbitmq(link) => link.places().clone(),
            Self::Own(_) => Places::new(),
            #[cfg(test)]
            Self::Scripted(_) => Places::new(),
        }
    }

    /// Whether a crash of the target may still take away what it has confirmed.
    pub fn may_forget(&self) -> bool {
        match self {
            Self::Rabbitmq(link) => link.may_forget(),
            Self::Own(_) => false,
            #[cfg(test)]
            Self::Scripted(_) => false,
        }
    }

    /// Ends the connection politely, within a deadline.
    pub async fn close(self) {
        match self {
            Self::Rabbitmq(link) => link.close().await,
            Self::Own(_) => {}
            #[cfg(test)]
            Self::Scripted(_) => {}
        }
    }
}
