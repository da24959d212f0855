//! RabbitMQ by AMQP 0-9-1, with publisher confirms.

mod confirm;
mod fresh;
mod in_flight;
mod link;
mod properties;
mod publisher;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::{link::Link, properties::Marks};
use crate::{
    amqp::{Broker, Topology},
    lease::Lock,
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
    /// Held while publishing, so that one engine of a pipeline publishes at a time.
    pub lock: Lock,
    /// Longest wait for the broker's verdict while the connection is not blocked.
    pub confirm_timeout: Duration,
}
