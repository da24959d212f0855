//! Programs that the toolkit launches against real servers.
//!
//! They stand outside the engine on purpose: they know what they wrote to MongoDB and what arrived
//! in RabbitMQ, and share no code with the engine that they check.

#![expect(
    clippy::print_stderr,
    reason = "these programs tell of their progress on stderr"
)]

pub mod hint;
mod interrupt;
pub mod patience;
pub mod settings;

pub mod broker;
pub mod store;

pub mod bench;
pub mod chaos;
pub mod local_test;
pub mod replica_set;
pub mod snapshot_demo;

pub mod body;
pub mod checker;
pub mod latency;
pub mod listener;
pub mod pace;
pub mod progress;
pub mod scrabble;
pub mod writer;
