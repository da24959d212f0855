//! One connection that publishes, by either protocol.

use std::sync::Arc;

use tokio::time::{Duration, Instant, sleep};
use tracing::{info, warn};

use super::{
    Config, amqp,
    stream::{self, Choice, Connected, Places, Streams, Track},
};
use crate::{
    lease::{Contender, standbys::Questions},
    message::Message,
    rabbitmq::{Error, Topology},
    retry::chain,
    sink::Receipt,
};

/// How long the port for streams may stay closed on a broker that speaks AMQP: one that starts opens it a little later.
const STREAMS_WAIT: Duration = Duration::from_secs(5);
/// Time between attempts meanwhile.
const STREAMS_POLL: Duration = Duration::from_millis(250);

/// One connection that publishes. It never retries; [`Link`](super::Link) makes a new one when it is lost.
#[derive(Debug)]
pub(super) enum Publisher {
    /// By AMQP.
    Amqp(Box<amqp::Publisher>),
    /// By the stream protocol.
    Stream(Box<stream::Publisher>),
}

/// What a lost connection leaves for the next one.
#[derive(Debug, Clone)]
pub(super) enum Left {
    /// All is sent again.
    Nothing,
    /// What was in flight to each stream.
    Streams(Vec<Track>),
}

impl Publisher {
    /// The first one of a session, on a connection that has the lock, once all is declared.
    pub(super) async fn begin(config: &Config, lock: amqp::Publisher) -> Result<Self, Error> {
        let Some(streams) = &config.streams else {
            return Ok(Self::Amqp(Box::new(lock)));
        };
        let connected = match first_connection(config, streams).await {
            Err(error @ Error::ConnectStream(_)) if streams.choice == Choice::Auto => {
                warn!(
                    reason = chain(&error),
                    "publishing to the stream by AMQP, which is slower and brings messages again after a crash"
                );
                return Ok(Self::Amqp(Box::new(lock)));
            }
            connected => connected?,
        };
        let publisher = stream::Publisher::open(config, streams, lock, connected, None).await?;
        info!("publishing to the stream by its own protocol");
        Ok(Self::Stream(Box::new(publisher)))
    }

    /// The next one: takes the lock, and checks that where messages go is still there.
    pub(super) async fn again(config: &Config, left: Left) -> Result<Self, Error> {
        let contender = Contender::connect(&config.broker, &config.lock).await?;
        if !contender.take_lock().await? {
            return Err(Error::Locked);
        }
        let questions = contender.questions().await;
        let parts = contender.into_parts();
        config.topology.check(&parts.0).await?;
        let lock = amqp::Publisher::new(parts, questions, &config.topology, &config.marks);
        match (&config.streams, left) {
            (Some(streams), Left::Streams(tracks)) => {
                let connected = stream::connect(config, streams).await?;
                let left = Some(tracks);
                let publisher =
                    stream::Publisher::open(config, streams, lock, connected, left).await?;
                Ok(Self::Stream(Box::new(publisher)))
            }
            _ => Ok(Self::Amqp(Box::new(lock))),
        }
    }

    /// What the next connection has to know when this one is lost.
    pub(super) fn left(&self) -> Left {
        match self {
            Self::Amqp(_) => Left::Nothing,
            Self::Stream(publisher) => Left::Streams(publisher.left()),
        }
    }

    /// Whether what is confirmed must not be sent again.
    pub(super) fn is_exact(&self) -> bool {
        matches!(self, Self::Stream(_))
    }

    /// Where the target ended at the start of the session, for each partition.
    pub(super) fn places(&self) -> Places {
        match self {
            Self::Amqp(_) => Places::new(),
            Self::Stream(publisher) => publisher.places().clone(),
        }
    }

    /// How many of the target's streams have messages of ours, and do not tell the last one.
    pub(super) fn unknown_places(&self) -> u64 {
        match self {
            Self::Amqp(_) => 0,
            Self::Stream(publisher) => publisher.unknown(),
        }
    }

    pub(super) fn address(&self) -> String {
        match self {
            Self::Amqp(publisher) => publisher.address(),
            Self::Stream(publisher) => publisher.address(),
        }
    }

    pub(super) fn check_again(
        &self,
        topology: Topology,
    ) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        self.lock().check_again(topology)
    }

    fn lock(&self) -> &amqp::Publisher {
        match self {
            Self::Amqp(publisher) => publisher,
            Self::Stream(publisher) => publisher.lock(),
        }
    }

    /// The questions for the lock, once.
    pub(super) fn take_questions(&mut self) -> Option<Questions> {
        match self {
            Self::Amqp(publisher) => publisher.take_questions(),
            Self::Stream(publisher) => publisher.take_questions(),
        }
    }

    pub(super) fn send(&mut self, messages: impl Iterator<Item = (u64, Arc<Message>)>) {
        match self {
            Self::Amqp(publisher) => publisher.send(messages),
            Self::Stream(publisher) => publisher.send(messages),
        }
    }

    /// Waits for at least one verdict and adds all that are there to `receipts`.
    ///
    /// # Errors
    /// The connection or the channel is lost, which is noticed with nothing in flight too; what is still in flight has
    /// to be published again on a new one. `receipts` may have grown all the same.
    ///
    /// # Cancel safety
    /// Cancel safe: no verdict is lost.
    pub(super) async fn verdicts(&mut self, receipts: &mut Vec<Receipt>) -> Result<(), Error> {
        match self {
            Self::Amqp(publisher) => publisher.verdicts(receipts).await,
            Self::Stream(publisher) => publisher.verdicts(receipts).await,
        }
    }

    pub(super) fn sweep(&mut self, receipts: &mut Vec<Receipt>) {
        match self {
            Self::Amqp(publisher) => publisher.sweep(receipts),
            Self::Stream(publisher) => publisher.sweep(receipts),
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        match self {
            Self::Amqp(publisher) => publisher.in_flight(),
            Self::Stream(publisher) => publisher.in_flight(),
        }
    }

    pub(super) fn blocked(&self) -> bool {
        match self {
            Self::Amqp(publisher) => publisher.blocked(),
            Self::Stream(publisher) => publisher.blocked(),
        }
    }

    pub(super) async fn close(self) {
        match self {
            Self::Amqp(publisher) => publisher.close().await,
            Self::Stream(publisher) => publisher.close().await,
        }
    }
}

/// Connects by the stream protocol, and waits for a broker that has just begun to listen.
async fn first_connection(config: &Config, streams: &Streams) -> Result<Connected, Error> {
    let until = Instant::now() + STREAMS_WAIT;
    loop {
        match stream::connect(config, streams).await {
            Err(Error::ConnectStream(_)) if Instant::now() < until => sleep(STREAMS_POLL).await,
            outcome => return outcome,
        }
    }
}
