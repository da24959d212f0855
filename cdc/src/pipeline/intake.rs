//! From the source to the window: what was received and not yet encoded, and how it becomes messages.

use std::{collections::HashSet, sync::Arc, vec::IntoIter};

use bson::Timestamp;
use futures_util::FutureExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tracing::warn;

use super::{
    Entry, Error, Filter, OnOversize, OnPoison, Policies,
    snapshots::Next,
    stored::{Look, Stored},
};
use crate::{
    encode,
    event::{self, ChangeEvent, Operation},
    message::{Address, Message, ParkReason, Value},
    metrics::Metrics,
    position::Position,
    projection::{self, Projection},
    retry::chain,
    snapshot::Name,
    source::{self, Chunk, Item, Source},
};

/// The reading end of the pipeline.
#[derive(Debug)]
pub(super) struct Intake {
    source: Option<Source>,
    encode: encode::Config,
    policies: Policies,
    projection: Option<Projection>,
    filter: Option<Filter>,
    /// The broker takes no larger body, as far as we know.
    max_message_bytes: Option<usize>,
    /// What happened up to this cluster time may have been published before.
    replay_until: Option<Timestamp>,
    /// What the target has already.
    stored: Stored,
    /// Nothing from this cluster time on is wanted.
    until: Option<Timestamp>,
    /// Received, and not yet in the window.
    pending: IntoIter<Item>,
    /// What is left of a change that several messages tell of. It is made piece by piece, within the window's bounds.
    copies: Option<Copies>,
    /// The share of the memory bound that what is pending has.
    permit: Option<OwnedSemaphorePermit>,
    /// How many seconds what was received last is behind the server's time.
    behind_seconds: u32,
    /// Why the source ended, which comes after what is pending.
    ended: Option<source::Error>,
    /// Collections of which it was said that the body replaces fields of their documents.
    replaced: HashSet<String>,
    metrics: Metrics,
}

/// Messages to come of a change whose first message was taken.
#[derive(Debug)]
struct Copies {
    first: Arc<Message>,
    addresses: IntoIter<Address>,
    /// The position after the change.
    position: Position,
}

/// What comes out.
#[derive(Debug)]
pub(super) enum Taken {
    /// A message for the window.
    Entry(Entry),
    /// Nothing was to publish up to here.
    Idle(Position),
    /// Nothing to publish, and no position to go on from yet.
    Nothing,
    /// What was up to here is lost.
    Skipped(Position),
    /// All that is wanted was taken.
    End,
    /// What the target has last did not come again among the changes of its time.
    Missed,
}

impl Intake {
    pub(super) fn new(
        source: Source,
        encode: encode::Config,
        (policies, projection, filter): (Policies, Option<Projection>, Option<Filter>),
        max_message_bytes: Option<usize>,
        (replay_until, stored): (Option<Timestamp>, Stored),
        metrics: Metrics,
    ) -> Self {
        Self {
            behind_seconds: source.behind_seconds(),
            source: Some(source),
            encode,
            policies,
            projection,
            filter,
            max_message_bytes,
            replay_until,
            stored,
            until: None,
            pending: IntoIter::default(),
            copies: None,
            permit: None,
            ended: None,
            replaced: HashSet::new(),
            metrics,
        }
    }

    /// Takes nothing from `until` on, and has every message say that it tells of an old change.
    pub(super) fn end_before(&mut self, until: Timestamp) {
        self.until = Some(until);
    }

    /// How events become messages.
    pub(super) fn encode(&self) -> &encode::Config {
        &self.encode
    }

    /// Whether to receive more: what was received before has to fit in first, since the window may run out of bytes
    /// before entries.
    pub(super) fn is_hungry(&self) -> bool {
        self.pending.as_slice().is_empty() && self.copies.is_none() && self.ended.is_none()
    }

    /// How many seconds the reading is behind the server's time.
    pub(super) fn behind_seconds(&self) -> u32 {
        self.behind_seconds
    }

