//! Opens the stream, down the ladder where the server refuses the place.

use bson::Timestamp;
use tracing::warn;

use super::{
    Config, Error, HistoryLost, Skipped,
    ladder::{Ladder, Step},
    stream::Stream,
};
use crate::{
    mongo::Mongo,
    position::{Position, time_text},
    retry::chain,
};

/// Most seconds that a place may be ahead of the member that is asked. All that we read was committed by a majority, so
/// any primary knows of it, but one that is cut off may not have heard yet that it is none.
const AHEAD_SECONDS: u32 = 60;

/// Knows how far everything was handed over, and opens the stream there.
pub(super) struct Opener {
    mongo: Mongo,
    pub(super) config: Config,
    /// After the last item that was handed over.
    position: Position,
    ladder: Ladder,
    skipped: Option<Skipped>,
}

impl Opener {
    pub(super) fn new(mongo: &Mongo, config: Config, position: Position) -> Self {
        Self {
            mongo: mongo.clone(),
            ladder: Ladder::new(config.on_history_lost, &position),
            config,
            position,
            skipped: None,
        }
    }

    /// Opens the stream after the position, or as near to it as the policy allows.
    pub(super) async fn open(&mut self) -> Result<Stream, Error> {
        self.check_not_ahead().await?;
        loop {
            let place = self.ladder.place(&self.position);
            match Stream::open(&self.mongo, &self.config, &place).await {
                Ok(stream) => return Ok(stream),
                Err(error) => self.recover(error).await?,
            }
        }
    }

    /// Decides on a failure of the stream; `Ok` where it is worth opening again at once.
    pub(super) async fn recover(&mut self, error: Error) -> Result<(), Error> {
        let Error::HistoryLost { source, .. } = &error else {
            return Err(error);
        };
        match self.ladder.refused(&self.position, source.is_lost()) {
            Step::Again => {
                warn!(
                    error = chain(&error),
                    "the place in the change stream was refused, trying again"
                );
                Ok(())
            }
            Step::Skip => self.skip(&error).await,
            Step::Stop => Err(error),
            Step::Exhausted => Err(Error::Exhausted {
                source: Box::new(error),
            }),
        }
    }

    /// Everything up to `position` was read.
    pub(super) fn arrived(&mut self, position: Position) {
        self.ladder.arrived(&position);
        self.position = position;
    }

    /// The position after the last item.
    pub(super) fn position(&self) -> &Position {
        &self.position
    }

    /// What was skipped and not told yet.
    pub(super) fn take_skipped(&mut self) -> Option<Skipped> {
        self.skipped.take()
    }

    /// Nothing is skipped in silence: a stream opened in the cluster's future waits for it.
    async fn check_not_ahead(&mut self) -> Result<(), Error> {
        let now = self.now().await?;
        let latest = now.time.saturating_add(AHEAD_SECONDS);
        let time = self.position.cluster_time();
        if time.is_none_or(|time| time.time <= latest) {
            return Ok(());
        }
        let error = Error::Ahead {
            database: self.config.database.clone(),
            position: self.position.to_string(),
            now: time_text(now),
        };
        match self.config.on_history_lost {
            HistoryLost::Stop => Err(error),
            HistoryLost::Skip => self.skip(&error).await,
        }
    }

    async fn now(&self) -> Result<Timestamp, Error> {
        let now = self.mongo.preflight().await;
        now.map_err(|source| Error::Mongo {
            database: self.config.database.clone(),
            source,
        })
    }

    async fn skip(&mut self, error: &Error) -> Result<(), Error> {
        let now = self.now().await?;
        let to = Timestamp {
            time: now.time,
            increment: now.increment.saturating_add(1),
        };
        let from = self.position.cluster_time();
        warn!(
            error = chain(error),
            skipped_from = from.map_or_else(|| "unknown".to_owned(), time_text),
            skipped_to = time_text(to),
            skipped_seconds = from.map(|from| to.time.saturating_sub(from.time)),
            "CHANGES LOST: history was skipped, as CDC_ON_HISTORY_LOST=skip says; copy what changed in between"
        );
        self.ladder.skipped(to);
        self.position = Position::At(to);
        // Two skips before the first is told are one to whoever hears of them.
        let from = self.skipped.take().map_or(from, |earlier| earlier.from);
        self.skipped = Some(Skipped { from, to });
        Ok(())
    }
}
