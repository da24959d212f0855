//! By RabbitMQ's stream protocol, each message once.
//!
//! The broker stores the greatest publishing id of a publisher's name with the messages, and drops a message whose id is
//! not greater, which it confirms all the same (<https://www.rabbitmq.com/docs/streams#deduplication>). So ids only count
//! up, in the order of the messages, and after a frame that failed in any way nothing more is written on its connection.
//!
//! - A connection that is made again asks for the last id. What has an id up to it is stored; the rest is sent again
//!   with the ids that it had.
//! - A session begins with ids far above the last one ([`FENCE`]): an engine before it that wakes up writes with ids
//!   below, which the broker drops. Where to go on tells the last message itself ([`place`]).
//! - The id stands in each message, since the broker does not tell readers.

mod connect;
mod ends;
mod place;
mod properties;
mod publisher;
mod track;
mod writing;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

pub use self::place::{Place, Places, UpTo};
pub(super) use self::{
    connect::{Connected, connect},
    publisher::Publisher,
    track::Track,
};

/// How far above the last id a session begins: an engine that has lost the lock must not come so far before it notices.
const FENCE: u64 = 1 << 32;

/// The header with a message's publishing id.
const ID_HEADER: &str = "cdc-publishing-id";

/// How to publish by the stream protocol.
#[derive(Debug, Clone)]
pub struct Streams {
    /// The nodes' port for it.
    pub port: u16,
    /// What to do where the broker does not speak it.
    pub choice: Choice,
    /// The publisher's name, of at most 255 bytes.
    pub publisher: String,
}

/// By which protocol a stream is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// By its own where the broker offers that, else by AMQP.
    Auto,
    /// By its own.
    Native,
}

/// Where the ids of a publisher begin: anywhere below this, so that those of two publishers of one stream are far apart,
/// for the last message of one is found by its id. The double holds half a million sessions more, and is the last whole
/// number that every consumer's language reads exactly.
const BEGIN: u64 = 1 << 52;

/// The first id of a session that finds `last` as the stream's last one. It is another one for each engine, so that none
/// takes what another one wrote for its own.
fn first_id(last: u64) -> u64 {
    // Each state has keys of its own, so that it hashes even nothing to a number of its own.
    let random = RandomState::new().build_hasher().finish();
    let range = if last == 0 { BEGIN } else { FENCE };
    last + FENCE + random % range
}
