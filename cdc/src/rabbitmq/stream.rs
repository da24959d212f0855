//! RabbitMQ's stream protocol: a connection to one node, and what is asked there.
//! <https://github.com/rabbitmq/rabbitmq-server/blob/main/deps/rabbitmq_stream/docs/PROTOCOL.adoc>
//!
//! The frames but for the one that publishes are the client library's (`rabbitmq-stream-protocol`), as are messages that
//! are read. Its client above them is not used: it goes on after a frame that it could not write, waits without a
//! deadline, and does not tell the size of a frame that the broker takes.

mod chunk;
mod connection;
mod dial;
mod handshake;
mod listener;
mod publish;
mod questions;
mod shared;
mod wire;

pub use rabbitmq_stream_protocol::{
    commands::subscribe::OffsetSpecification as Offset, message::Message,
};

pub use self::{
    chunk::Chunk,
    connection::Connection,
    listener::{Event, Events},
    publish::Publish,
};
