//! RabbitMQ's stream protocol: a connection to one node, and what is asked there.
//! <https://github.com/rabbitmq/rabbitmq-server/blob/main/deps/rabbitmq_stream/docs/PROTOCOL.adoc>
//!
//! The frames and the messages are the client library's (`rabbitmq-stream-protocol`). Its client above them is not used:
//! it goes on after a frame that it could not write, waits without a deadline, and does not tell the size of a frame that
//! the broker takes.

mod chunk;
mod connection;
mod dial;
mod handshake;
mod wire;

pub use rabbitmq_stream_protocol::{
    commands::subscribe::OffsetSpecification as Offset, message::Message, types::PublishedMessage,
};

pub use self::{
    chunk::Chunk,
    connection::{Connection, Event, Events},
};
