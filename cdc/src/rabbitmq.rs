//! A connection to RabbitMQ, for whoever publishes, consumes or holds the lease: opening it, what is declared and checked
//! on it, and the meaning of its errors.

mod arguments;
mod broker;
mod cause;
mod connect;
mod connection;
mod declare;
mod difference;
mod error;
mod external;
mod failures;
mod greeting;
mod node;
mod permissions;
mod probe;
mod queue;
mod rehearsal;
mod scheduling;
pub mod stream;
mod super_stream;
mod tls;
mod topology;
mod transport;

pub(crate) use self::error::soft_error;
pub use self::{
    arguments::{Arguments, Danger},
    broker::Broker,
    cause::{Asked, Cause},
    connection::Connection,
    error::{Error, Unfit},
    failures::Failures,
    node::{Malformed, Node},
    permissions::{Action, Denied, Needs, Permission, Resource, escaped},
    queue::{Queue, QueueType},
    tls::{Fault, File, Identity, Tls},
    topology::{Binding, Declare, Exchange, Sight, Survey, Topology},
};
