//! By AMQP 0-9-1, with publisher confirms.

mod confirm;
mod in_flight;
mod properties;
mod publisher;

#[cfg(test)]
mod tests;

pub use self::properties::Marks;
pub(in crate::sink::rabbitmq) use self::publisher::Publisher;
