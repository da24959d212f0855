//! Divides a pipeline into shares, or makes it whole again, while no engine of it runs.

use std::collections::BTreeSet;

use super::{Error, connect};
use crate::{
    checkpoint::{Config as Place, Divided, Divider, whose},
    config::Config,
    lease::{Contender, Lock},
    mongo::Mongo,
    rabbitmq::Broker,
    share::Share,
    snapshot::requests::{Requests, Wanted},
};

/// A division under way. No engine of the pipeline, nor of any share, can start before it has ended.
#[derive(Debug)]
pub struct Dividing {
    divider: Divider,
    /// How the pipeline is divided.
    pub divided: Divided,
    into: u16,
    locks: Vec<Contender>,
}

impl Dividing {
    /// Takes the locks of the pipeline of `config`, of its shares, and of those that it shall have.
    ///
    /// # Errors
    /// [`Error::Running`] while an engine runs; [`Error::NoCheckpoint`] where there is nothing to divide;
    /// [`Error::SnapshotAsked`] where a snapshot waits that no engine would take afterwards.
    pub async fn begin(config: &Config, into: u16) -> Result<Self, Error> {
        let mongo = connect(config).await?;
        let division = config.checkpoint.division.as_ref();
        let pipeline = division.map_or(&config.checkpoint.pipeline, |one| &one.pipeline);
        let place = Place {
            pipeline: pipeline.clone(),
            division: None,
            ..config.checkpoint.clone()
        };
        let database = place.database.clone();
        let store = Divider::new(&mongo, place);
        let none = || Error::NoCheckpoint(pipeline.clone());
        let count = store.read().await?.ok_or_else(none)?.count;
        // The hint for a permission that is missing is for all locks at once.
        let broker = config.publish.broker.clone();
        let needs = broker.needs().clone();
        let broker = broker.needing(needs.of_all_shares(Lock::new(pipeline).queue()));
        let locks = take(&broker, &names(pipeline, count, into)).await?;
        // An engine may have gone on until the lock was ours.
        let divided = store.read().await?.ok_or_else(none)?;
        if divided.count != count {
            return Err(Error::Running(pipeline.clone()));
        }
        no_snapshot_waits(&mongo, &database, pipeline, count).await?;
        Ok(Self {
            divider: store,
            divided,
            into,
            locks,
        })
    }

    /// Does it.
    ///
    /// # Errors
    /// MongoDB failed; then the pipeline is divided as it was, or as it shall be.
    pub async fn apply(&self) -> Result<(), Error> {
        Ok(self.divider.divide(&self.divided, self.into).await?)
    }

    /// Gives the locks back.
    pub async fn end(self) {
        for lock in self.locks {
            lock.close().await;
        }
    }
}

fn names(pipeline: &str, count: u16, into: u16) -> BTreeSet<String> {
    let shares = Share::all(count).chain(Share::all(into));
    let shares = shares.map(|share| share.name(pipeline));
    shares.chain([pipeline.to_owned()]).collect()
}

/// A request is one of the pipeline or of a share, and only an engine of that one takes it. What is to be cancelled needs
/// none.
async fn no_snapshot_waits(
    mongo: &Mongo,
    database: &str,
    pipeline: &str,
    count: u16,
) -> Result<(), Error> {
    for share in std::iter::once(None).chain(Share::all(count).map(Some)) {
        let name = share.map_or_else(|| pipeline.to_owned(), |share| share.name(pipeline));
        let requests = Requests::new(mongo, database, &name);
        let active = match requests.active().await {
            // Whoever may not read requests has made none.
            Err(error) if error.is_denied() => return Ok(()),
            active => active?,
        };
        if let Some(open) = active.into_iter().find(|one| one.wanted != Wanted::Cancel) {
            let of = whose(pipeline, share);
            return Err(Error::SnapshotAsked { run: open.run, of });
        }
    }
    Ok(())
}

async fn take(broker: &Broker, names: &BTreeSet<String>) -> Result<Vec<Contender>, Error> {
    let mut locks = Vec::new();
    for name in names {
        let contender = Contender::connect(broker, &Lock::new(name)).await?;
        if !contender.take_lock().await? {
            return Err(Error::Running(name.clone()));
        }
        locks.push(contender);
    }
    Ok(locks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locks_of_all_that_is_and_shall_be_are_taken() {
        let locks: Vec<String> = names("p", 1, 2).into_iter().collect();
        assert_eq!(locks, ["p", "p.0of2", "p.1of2"]);
        assert_eq!(names("p", 2, 3).len(), 6);
    }
}
