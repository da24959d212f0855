//! How a pipeline stands, as the two servers tell it.

use bson::Timestamp;

use super::{Error, connect};
use crate::{
    checkpoint::{Editor, Record},
    config::Config,
    lease::{Contender, Lock},
    mongo::Oplog,
    position::Position,
    rabbitmq,
    share::Share,
};

/// What the servers tell of a pipeline.
#[derive(Debug)]
pub struct Status {
    /// MongoDB's part.
    pub source: Result<SourceStatus, Error>,
    /// RabbitMQ's part.
    pub target: Result<TargetStatus, Error>,
}

/// What MongoDB tells.
#[derive(Debug)]
pub struct SourceStatus {
    /// The checkpoint; of a pipeline that is divided, what says so.
    pub record: Record,
    /// The checkpoints of its shares, where it is divided.
    pub shares: Vec<(Share, Record)>,
    /// The cluster's time.
    pub now: Timestamp,
    /// How far the oplog reaches, or why that is not known.
    pub oplog: Result<Oplog, Error>,
}

/// What RabbitMQ tells.
#[derive(Debug)]
pub struct TargetStatus {
    /// Whether an engine holds the pipeline's lock, or that of each share. Who stands by cannot be asked for.
    pub has_leader: bool,
    /// Which shares have a leader, where the pipeline is divided.
    pub led: Vec<(Share, bool)>,
    /// The exchange that is published to, if it is not the default one.
    pub exchange: Option<String>,
    /// The queues that are the pipeline's own.
    pub queues: Vec<QueueStatus>,
}

/// What RabbitMQ tells of a queue.
#[derive(Debug)]
pub struct QueueStatus {
    /// Its name.
    pub name: String,
    /// Messages that are ready, and consumers; nothing where there is no such queue.
    pub depth: Option<(u32, u32)>,
}

/// Asks both servers. MongoDB knows whether the pipeline is divided.
pub async fn ask(config: &Config) -> Status {
    let source = source(config).await;
    let shares = source.as_ref().ok();
    let shares: Vec<Share> = shares
        .into_iter()
        .flat_map(|source| source.shares.iter().map(|(share, _)| *share))
        .collect();
    Status {
        target: target(config, &shares).await,
        source,
    }
}

async fn source(config: &Config) -> Result<SourceStatus, Error> {
    let mongo = connect(config).await?;
    let editor = Editor::new(&mongo, config.checkpoint.clone());
    let record = editor.read().await?;
    Ok(SourceStatus {
        shares: editor.shares(&record).await?,
        record,
        now: mongo.preflight().await?,
        oplog: mongo.oplog().await.map_err(Error::from),
    })
}

async fn target(config: &Config, shares: &[Share]) -> Result<TargetStatus, Error> {
    let publish = &config.publish;
    let contender = Contender::connect(&publish.broker, &publish.lock).await?;
    let is_locked = contender.is_locked().await?;
    let mut led = Vec::new();
    for share in shares {
        let lock = Lock::new(&share.name(&config.checkpoint.pipeline));
        led.push((*share, contender.is_held(&lock).await?));
    }
    let (connection, _) = contender.into_parts();
    let topology = &publish.topology;
    let mut queues = Vec::new();
    for queue in topology.queues() {
        let depth = match connection.check_queue(&queue.name).await {
            Ok(found) => Some((found.message_count(), found.consumer_count())),
            Err(rabbitmq::Error::NoQueue { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        queues.push(QueueStatus {
            name: queue.name.clone(),
            depth,
        });
    }
    connection.close().await;
    Ok(TargetStatus {
        has_leader: if led.is_empty() {
            is_locked
        } else {
            led.iter().all(|(_, is_led)| *is_led)
        },
        led,
        exchange: Some(&topology.exchange)
            .filter(|exchange| !exchange.is_default())
            .map(|exchange| exchange.name.clone()),
        queues,
    })
}

impl SourceStatus {
    /// How many seconds the checkpoint is behind the cluster's time; of shares, the one that is furthest behind.
    pub fn lag_seconds(&self) -> Option<u32> {
        let all = self
            .counting()
            .into_iter()
            .map(|record| self.lag_of(record));
        // Where one is not known, nothing is known of all.
        all.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// How many seconds of oplog are before the checkpoint: changes are lost when there are none left. Of shares, those of
    /// the one that is furthest behind.
    pub fn headroom_seconds(&self) -> Option<i64> {
        let all = self
            .counting()
            .into_iter()
            .map(|record| self.headroom_of(record));
        all.collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// The lag of one checkpoint.
    pub fn lag_of(&self, record: &Record) -> Option<u32> {
        let position = self.position_of(record)?;
        position.cluster_time()?;
        Some(position.seconds_before(self.now))
    }

    /// The headroom of one checkpoint.
    pub fn headroom_of(&self, record: &Record) -> Option<i64> {
        let first = self.oplog.as_ref().ok()?.first;
        let time = self.position_of(record)?.cluster_time()?;
        Some(i64::from(time.time) - i64::from(first.time))
    }

    /// The checkpoints by which it is judged.
    fn counting(&self) -> Vec<&Record> {
        if self.shares.is_empty() {
            return vec![&self.record];
        }
        self.shares.iter().map(|(_, record)| record).collect()
    }

    /// A share that has not begun begins where all of them did.
    fn position_of(&self, record: &Record) -> Option<Position> {
        let record = if record.0.is_none() {
            &self.record
        } else {
            record
        };
        record.position().ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn at(time: u32) -> Timestamp {
        Timestamp { time, increment: 1 }
    }

    fn record(time: u32) -> Record {
        Record(Some(
            doc! { "resume_token": null, "cluster_time": at(time) },
        ))
    }

    fn status(shares: &[Option<u32>]) -> SourceStatus {
        let count = u16::try_from(shares.len()).unwrap();
        let records = shares
            .iter()
            .map(|time| time.map(record).unwrap_or_default());
        SourceStatus {
            record: record(100),
            shares: Share::all(count).zip(records).collect(),
            now: at(1_000),
            oplog: Ok(Oplog {
                first: at(50),
                last: at(1_000),
                is_whole: false,
            }),
        }
    }

    #[test]
    fn a_divided_pipeline_is_as_far_as_the_share_that_is_furthest_behind() {
        for (shares, lag, headroom) in [
            (&[][..], 900, 50),
            (&[Some(990), Some(700)], 300, 650),
            // It has not begun.
            (&[Some(990), None], 900, 50),
        ] {
            let status = status(shares);
            assert_eq!(status.lag_seconds(), Some(lag), "{shares:?}");
            assert_eq!(status.headroom_seconds(), Some(headroom), "{shares:?}");
        }
        let mut unreadable = status(&[Some(990), Some(700)]);
        unreadable.shares[1].1 = Record(Some(doc! {}));
        assert_eq!(unreadable.lag_seconds(), None);
    }
}
