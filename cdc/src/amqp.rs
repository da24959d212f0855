//! A connection to RabbitMQ, for whoever publishes, consumes or holds the lease: opening it, what is declared and checked
//! on it, and the meaning of its errors.

mod arguments;
mod broker;
mod connection;
mod declare;
mod difference;
mod error;
mod greeting;
mod permissions;
mod queue;
mod scheduling;
mod topology;

pub(crate) use self::error::soft_error;
pub use self::{
    arguments::{Arguments, Danger},
    broker::Broker,
    connection::Connection,
    error::{Error, Unfit},
    permissions::{Asked, Denied, Needs, Permission, Resource, escaped},
    queue::{Queue, QueueType},
    topology::{Declare, Exchange, Survey, Topology},
};
