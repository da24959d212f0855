//! Opens the stream, down the ladder where the server refuses the position.

use bson::Timestamp;
use tracing::{info, warn};

use super::{
    Config, Error, HistoryLost, Item, Scope, Skipped,
    ladder::{Ladder, Step},
    pace::Pace,
    patience::Patience,
    stream::{Opening, Stream},
};
use crate::{
    event::Operation,
    mongo::Mongo,
    position::{CATCHING_UP_SECONDS, Position, time_text},
    retry::chain,
};

/// Most seconds that a position may be ahead of the member that is asked. All that we read was committed by a majority, so
/// any primary knows of it, but one that is cut off may not have heard yet that it is none.
const AHEAD_SECONDS: u32 = 60;

/// From this distance on there may be so much before the oplog's end that a full batch takes long.
const NEAR_SECONDS: u32 = 2;

/// Knows how far everything was handed over, and opens the stream there.
pub(super) struct Opener {
    mongo: Mongo,
    scope: Scope,
    policy: HistoryLost,
    /// After the last item that was handed over.
    position: Position,
    ladder: Ladder,
    skipped: Option<Skipped>,
    pace: Pace,
    patience: Patience,
}

/// What becomes of a stream after an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is read on.
    GoesOn,
    /// It is opened again, at another pace.
    Repaced,
    /// The server has ended it; it is opened again after that.
    Ended,
}

impl Opener {
    pub(super) fn new(mongo: &Mongo, config: Config, position: Position) -> Self {
        Self {
            mongo: mongo.clone(),
            ladder: Ladder::new(config.on_history_lost, &position),
            scope: config.scope,
            policy: config.on_history_lost,
            position,
            skipped: None,
            pace: Pace::default(),
            patience: Patience::default(),
        }
    }

    /// Opens the stream after the position, or as near to it as the policy allows.
    pub(super) async fn open(&mut self) -> Result<Stream, Error> {
        let now = self.check_not_ahead().await?;
        let behind = self.position.seconds_before(now);
        if CATCHING_UP_SECONDS <= behind {
            info!(
                behind_seconds = behind,
                "opening the change stream far behind the server's time"
            );
        }
        loop {
            let place = self.ladder.place(&self.position);
            let opening = Opening {
                now,
                pace: self.pace,
                patience: self.patience,
            };
            match Stream::open(&self.mongo, &self.scope, &place, opening).await {
                Ok(Some(stream)) => return Ok(stream),
                Ok(None) => self.slow(),
                Err(error) => self.recover(error).await?,
            }
        }
    }

    /// Decides on a failure of the stream; `Ok` where it is worth opening again at once.
    pub(super) async fn recover(&mut self, error: Error) -> Result<(), Error> {
        let source = match &error {
            Error::HistoryLost { source, .. } => source,
            // It may be an event that nobody asked for.
            Error::TooLarge { .. } | Error::NoImage { .. } if self.pace.unsendable() => {
                return Ok(());
            }
            Error::Slow { .. } => {
                warn!(error = chain(&error), "waiting longer");
                self.patience.grow();
                return Ok(());
            }
            _ => return Err(self.explain(error).await),
        };
        match self.ladder.refused(&self.position, source.is_lost()) {
            Step::Again => {
                warn!(
                    error = chain(&error),
                    "the server refused the position in the change stream, trying again"
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

    async fn explain(&self, error: Error) -> Error {
        let Error::Mongo { database, source } = error else {
            return error;
        };
        let needed = self.scope.privileges();
        let source = self.mongo.explain(source, &needed).await;
        Error::Mongo { database, source }
    }

    /// Everything up to `position` was read.
    pub(super) fn arrived(&mut self, position: Position) {
        self.ladder.arrived(&position);
        self.position = position;
        self.patience = Patience::default();
    }

    /// A reply takes long although the server is alive.
    pub(super) fn slow(&mut self) {
        info!("mongodb is looking through much that is not wanted, skimming");
        self.pace.slow();
    }

    /// What to hand over of `item`, and what becomes of the stream.
    ///
    /// An invalidate is always read, because the stream can only be opened again after it, and so is a rename, for
    /// snapshots. Any other event that is not wanted is of a sample. The server finds its token only in a stream that has
    /// the sample too, so its cluster time is the position: what is wanted of that very instant comes again.
    pub(super) fn wanted(&mut self, item: Item, now: Timestamp) -> (Item, Next) {
        let Item::Event(event) = &item else {
            let next = self.next(&item, false, now);
            return (item, next);
        };
        let is_wanted = self.scope.wants(event);
        if *event.operation() == Operation::Invalidate {
            let after = Item::Idle(item.position());
            return (if is_wanted { item } else { after }, Next::Ended);
        }
        let next = self.next(&item, is_wanted, now);
        match item {
            Item::Event(event) if !is_wanted && self.scope.is_renamed(&event) => {
                (Item::Renamed(event), next)
            }
            Item::Event(event) if !is_wanted => {
                (Item::Idle(Position::At(event.cluster_time())), next)
            }
            item => (item, next),
        }
    }

    fn next(&mut self, item: &Item, is_wanted: bool, now: Timestamp) -> Next {
        if !self.pace.is_skimming() {
            self.pace.arrived();
            return Next::GoesOn;
        }
        // A reply without events comes at the oplog's end.
        let is_behind =
            matches!(item, Item::Event(_)) && NEAR_SECONDS <= item.position().seconds_before(now);
        if self.pace.read(is_wanted, is_behind) {
            Next::Repaced
        } else {
            Next::GoesOn
        }
    }

    /// The position after the last item.
    pub(super) fn position(&self) -> &Position {
        &self.position
    }

    /// What was skipped and not told yet.
    pub(super) fn take_skipped(&mut self) -> Option<Skipped> {
        self.skipped.take()
    }

    /// Nothing is skipped in silence: a stream opened in the cluster's future waits for it. Returns the server's time.
    async fn check_not_ahead(&mut self) -> Result<Timestamp, Error> {
        let now = self.now().await?;
        let latest = now.time.saturating_add(AHEAD_SECONDS);
        let time = self.position.cluster_time();
        if time.is_none_or(|time| time.time <= latest) {
            return Ok(now);
        }
        let error = Error::Ahead {
            database: self.scope.databases.to_string(),
            position: self.position.to_string(),
            now: time_text(now),
        };
        match self.policy {
            HistoryLost::Stop => Err(error),
            HistoryLost::Skip | HistoryLost::Snapshot => self.skip(&error).await.map(|()| now),
        }
    }

    async fn now(&self) -> Result<Timestamp, Error> {
        let now = self.mongo.preflight().await;
        now.map_err(|source| Error::Mongo {
            database: self.scope.databases.to_string(),
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
            "CHANGES LOST: history was skipped, as the policy for lost history says; {}",
            self.policy.mend()
        );
        self.ladder.skipped(to);
        self.position = Position::At(to);
        // Two skips before the first is told are one to whoever hears of them.
        let from = self.skipped.take().map_or(from, |earlier| earlier.from);
        self.skipped = Some(Skipped { from, to });
        Ok(())
    }
}
