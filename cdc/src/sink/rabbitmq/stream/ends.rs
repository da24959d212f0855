//! Where streams end when a connection is made: at the start of a session, and after a loss.

use tracing::warn;

use super::{Place, Places, Track, first_id, place};
use crate::{
    rabbitmq::{
        Error,
        stream::{Connection, Events},
    },
    sink::{Receipt, Verdict},
};

/// What comes of the streams when a connection is made.
#[derive(Default)]
pub(super) struct Ends {
    pub(super) tracks: Vec<Track>,
    pub(super) places: Places,
    /// Streams that have messages of ours, and do not tell the last one.
    pub(super) unknown: u64,
    /// For what was found stored.
    pub(super) settled: Vec<Receipt>,
}

/// A stream whose end is looked at.
pub(super) struct End<'a> {
    pub(super) connection: &'a Connection,
    pub(super) events: &'a mut Events,
    pub(super) stream: &'a str,
    /// The publisher's last id there.
    pub(super) last: u64,
}

impl End<'_> {
    /// At the start of a session: by the stream's last message.
    pub(super) async fn begin(&mut self, ends: &mut Ends) -> Result<(), Error> {
        let place = match self.last {
            0 => None,
            _ => self.find().await?,
        };
        if place.is_none() && self.last != 0 {
            warn!(
                stream = self.stream,
                "the stream does not tell where to go on: the message that was written last is not found; what comes after \
                 the checkpoint is published, perhaps again"
            );
            ends.unknown += 1;
        }
        ends.places.push(place);
        ends.tracks.push(Track::new(self.last, first_id(self.last)));
        Ok(())
    }

    /// After a loss, with what was in flight. What counts as stored by its id has to be there for good: the leader may know ids whose messages have no copies.
    pub(super) async fn resume(&mut self, mut track: Track, ends: &mut Ends) -> Result<(), Error> {
        let other_end = || Error::OtherEnd {
            stream: self.stream.to_owned(),
        };
        let numbers = track.resume(self.last).ok_or_else(other_end)?;
        if !numbers.is_empty() && self.find().await?.is_none() {
            let stream = self.stream.to_owned();
            return Err(Error::OtherEnd { stream });
        }
        ends.settled.extend(numbers.into_iter().map(stored));
        ends.tracks.push(track);
        Ok(())
    }

    async fn find(&mut self) -> Result<Option<Place>, Error> {
        place::find(self.connection, self.events, self.stream, self.last).await
    }
}

/// The receipt for a message that is stored.
pub(super) fn stored(sequence: u64) -> Receipt {
    Receipt {
        sequence,
        verdict: Verdict::Confirmed,
        returned: None,
    }
}
