//! What to do when another engine writes our checkpoint although it does not hold our lock.
//!
//! It may be for a while, as where the nodes of a broker are divided and each side has a lock of its own: then leaving
//! the other engine alone for some seconds is enough. Or for good, as with two brokers: then the engines would take the
//! checkpoint from each other for ever.

use std::time::Duration;

use tokio::time::Instant;

/// How long to leave the other engine alone, after the first time, the second and so on.
const PAUSES: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_secs(10),
    Duration::from_secs(20),
];
/// After so long without, the next time is the first one again.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);

/// The times that the checkpoint was taken from us lately.
#[derive(Debug, Default)]
pub(super) struct Takings {
    count: usize,
    last: Option<Instant>,
}

impl Takings {
    /// Once more: how long to wait before the next session, or that waiting has no sense.
    pub(super) fn taken(&mut self, now: Instant) -> Option<Duration> {
        let since = self.last.map(|last| now.duration_since(last));
        if since.is_none_or(|since| FORGOTTEN_AFTER < since) {
            self.count = 0;
        }
        self.last = Some(now);
        let pause = PAUSES.get(self.count).copied();
        self.count += 1;
        pause
    }

    /// The other engine holds our lock: it does see us.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_waiting_has_no_sense() {
        let (mut takings, now) = (Takings::default(), Instant::now());
        let pauses = [0, 10, 30, 60].map(|after| takings.taken(now + Duration::from_secs(after)));
        let seconds = pauses.map(|pause| pause.map(|pause| pause.as_secs()));
        assert_eq!(seconds, [Some(0), Some(10), Some(20), None]);
    }

    #[test]
    fn what_is_long_ago_or_explained_does_not_count() {
        let (mut takings, now) = (Takings::default(), Instant::now());
        takings.taken(now);
        takings.taken(now);
        let later = now + FORGOTTEN_AFTER + Duration::from_secs(1);
        assert_eq!(takings.taken(later), Some(Duration::ZERO));
        takings.forget();
        assert_eq!(takings.taken(later), Some(Duration::ZERO));
    }
}