    /// Waits for what is read next.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn receive(&mut self) {
        let Some(source) = &mut self.source else {
            return std::future::pending().await;
        };
        let received = source.receive().await;
        self.received(received);
    }

    /// Takes what is read, if there is anything and room for it.
    pub(super) fn look(&mut self) {
        if self.is_hungry()
            && let Some(source) = &mut self.source
            && let Some(received) = source.receive().now_or_never()
        {
            self.received(received);
        }
    }

    fn received(&mut self, received: Option<Result<Chunk, source::Error>>) {
        match received {
            Some(Ok(chunk)) => {
                self.behind_seconds = chunk.behind_seconds();
                (self.pending, self.permit) = chunk.into_parts();
            }
            Some(Err(error)) => self.ended = Some(error),
            // The source always says why it ends, unless its task is gone.
            None => self.ended = Some(source::Error::Ended),
        }
    }

    /// What [`Intake::next`] gives next.
    pub(super) fn peek(&self) -> Next {
        if self.copies.is_some() {
            return Next::Rest;
        }
        self.pending
            .as_slice()
            .first()
            .map_or(Next::Nothing, Next::of)
    }

    /// The names before and after, where a rename comes next.
    pub(super) fn renamed(&self) -> Option<(Name, Name)> {
        let (Item::Event(event) | Item::Renamed(event)) = self.pending.as_slice().first()? else {
            return None;
        };
        let is_next = self.copies.is_none() && *event.operation() == Operation::Rename;
        let event = Some(event).filter(|_| is_next)?;
        Some((Name::of(event.namespace())?, Name::of(event.renamed_to()?)?))
    }

    /// The message for a document that a snapshot read; none where the program does not want it.
    pub(super) fn read(
        &self,
        event: Result<ChangeEvent, event::Error>,
    ) -> Result<Option<Message>, Error> {
        let event = event.map_err(Error::Document)?;
        if self
            .filter
            .as_ref()
            .is_some_and(|filter| !filter.wants(&event))
        {
            return Ok(None);
        }
        self.message(&event).map(Some)
    }

    /// Takes and encodes the next of what was received.
    pub(super) fn next(&mut self) -> Option<Result<Taken, Error>> {
        if let Some(copy) = self.next_copy() {
            return Some(Ok(copy));
        }
        let Some(item) = self.pending.next() else {
            self.permit = None;
            return self.ended.take().map(|error| Err(error.into()));
        };
        if let Some(until) = self.until
            && Some(until) <= item.position().cluster_time()
        {
            return Some(Ok(Taken::End));
        }
        // Not asked for every event: a position is a copy of its token.
        if self.stored.has_rest()
            && let Some(time) = item.position().cluster_time()
            && self.stored.reach(time).is_err()
        {
            return Some(Ok(Taken::Missed));
        }
        Some(self.take(item))
    }

    fn take(&mut self, item: Item) -> Result<Taken, Error> {
        Ok(match item {
            Item::Event(event) => {
                self.metrics.events_read.inc();
                if self
                    .filter
                    .as_ref()
                    .is_some_and(|filter| !filter.wants(&event))
                {
                    return Ok(self.idle(event.position()));
                }
                let message = self.message(&event)?;
                self.note_replaced_fields(&message);
                self.entries(self.marked(message), event.position())
            }
            Item::Renamed(event) => self.idle(event.position()),
            Item::Idle(position) => self.idle(position),
            Item::Skipped(skipped) => {
                self.metrics.history_skips.inc();
                let seconds = skipped.seconds().map_or(0.0, f64::from);
                self.metrics.history_skipped_seconds.inc_by(seconds);
                Taken::Skipped(item.position())
            }
        })
    }

    /// The entry of a change's first message. The change's last one has the position.
    fn entries(&mut self, mut message: Message, position: Position) -> Taken {
        let addresses = std::mem::take(&mut message.further);
        let message = Arc::new(message);
        if addresses.is_empty() {
            return self.entry(message, Some(position));
        }
        self.copies = Some(Copies {
            first: Arc::clone(&message),
            addresses: addresses.into_iter(),
            position,
        });
        self.entry(message, None)
    }

    fn next_copy(&mut self) -> Option<Taken> {
        let mut copies = self.copies.take()?;
        let message = copies.first.copy_to(copies.addresses.next()?);
        let is_last = copies.addresses.as_slice().is_empty();
        let position = is_last.then(|| copies.position.clone());
        self.copies = Some(copies).filter(|_| !is_last);
        Some(self.entry(Arc::new(message), position))
    }

    /// The entry of a message, unless the target has it already.
    fn entry(&mut self, message: Arc<Message>, position: Option<Position>) -> Taken {
        let look = self.stored.look(&message);
        let position = position.filter(|_| !self.stored.is_undecided());
        if look == Look::New {
            if self
                .replay_until
                .is_some_and(|until| message.cluster_time <= until)
            {
                self.metrics.messages_replayed.inc();
            }
            let sent = None;
            return Taken::Entry(Entry {
                message,
                position,
                sent,
            });
        }
        self.metrics.messages_passed_over.inc();
        position.map_or(Taken::Nothing, Taken::Idle)
    }

    /// Up to `position` there is nothing to publish.
    fn idle(&self, position: Position) -> Taken {
        if self.stored.is_undecided() {
            return Taken::Nothing;
        }
        Taken::Idle(position)
    }

    /// Reads no more. What was read and is not in the window is read again by the next start.
    pub(super) fn close(&mut self) {
        self.source = None;
        (self.pending, self.permit, self.ended) = (IntoIter::default(), None, None);
        self.copies = None;
    }

    /// Counts it, and says it once for each collection.
    fn note_replaced_fields(&mut self, message: &Message) {
        if !message.replaces_fields {
            return;
        }
        self.metrics.messages_with_replaced_fields.inc();
        if !self.replaced.contains(&message.namespace) {
            self.replaced.insert(message.namespace.clone());
            warn!(
                collection = message.namespace,
                "a document has a field `type` or `entry_id` of its own, which the body's takes the place of; the format \
                 `event` has both"
            );
        }
    }

    fn marked(&self, mut message: Message) -> Message {
        if self.until.is_some() {
            let header = ("cdc-replay", Value::Text("true".into()));
            message.more_headers.push(header);
        }
        message
    }

    fn message(&self, event: &ChangeEvent) -> Result<Message, Error> {
        let message = self.projected(event)?;
        self.metrics.encoded(event.operation());
        Ok(message)
    }

    fn projected(&self, event: &ChangeEvent) -> Result<Message, Error> {
        let Some(projection) = &self.projection else {
            return self.encoded(event);
        };
        match projection.apply(event) {
            Ok(projected) => self.encoded(projected.as_ref().unwrap_or(event)),
            Err(error) => self.unreadable(&projection.without_content(event), error),
        }
    }

    /// Nobody knows which bytes of an event may be told, of which `bare` is what is left without any content.
    fn unreadable(&self, bare: &ChangeEvent, error: projection::Error) -> Result<Message, Error> {
        let parked = encode::poison(bare, &self.encode, &error);
        let error = Error::project(bare, error);
        if self.policies.on_poison != OnPoison::Park {
            return Err(error);
        }
        warn!(error = chain(&error), "parked without its content");
        self.metrics.parked(ParkReason::Poison);
        Ok(parked)
    }

    fn encoded(&self, event: &ChangeEvent) -> Result<Message, Error> {
        let message = match encode::encode(event, &self.encode) {
            Ok(message) => self.fitting(event, message)?,
            Err(error) => self.poison(event, error)?,
        };
        match self.max_message_bytes {
            Some(limit) if self.is_oversize(&message) => Err(Error::oversize(&message, limit)),
            _ => Ok(message),
        }
    }

    /// `message`, or what the policy makes of it where it is too large.
    fn fitting(&self, event: &ChangeEvent, message: Message) -> Result<Message, Error> {
        if self.is_oversize(&message) {
            self.oversize(event, message)
        } else {
            Ok(message)
        }
    }

    fn poison(&self, event: &ChangeEvent, error: encode::Error) -> Result<Message, Error> {
        match self.policies.on_poison {
            OnPoison::Stop => Err(Error::encode(event, error)),
            OnPoison::Park => {
                let parked = encode::poison(event, &self.encode, &error);
                warn!(error = chain(&Error::encode(event, error)), "parked");
                self.metrics.parked(ParkReason::Poison);
                Ok(parked)
            }
            OnPoison::Replace => self.mended(event, error),
        }
    }

    /// The message for a copy of `event` in which every text is UTF-8, where nothing else is wrong.
    fn mended(&self, event: &ChangeEvent, error: encode::Error) -> Result<Message, Error> {
        let error = Error::encode(event, error);
        let Some((mended, header)) = encode::mended(event) else {
            return Err(error);
        };
        let message = encode::encode(&mended, &self.encode);
        let message = message.map_err(|error| Error::encode(&mended, error))?;
        let mut message = self.fitting(&mended, message)?;
        warn!(error = chain(&error), "text replaced");
        self.metrics.messages_mended.inc();
        message.more_headers.push(header);
        Ok(message)
    }

    fn oversize(&self, event: &ChangeEvent, message: Message) -> Result<Message, Error> {
        let bytes = message.body.len();
        let trimmed = || {
            let trimmed = encode::trimmed(event, &self.encode, bytes);
            trimmed.map_err(|error| Error::encode(event, error))
        };
        match self.policies.on_oversize {
            OnOversize::Stop => Ok(message),
            OnOversize::Trim => {
                self.metrics.messages_trimmed.inc();
                trimmed()
            }
            OnOversize::Park => {
                self.metrics.parked(ParkReason::Oversize);
                let limit = self.max_message_bytes.unwrap_or_default();
                let detail = format!("{bytes} bytes, the broker takes {limit}");
                Ok(trimmed()?.park(ParkReason::Oversize, detail, &self.encode.exchange))
            }
        }
    }

    fn is_oversize(&self, message: &Message) -> bool {
        let limit = self.max_message_bytes;
        limit.is_some_and(|limit| limit < message.body.len())
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;
    use crate::{
        message::Target,
        projection::{Action, Rule},
    };

    /// An intake that leaves out the field `a.b`.
    fn intake(on_poison: OnPoison) -> Intake {
        let (path, action) = ("a.b".parse().unwrap(), Action::Exclude);
        let policies = Policies {
            on_unroutable: super::super::OnUnroutable::Stop,
            on_poison,
            on_oversize: OnOversize::Stop,
        };
        let encode = encode::Config {
            shape: Arc::new(encode::event::Event),
            ..encode::Config::default()
        };
        let projection = Projection::new(vec![Rule { path, action }]);
        let source = Source::scripted(Vec::new());
        let metrics = Metrics::new("p");
        Intake::new(
            source,
            encode,
            (policies, projection, None),
            None,
            (None, Stored::default()),
            metrics,
        )
    }

    /// An insert of a secret in `a.b`, the length of which is not what it should be.
    fn corrupt() -> ChangeEvent {
        let event = rawdoc! {
            "_id": { "_data": "82" }, "operationType": "insert", "clusterTime": Timestamp { time: 1, increment: 1 },
            "ns": { "db": "shop", "coll": "games" }, "documentKey": { "_id": "ada" },
            "fullDocument": { "_id": "ada", "a": { "b": "secret" } },
        };
        let mut bytes = event.into_bytes();
        let place = bytes.windows(6).position(|part| part == b"secret");
        bytes[place.unwrap() - 1] = 0x7f;
        ChangeEvent::parse(bytes.into()).unwrap()
    }

    fn has_content(text: &[u8]) -> bool {
        let has = |secret: &[u8]| text.windows(secret.len()).any(|part| part == secret);
        has(b"secret") || has(b"ada")
    }

    #[tokio::test]
    async fn an_event_that_cannot_be_masked_is_parked_without_its_content() {
        let message = intake(OnPoison::Park).message(&corrupt()).unwrap();
        assert_eq!(message.target, Target::Parked);
        assert!(!has_content(&message.body) && !has_content(format!("{message:?}").as_bytes()));
        assert_eq!(
            message.message_id.to_string(),
            "3b5cb7fe5131e4a99af7362c93a81387"
        );
        assert_eq!(message.namespace, "shop.games");
    }

    #[tokio::test]
    async fn an_event_that_cannot_be_masked_stops_the_engine_where_it_is_not_parked() {
        for policy in [OnPoison::Stop, OnPoison::Replace] {
            let error = intake(policy).message(&corrupt()).unwrap_err();
            assert!(matches!(error, Error::Project { .. }), "{error}");
            let text = chain(&error);
            assert!(text.contains("it is not valid BSON at byte"), "{text}");
            assert!(!has_content(text.as_bytes()), "{text}");
        }
    }
}
