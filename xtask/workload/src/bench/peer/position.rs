//! Where Debezium Server reads on: its position before a backlog, as it saves it itself.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use harness::Signal;
use mongodb::Collection;
use tokio::time::sleep;

use super::{
    counter::Counter,
    debezium::{Debezium, Running},
};
use crate::{
    bench::{queue::Queue, report::Queue as Kind, site::Site, tell::tell},
    store::{self, ANSWER_TIMEOUT},
};

/// Collection of the documents that give it a position.
const MARKERS: &str = "markers";
/// Longest time until a change has come through.
const START_LIMIT: Duration = Duration::from_secs(180);
/// Pause between two changes until then.
const PAUSE: Duration = Duration::from_secs(1);
/// Time for all of them to come through, and for the position to be saved.
const SETTLE: Duration = Duration::from_secs(5);
/// Longest time for it to end.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// One for each of its sinks, whose name is part of it.
#[derive(Debug)]
pub(super) struct Positions {
    queue: Vec<u8>,
    stream: Option<Vec<u8>>,
}

impl Positions {
    /// Those of now in `database`. Both sinks work at the same time, so that none of them reads later what was written
    /// for the other.
    pub(super) async fn save(debezium: &Debezium, site: &Site, database: &str) -> Result<Self> {
        tell("Debezium Server saves its positions");
        let queue = Queue::declare(&site.amqp_uri, Kind::Classic).await?;
        let stream = match site.stream_address {
            Some(_) => Some(Queue::declare(&site.amqp_uri, Kind::Stream).await?),
            None => None,
        };
        let mut running = Vec::new();
        for queue in [Some(&queue), stream.as_ref()].into_iter().flatten() {
            let counter = Counter::of(site, queue)?;
            running.push((counter, debezium.start(database, queue, None).await?));
        }
        first_change(site, database, &mut running).await?;
        sleep(SETTLE).await;
        let mut saved = Vec::new();
        for (_, running) in running {
            saved.push(stop(running).await?);
        }
        for queue in [Some(queue), stream].into_iter().flatten() {
            queue.delete().await;
        }
        let mut saved = saved.into_iter();
        Ok(Self {
            queue: saved.next().unwrap_or_default(),
            stream: saved.next(),
        })
    }

    /// That of the sink for such queues.
    pub(super) fn of(&self, kind: Kind) -> Option<&[u8]> {
        match kind {
            Kind::Stream => self.stream.as_deref(),
            _ => Some(&self.queue),
        }
    }
}

/// Inserts documents until one has come through everywhere: nobody says when the reading begins, and no position is
/// saved before a change.
async fn first_change(
    site: &Site,
    database: &str,
    running: &mut [(Counter<'_>, Running)],
) -> Result<()> {
    let database = site.client.database(database);
    let markers: Collection<Document> = database.collection(MARKERS);
    let deadline = Instant::now() + START_LIMIT;
    for (counter, running) in running {
        while counter.count().await? == 0 {
            running.check_alive()?;
            ensure!(
                Instant::now() < deadline,
                "no change came through within {} s, see {}",
                START_LIMIT.as_secs(),
                running.log().display()
            );
            let inserting = markers.insert_one(doc! {});
            store::answer("insert a document", ANSWER_TIMEOUT, inserting).await?;
            sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// Ends it and returns the position that it has saved.
async fn stop(mut running: Running) -> Result<Vec<u8>> {
    running.process.signal(Signal::TERM);
    running.process.ended(STOP_LIMIT).await?;
    let saved = fs::read(running.offsets());
    let none = || format!("no position was saved, see {}", running.log().display());
    let position = saved.with_context(none)?;
    ensure!(!position.is_empty(), "{}", none());
    Ok(position)
}
