//! Prints the messages of the queue: readable lines on a terminal, one JSON object a line elsewhere.
//!
//! A message is acknowledged only after its line has left, and with `peek` never. What was not acknowledged goes back
//! to its place in the queue, however this ends: a signal, a closed pipe, a kill.

mod feed;
mod headers;
mod json;
mod looks;
mod outlet;
mod seen;
mod session;
mod text;
mod wave;

use std::{
    io::{self, Write as _},
    thread,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use self::{feed::Feed, outlet::Outlet, session::Session};
use crate::{
    amqp::{self, Connection},
    config::TailConfig,
    retry::{Backoff, Disposition, chain},
};

/// Why no more messages are printed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// RabbitMQ cannot be used.
    #[error(transparent)]
    Broker(#[from] amqp::Error),
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
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let tail = tail(config, stop.clone());
    tokio::pin!(tail);
    loop {
        tokio::select! {
            outcome = &mut tail => return outcome,
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if stop.is_cancelled() {
            // The broker puts back what was not acknowledged when the connection is gone.
            return Ok(());
        }
        stop.cancel();
    }
}

async fn tail(config: TailConfig, stop: CancellationToken) -> Result<(), Error> {
    let outlet = Outlet::stdout(session::patience(&config), stop.clone()).map_err(Error::Output)?;
    stop_when_closed(&outlet, stop.clone())?;
    let deadline = Instant::now() + config.startup_timeout;
    let Some(mut feed) = connect(&config, &stop, Some(deadline)).await? else {
        return Ok(());
    };
    let mut session = Session::new(config, outlet, stop.clone());
    session.greet(&feed);
    loop {
        match session.run(&mut feed).await {
            Err(Error::Broker(error)) if error.disposition() == Disposition::Retry => {
                warn(&format!("{}; connecting again", chain(&error)));
                session.connection_lost();
            }
            Ok(()) => return end(session.wait_for_reader().await, session, feed).await,
            Err(error) => return end(Err(error), session, feed).await,
        }
        match connect(session.config(), &stop, None).await? {
            Some(again) => feed = again.after(&feed).limit(session.wanted()),
            None => return Ok(()),
        }
        warn("connected again");
    }
}

/// Acknowledges what can be, and gives the rest back.
async fn end(
    outcome: Result<(), Error>,
    mut session: Session,
    mut feed: Feed,
) -> Result<(), Error> {
    let finished = session.finish(&mut feed).await;
    feed.close().await;
    outcome.and(finished)
}

/// Connects, again and again until `deadline`; nothing where it was stopped.
async fn connect(
    config: &TailConfig,
    stop: &CancellationToken,
    deadline: Option<Instant>,
) -> Result<Option<Feed>, Error> {
    let mut backoff = Backoff::default();
    let mut said = deadline.is_none();
    loop {
        let attempt = tokio::select! {
            () = stop.cancelled() => return Ok(None),
            attempt = open(config) => attempt,
        };
        let error = match attempt {
            Ok(feed) => return Ok(Some(feed)),
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
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(left.map_or(delay, |left| delay.min(left))) => {}
        }
    }
}

async fn open(config: &TailConfig) -> Result<Feed, amqp::Error> {
    let connection = Connection::open(&config.broker, "cdc tail").await?;
    let found = connection.check_queue(&config.queue.name).await?;
    let feed = Feed::open(connection, config.queue.clone(), config.peek, &found).await?;
    Ok(feed.limit(config.count.unwrap_or(u64::MAX)))
}

/// A closed pipe is noticed without a message to write.
fn stop_when_closed(outlet: &Outlet, stop: CancellationToken) -> Result<(), Error> {
    let closed = outlet.closed().map_err(Error::Output)?;
    let watch = move || {
        closed();
        stop.cancel();
    };
    thread::Builder::new()
        .name("cdc-tail-output".to_owned())
        .spawn(watch)
        .map_err(Error::Output)?;
    Ok(())
}

fn warn(text: &str) {
    say(&format!("warning: {text}"));
}

/// Says `text` on stderr; if nobody listens there, so be it.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
