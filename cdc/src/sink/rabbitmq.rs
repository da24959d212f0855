//! RabbitMQ, by AMQP 0-9-1 or by its stream protocol.

mod amqp;
mod fresh;
mod link;
mod publisher;
pub mod stream;

use std::time::Duration;

pub use self::{amqp::Marks, link::Link};
use crate::{
    lease::Lock,
    rabbitmq::{Broker, Topology},
};

/// Where and how to publish.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the broker is.
    pub broker: Broker,
    /// Where messages go there.
    pub topology: Topology,
    /// What every message has.
    pub marks: Marks,
    /// How to publish to streams by their own protocol, where that is to be tried.
    pub streams: Option<stream::Streams>,
    /// Held while publishing, so that one engine of a pipeline publishes at a time.
    pub lock: Lock,
    /// Longest wait for the broker's verdict while the connection is not blocked.
    pub confirm_timeout: Duration,
}
