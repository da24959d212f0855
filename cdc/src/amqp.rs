//! A connection to RabbitMQ, for whoever publishes, consumes or holds the lease: opening it, what is declared and checked
//! on it, and the meaning of its errors.

mod broker;
mod cause;
mod connect;
mod connection;
mod error;
mod failures;
mod node;
mod probe;
mod queue;
mod scheduling;
mod tls;
mod topology;
mod transport;

pub(crate) use self::error::soft_error;
pub use self::{
    broker::Broker,
    cause::Cause,
    connection::Connection,
    error::Error,
    failures::Failures,
    node::{Malformed, Node},
    queue::{Queue, QueueType},
    tls::{Fault, File, Identity, Tls},
    topology::Topology,
};
