//! Where a stream ends: which change its last message of ours tells, read from the stream itself.

use bson::Timestamp;
use tokio::time::{Duration, Instant, timeout_at};

use super::ID_HEADER;
use crate::{
    message::{MessageId, SNAPSHOT_HEADER},
    position::read_time,
    rabbitmq::{
        Error,
        stream::{Chunk, Connection, Event, Events, Message, Offset},
    },
};

/// Longest search in one stream.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a chunk that is there may take to come.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(2);
/// Chunks that may be on their way.
const CREDIT: u16 = 2;
/// Messages before the end that are looked at after those of the last chunk, each time more.
const STEPS: [u64; 4] = [1_000, 20_000, 200_000, 2_000_000];

/// The last message of ours in a stream: what it tells and all before it are not to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its publishing id.
    pub id: u64,
    /// Its cluster time.
    pub cluster_time: Timestamp,
    /// How much of that time is there.
    pub up_to: UpTo,
}

/// How much of a place's own cluster time is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpTo {
    /// Changes up to the one that this message tells.
    Message(MessageId),
    /// Every change, as it is when a snapshot's document follows.
    Time,
    /// Nobody knows; every change before it.
    Before,
}

/// The place in each partition's stream; none where it is not known.
pub type Places = Vec<Option<Place>>;

/// Looks for the message with the publishing id `last` in `stream`, stored for good. It is not there where the stream was
/// emptied, where somebody else wrote by our name, or where its copies are not made yet.
///
/// # Errors
/// Whatever ends the connection.
pub(super) async fn find(
    connection: &Connection,
    events: &mut Events,
    stream: &str,
    last: u64,
) -> Result<Option<Place>, Error> {
    let deadline = Instant::now() + SEARCH_TIMEOUT;
    let mut search = Search {
        connection,
        events,
        stream,
        last,
        deadline,
    };
    search.run().await
}

struct Search<'a> {
    connection: &'a Connection,
    events: &'a mut Events,
    stream: &'a str,
    last: u64,
    deadline: Instant,
}

impl Search<'_> {
    async fn run(&mut self) -> Result<Option<Place>, Error> {
        let Some(chunk) = self.first_chunk(Offset::Last).await? else {
            return Ok(None);
        };
        // The message may be about to be committed, in the next chunk.
        let end = chunk.end();
        let found = self.scan(chunk, u64::MAX).await?;
        self.stop().await?;
        if found.is_some() {
            return Ok(found);
        }
        for step in STEPS {
            let from = end.saturating_sub(step);
            let Some(chunk) = self.first_chunk(Offset::Offset(from)).await? else {
                return Ok(None);
            };
            let found = self.scan(chunk, end).await?;
            self.stop().await?;
            if found.is_some() || from == 0 || self.deadline < Instant::now() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    async fn first_chunk(&mut self, offset: Offset) -> Result<Option<Chunk>, Error> {
        self.connection
            .subscribe(self.stream, offset, CREDIT)
            .await?;
        self.chunk().await
    }

    /// Looks at chunks up to the offset `end`, from `chunk` on.
    async fn scan(&mut self, mut chunk: Chunk, end: u64) -> Result<Option<Place>, Error> {
        loop {
            if let Some(place) = self.look(&chunk) {
                return Ok(Some(place));
            }
            if end <= chunk.end() {
                return Ok(None);
            }
            self.connection.credit().await?;
            match self.chunk().await? {
                Some(next) => chunk = next,
                None => return Ok(None),
            }
        }
    }

    fn look(&self, chunk: &Chunk) -> Option<Place> {
        let mut messages = chunk.messages_backwards();
        messages.find_map(|(_, message)| {
            let is_it = publishing_id(&message) == Some(self.last);
            is_it.then(|| place(self.last, &message)).flatten()
        })
    }

    /// The next chunk, if one comes.
    async fn chunk(&mut self) -> Result<Option<Chunk>, Error> {
        let until = self.deadline.min(Instant::now() + CHUNK_TIMEOUT);
        loop {
            match timeout_at(until, self.events.recv()).await {
                Ok(Some(Event::Chunk(chunk))) => return Ok(Some(chunk)),
                Ok(Some(Event::Lost(error))) => return Err(error),
                Err(_) | Ok(None) => return Ok(None),
                Ok(Some(_)) => {}
            }
        }
    }

    /// Ends the subscription, and passes over what it still brings.
    async fn stop(&mut self) -> Result<(), Error> {
        self.connection.unsubscribe().await?;
        while let Ok(event) = self.events.try_recv() {
            if let Event::Lost(error) = event {
                return Err(error);
            }
        }
        Ok(())
    }
}

fn publishing_id(message: &Message) -> Option<u64> {
    let headers = message.application_properties()?;
    let id: &i64 = headers.get(ID_HEADER)?.try_into().ok()?;
    u64::try_from(*id).ok()
}

/// What the message of ours with this publishing id tells.
fn place(id: u64, message: &Message) -> Option<Place> {
    let headers = message.application_properties()?;
    let text: &String = headers.get("cdc-cluster-time")?.try_into().ok()?;
    let up_to = if headers.contains_key(SNAPSHOT_HEADER) {
        UpTo::Time
    } else {
        let id = message.properties()?.message_id.as_ref()?;
        let text: String = id.clone().try_into().ok()?;
        UpTo::Message(text.parse().ok()?)
    };
    Some(Place {
        id,
        cluster_time: read_time(text).ok()?,
        up_to,
    })
}
