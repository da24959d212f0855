//! Shows messages on one feed after the other, and acknowledges those whose lines have left.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lapin::message::Delivery;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    Error,
    feed::{Feed, QUIET},
    headers, json,
    looks::Looks,
    outlet::{Left, Lines, Outlet},
    say,
    seen::Seen,
    text::{self, Look},
    warn,
};
use crate::config::TailConfig;

/// Most lines, and about the most bytes of text, that are written and acknowledged together.
const BATCH: (usize, usize) = (2048, 256 << 10);
/// Longest wait for a write that is under way when a signal comes.
const WRITE_GRACE: Duration = Duration::from_millis(200);
/// Longest wait for a reader that takes nothing, where tail is to end by itself.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a queue has to be found empty: a busy broker may answer so in error.
const EMPTY: u32 = 2;
/// Width where the terminal tells none.
const WIDTH: usize = 80;

/// What was shown and what was acknowledged, across lost connections.
pub(super) struct Session {
    config: TailConfig,
    stop: CancellationToken,
    /// Away during a write.
    outlet: Option<Outlet>,
    json: bool,
    colour: bool,
    left: Left,
    /// Lines that have left and are accounted for.
    settled: u64,
    /// Delivery tags of the lines that have not left yet; none where the connection was lost since.
    waiting: VecDeque<Option<u64>>,
    seen: Seen,
    shown: u64,
    looks: Looks,
}

/// How long a reader that takes nothing is waited for.
pub(super) fn patience(config: &TailConfig) -> Option<Duration> {
    (config.count.is_some() || !config.follow).then_some(PATIENCE)
}

impl Session {
    pub(super) fn new(config: TailConfig, outlet: Outlet, stop: CancellationToken) -> Self {
        let choice = anstream::AutoStream::choice(&io::stdout());
        Self {
            json: config.json || !outlet.is_terminal(),
            colour: choice != anstream::ColorChoice::Never,
            left: outlet.left(),
            config,
            stop,
            outlet: Some(outlet),
            settled: 0,
            waiting: VecDeque::new(),
            seen: Seen::default(),
            shown: 0,
            looks: Looks::default(),
        }
    }

    pub(super) fn config(&self) -> &TailConfig {
        &self.config
    }

    /// Says what a person should know before the first message.
    pub(super) fn greet(&self, feed: &Feed) {
        let queue = &self.config.queue.name;
        let TailConfig { peek, follow, .. } = self.config;
        if feed.consumers() > 0 {
            let effect = if peek {
                "it takes messages that are then not shown, and gets none of those shown while tail runs"
            } else {
                "each message goes to one of the two"
            };
            warn(&format!("queue `{queue}` has another consumer: {effect}"));
        }
        if feed.messages() == 0 && follow && !self.json {
            say(&format!(
                "waiting for messages in queue `{queue}`, Ctrl-C ends"
            ));
        }
    }

    /// How many messages have to be taken to show as many as wanted.
    pub(super) fn wanted(&self) -> u64 {
        let left = self
            .config
            .count
            .map(|count| count.saturating_sub(self.shown));
        left.map_or(u64::MAX, |left| left.saturating_add(self.seen.expected()))
    }

    /// Shows messages until there is a reason to end.
    ///
    /// # Errors
    /// The connection is lost, or standard output cannot be written to.
    pub(super) async fn run(&mut self, feed: &mut Feed) -> Result<(), Error> {
        while !self.stop.is_cancelled() && self.config.count != Some(self.shown) {
            let Some(first) = self.wait(feed).await? else {
                break;
            };
            let lines = self.render(first, feed);
            self.write(lines).await?;
            self.settle(feed).await?;
            self.check_looks(feed)?;
        }
        Ok(())
    }

    /// Waits until the reader has taken the last lines, or for as long as there is patience.
    ///
    /// # Errors
    /// Standard output cannot be written to.
    pub(super) async fn wait_for_reader(&mut self) -> Result<(), Error> {
        if self.waiting.is_empty() || self.stop.is_cancelled() {
            return Ok(());
        }
        self.blocking(Outlet::wait).await?;
        let unread = self.waiting.len() - self.just_left();
        if unread > 0 && !self.stop.is_cancelled() && !self.config.peek {
            warn(&format!(
                "{unread} lines wait for their reader, and their messages stay in the queue"
            ));
        }
        Ok(())
    }

    /// Acknowledges everything whose lines have left.
    ///
    /// # Errors
    /// The connection is lost. That is no matter after a signal: what was not acknowledged stays in the queue.
    pub(super) async fn finish(&mut self, feed: &mut Feed) -> Result<(), Error> {
        let finished = match self.settle(feed).await {
            Ok(()) => feed.flush().await.map(drop).map_err(Error::Broker),
            Err(error) => Err(error),
        };
        match finished {
            Err(_) if self.stop.is_cancelled() => Ok(()),
            finished => finished,
        }
    }

