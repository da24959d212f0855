//! Shows messages on one connection after the other.

use std::{
    io::{self, ErrorKind},
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lapin::message::Delivery;
use tokio_util::sync::CancellationToken;

use super::{
    Error,
    consumer::Consumer,
    headers, json,
    output::{Line, Output},
    say,
    shown::Shown,
    text::{self, Look},
    warn,
};
use crate::config::TailConfig;

/// About the most bytes of text that are printed and acknowledged together.
const BATCH_BYTES: usize = 256 << 10;
/// Longest wait for a write that is under way when a signal comes.
const WRITE_GRACE: Duration = Duration::from_millis(200);
/// Width where the terminal tells none.
const WIDTH: usize = 80;
/// RabbitMQ from 4.0 on drops a message of a quorum queue that comes back for the 21st time, unless the queue or a policy
/// sets another limit; one that was given out more often has no such limit.
/// <https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling>
const NEAR_LIMIT: RangeInclusive<i64> = 15..=20;

/// What was shown, across lost connections.
pub(super) struct Session {
    pub(super) config: TailConfig,
    stop: CancellationToken,
    output: Arc<Output>,
    json: bool,
    colour: bool,
    count: u64,
    shown: Shown,
    /// Whether shown messages may come again.
    pub(super) reconnected: bool,
    /// How often a message was given out before, where the queue counts that and a look is one: the first count, or the
    /// last one near the limit.
    looks: Option<i64>,
}

impl Session {
    pub(super) fn new(config: TailConfig, output: Output, stop: CancellationToken) -> Self {
        let choice = anstream::AutoStream::choice(&io::stdout());
        Self {
            json: config.json || !output.is_terminal(),
            colour: choice != anstream::ColorChoice::Never,
            config,
            stop,
            output: Arc::new(output),
            count: 0,
            shown: Shown::default(),
            reconnected: false,
            looks: None,
        }
    }

    /// Says what a person should know before the first message.
    pub(super) fn greet(&self, consumer: &Consumer) {
        let queue = &self.config.queue.name;
        let TailConfig { peek, follow, .. } = self.config;
        if consumer.found.consumer_count() > 0 {
            let effect = if peek {
                "it takes messages that are then not shown, and gets none of those shown while tail runs"
            } else {
                "each message goes to one of the two"
            };
            warn(&format!("queue `{queue}` has another consumer: {effect}"));
        }
        if consumer.found.message_count() == 0 && follow && !self.json {
            say(&format!(
                "waiting for messages in queue `{queue}`, Ctrl-C ends"
            ));
        }
    }

    /// Says at the end why nothing was shown.
    pub(super) fn conclude(&self) {
        if self.count == 0 && !self.config.follow && !self.stop.is_cancelled() {
            say(&format!("queue `{}` is empty", self.config.queue.name));
        }
    }

    /// Shows messages until there is a reason to end.
    ///
    /// # Errors
    /// The connection is lost, standard output cannot be written to, or to look at more would do harm.
    pub(super) async fn run(&mut self, consumer: &mut Consumer) -> Result<(), Error> {
        while !self.stop.is_cancelled() && self.config.count != Some(self.count) {
            consumer.wanted = self.config.count.map(|count| count - self.count);
            let Some(first) = consumer.wait(&self.stop, !self.config.follow).await? else {
                break;
            };
            let lines = self.lines(first, consumer);
            let (printed, outcome) = self.print(lines).await;
            if let Some(delivery_tag) = printed {
                consumer.printed(delivery_tag).await?;
            }
            outcome?;
            self.check_looks()?;
        }
        Ok(())
    }

    /// The lines of `first` and of what is here already.
    fn lines(&mut self, first: Delivery, consumer: &mut Consumer) -> Vec<Line> {
        let look = Look {
            width: self.output.width().unwrap_or(WIDTH),
            colour: self.colour,
        };
        let (mut lines, mut bytes) = (Vec::new(), 0);
        let mut next = Some(first);
        while let Some(delivery) = next {
            let text = self.text(&delivery, look);
            bytes += text.len();
            lines.push(Line {
                delivery_tag: delivery.delivery_tag,
                text,
            });
            if bytes >= BATCH_BYTES || self.config.count == Some(self.count) {
                break;
            }
            next = consumer.ready();
        }
        lines
    }

    fn text(&mut self, delivery: &Delivery, look: Look) -> Vec<u8> {
        let mut text = Vec::new();
        self.count_looks(delivery);
        if self.reconnected && delivery.redelivered && self.shown.contains(delivery) {
            return text;
        }
        if self.json {
            json::write(delivery, &mut text);
        } else {
            text::write(delivery, now(), look, &mut text);
        }
        self.shown.add(delivery, !self.config.peek);
        self.count += 1;
        text
    }

    /// Prints where it may block, though not for long after a signal. A closed pipe is a reason to end, no error.
    async fn print(&mut self, lines: Vec<Line>) -> (Option<u64>, Result<(), Error>) {
        let output = Arc::clone(&self.output);
        let mut printing = tokio::task::spawn_blocking(move || output.print(&lines));
        let done = tokio::select! {
            done = &mut printing => done,
            () = self.stop.cancelled() => match tokio::time::timeout(WRITE_GRACE, printing).await {
                Ok(done) => done,
                Err(_) => return (None, Ok(())),
            },
        };
        let (printed, outcome) = done.unwrap_or_else(|error| (None, Err(error.into())));
        match outcome {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.stop.cancel();
                (printed, Ok(()))
            }
            outcome => (printed, outcome.map_err(Error::Output)),
        }
    }

    fn count_looks(&mut self, delivery: &Delivery) {
        let Some(count) = headers::given_out(delivery).filter(|_| self.config.peek) else {
            return;
        };
        if self.looks.is_none() {
            warn(&format!(
                "queue `{}` counts every look as a delivery, {count} before this one, and drops a message at its delivery \
                 limit, if it has one",
                self.config.queue.name
            ));
        }
        if self.looks.is_none() || NEAR_LIMIT.contains(&count) {
            self.looks = Some(count);
        }
    }

    /// Ends before looking destroys messages.
    fn check_looks(&self) -> Result<(), Error> {
        match self.looks {
            Some(count) if NEAR_LIMIT.contains(&count) => Err(Error::LookedTooOften {
                queue: self.config.queue.name.clone(),
                count,
            }),
            _ => Ok(()),
        }
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
