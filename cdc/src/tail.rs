//! Prints the messages of the queue: readable lines on a terminal, one JSON object a line elsewhere.
//!
//! A message is acknowledged only after its line was written out, and with `peek` never. What was not acknowledged goes
//! back to its place in the queue, however this ends: a signal, a closed pipe, a kill.

mod consumer;
mod content;
mod headers;
mod json;
mod output;
mod session;
mod shown;
mod text;

use std::io::{self, Write as _};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{consumer::Consumer, output::Output, session::Session};
use crate::{
    config::TailConfig,
    rabbitmq,
    retry::{Backoff, Disposition, chain},
    signals::Signals,
};

/// Why no more messages are printed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// RabbitMQ cannot be used.
    #[error(transparent)]
    Broker(#[from] rabbitmq::Error),
    /// Another look may be the last one.
    #[error(
        "a message of queue `{queue}` was given out {count} times before, and looking at it counts: a quorum queue \
         drops a message that exceeds its delivery limit, which is 20 by default from RabbitMQ 4.0 on"
    )]
    LookedTooOften {
        /// The queue.
        queue: String,
        /// What the broker counts.
        count: i64,
    },
    /// A quorum queue takes no more of them back in order.
    #[error(
        "{shown} messages of quorum queue `{queue}` are held, and to hold more would change their order"
    )]
    HoldsEnough {
        /// The queue.
        queue: String,
        /// Messages shown.
        shown: u64,
    },
    /// Standard output cannot be written to.
    #[error("write to standard output")]
    Output(#[source] io::Error),
    /// Signals cannot be listened to.
    #[error("listen to signals")]
    Signals(#[source] io::Error),
}

/// Prints messages until as many as wanted were shown, the queue is empty, nobody reads standard output any more, or
/// a signal comes.
///
/// # Errors
/// See [`Error`].
pub async fn run(config: TailConfig) -> Result<(), Error> {
    let stop = CancellationToken::new();
    let mut signals = Signals::listen().map_err(Error::Signals)?;
    let tail = tail(config, stop.clone());
    tokio::pin!(tail);
    loop {
        tokio::select! {
            outcome = &mut tail => return outcome,
            () = signals.next() => {}
        }
        if stop.is_cancelled() {
            // The broker puts back what was not acknowledged when the connection is gone.
            return Ok(());
        }
        stop.cancel();
    }
}

async fn tail(config: TailConfig, stop: CancellationToken) -> Result<(), Error> {
    let output = Output::stdout(stop.clone()).map_err(Error::Output)?;
    let deadline = Instant::now() + config.startup_timeout;
    let first = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        first = connect(&config, Some(deadline), None) => first,
    };
    let mut consumer = first?;
    let mut session = Session::new(config, output, stop.clone());
    session.greet(&consumer);
    let outcome = loop {
        match session.run(&mut consumer).await {
            Err(Error::Broker(error)) if error.disposition() == Disposition::Retry => {
                warn(&format!("{}; connecting again", chain(&error)));
            }
            outcome => break outcome,
        }
        let again = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            again = connect(&session.config, None, Some(&consumer)) => again,
        };
        consumer = again?;
        session.reconnected = true;
        warn("connected again");
    };
    if outcome.is_ok() {
        session.conclude();
    }
    match consumer.close().await {
        // What was not acknowledged stays in the queue.
        Err(_) if stop.is_cancelled() => outcome,
        closed => outcome.and(closed),
    }
}

/// Connects, again and again until `deadline`; goes on where `lost` was.
async fn connect(
    config: &TailConfig,
    deadline: Option<Instant>,
    lost: Option<&Consumer>,
) -> Result<Consumer, Error> {
    let mut backoff = Backoff::default();
    let mut said = deadline.is_none();
    loop {
        let offsets = lost.and_then(|lost| lost.offsets.clone());
        let error = match Consumer::open(config, offsets).await {
            Ok(consumer) => return Ok(consumer),
            Err(error) => error,
        };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if error.disposition() == Disposition::Halt || left.is_some_and(|left| left.is_zero()) {
            return Err(error.into());
        }
        if !said {
            said = true;
            warn(&format!("{}; trying again", chain(&error)));
        }
        let delay = backoff.next_delay();
        tokio::time::sleep(left.map_or(delay, |left| delay.min(left))).await;
    }
}

fn warn(text: &str) {
    say(&format!("warning: {text}"));
}

/// Says `text` on stderr; if nobody listens there, so be it.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