    /// From now on nothing that is unacknowledged can be acknowledged.
    pub(super) fn connection_lost(&mut self) {
        self.waiting.iter_mut().for_each(|tag| *tag = None);
        self.seen.connection_lost();
    }

    /// The next message, or nothing when it is time to end.
    async fn wait(&mut self, feed: &mut Feed) -> Result<Option<Delivery>, Error> {
        let mut empty = 0;
        loop {
            feed.subscribe().await?;
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(None),
                next = feed.next() => if let Some(delivery) = next? {
                    return Ok(Some(delivery));
                },
                () = tokio::time::sleep(QUIET), if !self.config.follow => {
                    empty = if feed.is_empty().await? { empty + 1 } else { 0 };
                    if empty == EMPTY {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Writes the lines of `first` and of what is here already.
    fn render(&mut self, first: Delivery, feed: &mut Feed) -> Lines {
        let mut lines = Lines::default();
        let look = Look {
            width: self
                .outlet
                .as_ref()
                .and_then(Outlet::width)
                .unwrap_or(WIDTH),
            colour: self.colour,
        };
        let mut next = Some(first);
        while let Some(delivery) = next {
            self.line(&delivery, look, &mut lines);
            let full = lines.ends.len() >= BATCH.0 || lines.text.len() >= BATCH.1;
            if full || self.config.count == Some(self.shown) {
                break;
            }
            // An error comes again with the next operation; what was rendered is to be written first.
            next = feed.ready().ok().flatten();
        }
        lines
    }

    fn line(&mut self, delivery: &Delivery, look: Look, lines: &mut Lines) {
        if self.seen.comes_again(delivery) {
            // An empty line of no bytes, so that it is acknowledged in its turn.
        } else if self.json {
            json::write(delivery, &mut lines.text);
            self.shown += 1;
        } else {
            text::write(delivery, now(), look, &mut lines.text);
            self.shown += 1;
        }
        lines.ends.push(lines.text.len());
        self.waiting.push_back(Some(delivery.delivery_tag));
        self.seen.add(delivery);
        self.count_looks(delivery);
    }

    fn count_looks(&mut self, delivery: &Delivery) {
        let Some(count) = headers::given_out(delivery) else {
            return;
        };
        if self.config.peek && self.looks.add(count) {
            warn(&format!(
                "queue `{}` counts every look as a delivery, {count} before this one",
                self.config.queue.name
            ));
        }
    }

    /// Ends before looking destroys messages or changes their order.
    fn check_looks(&self, feed: &Feed) -> Result<(), Error> {
        let queue = &self.config.queue.name;
        if let Some(count) = self.looks.worn() {
            return Err(Error::LookedTooOften {
                queue: queue.clone(),
                count,
            });
        }
        if feed.holds_enough() {
            return Err(Error::HoldsEnough {
                queue: queue.clone(),
                shown: self.shown,
            });
        }
        Ok(())
    }

    async fn write(&mut self, lines: Lines) -> Result<(), Error> {
        self.blocking(move |outlet| outlet.write(&lines)).await
    }

    /// Runs `work` where it may block, though not for long after a signal. A closed pipe is a reason to end, no error.
    async fn blocking(
        &mut self,
        work: impl FnOnce(&mut Outlet) -> io::Result<()> + Send + 'static,
    ) -> Result<(), Error> {
        let Some(mut outlet) = self.outlet.take() else {
            return Ok(());
        };
        let mut task: JoinHandle<_> = tokio::task::spawn_blocking(move || {
            let outcome = work(&mut outlet);
            (outlet, outcome)
        });
        let done = tokio::select! {
            done = &mut task => Some(done),
            () = self.stop.cancelled() => tokio::time::timeout(WRITE_GRACE, &mut task).await.ok(),
        };
        let Some(Ok((outlet, outcome))) = done else {
            return Ok(());
        };
        self.outlet = Some(outlet);
        match outcome {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.stop.cancel();
                Ok(())
            }
            outcome => outcome.map_err(Error::Output),
        }
    }

    /// Acknowledges the messages whose lines have left.
    async fn settle(&mut self, feed: &mut Feed) -> Result<(), Error> {
        let left = self.just_left();
        self.settled += left as u64;
        let tags: Vec<u64> = self.waiting.drain(..left).flatten().collect();
        let Some(last) = tags.last() else {
            return Ok(());
        };
        let acknowledged = feed.acknowledge(*last).await?;
        self.seen.acknowledged(acknowledged);
        Ok(())
    }

    /// Lines that have left and are not accounted for.
    fn just_left(&self) -> usize {
        usize::try_from(self.left.lines() - self.settled).unwrap_or(usize::MAX)
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
