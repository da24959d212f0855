//! How many messages there are in a queue, while it is filled.

use anyhow::Result;

use crate::bench::{
    queue::{self, Queue},
    report::Queue as Kind,
    site::Site,
    stream::Follower,
};

/// Counts the messages of a queue. The broker counts those of a classic or a quorum queue itself; those of a stream are
/// counted as they come.
pub(super) struct Counter<'a> {
    queue: &'a Queue,
    follower: Option<Follower>,
}

impl<'a> Counter<'a> {
    pub(super) fn of(site: &Site, queue: &'a Queue) -> Result<Self> {
        let follower = match (queue.kind, &site.stream_address) {
            (Kind::Stream, Some(address)) => {
                let uri = queue::parse(&site.amqp_uri)?;
                Some(Follower::open(address, &uri, &queue.name)?)
            }
            _ => None,
        };
        Ok(Self { queue, follower })
    }

    pub(super) async fn count(&self) -> Result<u64> {
        match &self.follower {
            Some(follower) => follower.count(),
            None => self.queue.count().await,
        }
    }
}
