//! Who stands by: the question for the lock names the engine that asks, and the leader reads the questions.
//!
//! They go to the lock's queue, which only the leader's connection can read and which keeps nothing. The user needs to
//! be allowed to read it; without that, who stands by is not known.

use std::{collections::BTreeMap, process, time::Duration};

use futures_util::StreamExt as _;
use lapin::{Consumer, options::BasicConsumeOptions, types::FieldTable};
use tokio::time::{Instant, interval};
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use super::Lock;
use crate::{
    health::{Cause, Health},
    rabbitmq::{Connection, Error},
    retry::chain,
};

/// Time without a question after which a standby is gone; it asks several times a second.
const GONE_AFTER: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Most that are told of.
const COUNT_MAX: usize = 20;

/// They come as long as the connection lives.
pub(crate) type Questions = Consumer;

/// How this engine is called where it stands by.
pub(crate) fn name() -> String {
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    format!("{host} (process {})", process::id())
}

/// The questions for the lock, which `connection` has; nothing where the user may not read them.
pub(super) async fn questions(connection: &Connection, lock: &Lock) -> Option<Questions> {
    let failed = |error: &Error| debug!(error = chain(error), "who stands by is not known");
    consume(connection, lock).await.inspect_err(failed).ok()
}

/// Tells `health` who stands by, until the handle is dropped or the connection is lost.
pub(crate) fn follow(mut questions: Questions, health: Health) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        note(&mut questions, &health).await;
        health.set_standbys(None);
    }))
}

async fn consume(connection: &Connection, lock: &Lock) -> Result<Questions, Error> {
    // A channel of its own, because a refusal closes the channel.
    let channel = connection.channel().await?;
    let options = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let consume = async {
        let queue = lock.queue().into();
        let consumer = channel.basic_consume(queue, "".into(), options, FieldTable::default());
        let consumer = consumer.await;
        consumer.map_err(|error| connection.queue_lost(lock.queue(), error))
    };
    connection.within("the lock's consumer", consume).await
}

async fn note(questions: &mut Questions, health: &Health) {
    let mut seen = Seen::default();
    let mut looks = interval(LOOK_EVERY);
    let mut blocked_at = None;
    loop {
        tokio::select! {
            question = questions.next() => {
                let Some(Ok(question)) = question else {
                    return;
                };
                if let Some(name) = question.properties.app_id() {
                    seen.note(name.as_str(), Instant::now());
                }
            }
            _ = looks.tick() => {}
        }
        // A broker with an alarm does not read questions, and takes a moment to catch up with them.
        let now = Instant::now();
        let obstacles = health.report().obstacles;
        if obstacles.iter().any(|one| one.cause == Cause::Blocked) {
            blocked_at = Some(now);
        }
        let is_deaf = blocked_at.is_some_and(|at| now.duration_since(at) < GONE_AFTER);
        let names = seen.names(now);
        health.set_standbys((!is_deaf).then_some(names));
    }
}

/// When each engine asked last.
#[derive(Debug, Default)]
struct Seen {
    engines: BTreeMap<String, Instant>,
}

impl Seen {
    fn note(&mut self, name: &str, now: Instant) {
        if let Some(asked) = self.engines.get_mut(name) {
            *asked = now;
        } else if self.engines.len() < COUNT_MAX {
            self.engines.insert(name.to_owned(), now);
        }
    }

    /// Those that are not gone, in order.
    fn names(&mut self, now: Instant) -> Vec<String> {
        self.engines
            .retain(|_, asked| now.duration_since(*asked) < GONE_AFTER);
        self.engines.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_no_more_is_gone() {
        let (mut seen, begin) = (Seen::default(), Instant::now());
        seen.note("b", begin);
        seen.note("a", begin);
        assert_eq!(seen.names(begin), ["a", "b"]);
        seen.note("b", begin + GONE_AFTER / 2);
        assert_eq!(seen.names(begin + GONE_AFTER), ["b"]);
        assert!(seen.names(begin + 2 * GONE_AFTER).is_empty());
    }

    #[test]
    fn no_crowd_fills_the_memory() {
        let (mut seen, now) = (Seen::default(), Instant::now());
        for number in 0..2 * COUNT_MAX {
            seen.note(&number.to_string(), now);
        }
        assert_eq!(seen.names(now).len(), COUNT_MAX);
    }
}
