//! The trait that a program implements, and a value of it whatever its type.

use std::{error::Error, fmt, pin::Pin, sync::Arc};

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Message;
use crate::sink::Error as SinkError;

/// Takes messages, in the place of RabbitMQ.
///
/// The engine calls [`connect`](Sink::connect) before the first write, then [`write`](Sink::write), one call at a time. Where
/// `write` fails it waits, calls `connect` until that works, and gives everything to `write` again from the first message on
/// that no write returned `Ok` for. So each message is written once or more: a sink that must not keep a message twice has to
/// look at its [`id`](Message::id). The first copies of all messages come in the order of the changes.
///
/// Both are given up after `CDC_CONFIRM_TIMEOUT_MS`, and where the engine ends: their future is then dropped at an `.await`,
/// and `connect` is called before the next write, if there is one. They run on the thread that runs the engine, so they must
/// not block it.
pub trait Sink: Send + 'static {
    /// Why it failed.
    type Error: Into<Box<dyn Error + Send + Sync>> + Send;

    /// Makes everything ready for a write, and takes back what a write left half done. Does nothing by default.
    fn connect(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        async { Ok(()) }
    }

    /// Takes `messages`, one or more, in order, and returns when **all** of them are kept for good: the checkpoint may pass
    /// them at once, and then nobody sends them again. What is only in a buffer is not kept.
    fn write(
        &mut self,
        messages: &[Message],
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Whether only a person can mend this, so that the engine ends with it. By default it tries again, for as long as it
    /// takes.
    fn is_permanent(_error: &Self::Error) -> bool {
        false
    }
}

/// A program's sink, which the sessions of an engine use one after the other.
#[derive(Clone)]
pub struct Target(Arc<Mutex<Box<dyn Erased>>>);

/// The sink, while one session has it.
pub(super) struct Held(OwnedMutexGuard<Box<dyn Erased>>);

type Work<'a> = Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + 'a>>;

trait Erased: Send {
    fn connect(&mut self) -> Work<'_>;
    fn write<'a>(&'a mut self, messages: &'a [Message]) -> Work<'a>;
}

impl<S: Sink> Erased for S {
    fn connect(&mut self) -> Work<'_> {
        Box::pin(async { Sink::connect(self).await.map_err(failed::<S>) })
    }

    fn write<'a>(&'a mut self, messages: &'a [Message]) -> Work<'a> {
        Box::pin(async { Sink::write(self, messages).await.map_err(failed::<S>) })
    }
}

fn failed<S: Sink>(error: S::Error) -> SinkError {
    SinkError::Own {
        is_permanent: S::is_permanent(&error),
        source: error.into(),
    }
}

impl Target {
    /// Takes a sink.
    pub fn new(sink: impl Sink) -> Self {
        Self(Arc::new(Mutex::new(Box::new(sink))))
    }

    pub(super) async fn hold(&self) -> Held {
        Held(Arc::clone(&self.0).lock_owned().await)
    }
}

impl Held {
    pub(super) fn connect(&mut self) -> Work<'_> {
        self.0.as_mut().connect()
    }

    pub(super) fn write<'a>(&'a mut self, messages: &'a [Message]) -> Work<'a> {
        self.0.as_mut().write(messages)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target")
    }
}
