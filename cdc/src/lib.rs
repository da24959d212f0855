//! Change data capture: every committed change in MongoDB becomes a message in RabbitMQ, in order, at least once,
//! and never silently lost.
//!
//! ```text
//! source --ChangeEvent--> encode --Message--> sink --Receipt--> checkpoint        all driven by pipeline
//! ```
//!
//! [`source`] reads the change stream, [`mod@encode`] writes messages, [`sink`] sends them and collects the broker's
//! verdicts, [`checkpoint`] remembers how far everything was confirmed, and [`pipeline`] drives them.
//! Stages never import each other; [`config`] alone reads the environment; [`app`] puts everything together.

pub mod admin;
pub mod app;
pub mod config;
pub mod operate;
pub mod pipeline;
pub mod tail;

pub mod checkpoint;
pub mod encode;
pub mod lease;
pub mod projection;
pub mod sink;
pub mod source;
pub mod start;

pub mod amqp;
pub mod event;
pub mod health;
pub mod message;
pub mod metrics;
pub mod mongo;
pub mod position;
pub mod raw_bson;
pub mod retry;
pub mod signals;
pub mod tls;

mod sabotage;

#[cfg(test)]
mod property;
