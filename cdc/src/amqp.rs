//! A connection to RabbitMQ, for whoever publishes, consumes or holds the lease: opening it, what is declared and checked
//! on it, and the meaning of its errors.

mod broker;
mod connection;
mod error;
mod greeting;
mod queue;
mod scheduling;
mod topology;

pub(crate) use self::error::soft_error;
pub use self::{
    broker::Broker,
    connection::Connection,
    error::Error,
    queue::{Queue, QueueType},
    topology::Topology,
};
