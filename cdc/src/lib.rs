//! Change data capture: every committed change in MongoDB becomes a message in RabbitMQ, or in a sink of your own, in order,
//! at least once, and never silently lost.
//!
//! The program `cdc` is this library with a command line. A program of your own puts an [`Engine`] together, runs it and
//! stops it; an [`Encoder`], a filter and a [`Sink`] of its own take the places of the engine's:
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use cdc::{Engine, Operation};
//!
//! let engine = Engine::builder()
//!     .set("MONGO_DATABASE_HOST", "mongodb://localhost:30001/?replicaSet=my-replica-set")
//!     .set("MONGO_DATABASE_NAME", "shop")
//!     .set("CDC_OPERATIONS", "insert,update,replace,delete")
//!     .set("RABBITMQ_QUEUE_NAME", "orders")
//!     .filter(|change| *change.operation() != Operation::Delete || change.namespace().collection == Some("orders"))
//!     .build()?;
//! let handle = engine.handle();
//! let running = tokio::spawn(engine.run());
//!
//! handle.ready().await;
//! // Until it is time to stop: what was read is delivered, and the checkpoint saved.
//! handle.stop();
//! running.await??;
//! # Ok(())
//! # }
//! ```
//!
//! # What holds
//!
//! - Every change that passes the settings and the filter is taken by RabbitMQ or by the sink once or more, in the order of the
//!   change stream, whatever process dies.
//! - The checkpoint, a document in MongoDB, never passes a change that is not taken.
//! - What cannot be delivered stops the engine with an error, or does what a policy says that you chose.
//! - Memory is bounded.
//!
//! # What is public
//!
//! The names on this page. The modules below are there for the program `cdc`, its tests and its benchmarks; they are not shown
//! here, and change at any time.

// The data's way through them:
//
//     source --ChangeEvent--> encode --Message--> sink --Receipt--> checkpoint        all driven by pipeline
//
// They are hidden from rustdoc alone, so that the lints still ask for documents of what is in them.
//
// Stages never import each other; `config` alone reads the environment; `app` puts everything together; `engine` is the
// library's face.

#[doc(inline)]
pub use self::{
    config::Faults,
    encode::own::Encoder,
    engine::{Engine, EngineBuilder, Error, Handle},
    event::{ChangeEvent as Change, Mark, Marks, Namespace, Operation, Snapshot},
    message::Value as HeaderValue,
    sink::own::{Message, Sink},
};
/// The library whose types a change's documents and times have.
pub use bson;

mod engine;

#[cfg_attr(doc, doc(hidden))]
pub mod admin;
#[cfg_attr(doc, doc(hidden))]
pub mod app;
#[cfg_attr(doc, doc(hidden))]
pub mod config;
#[cfg_attr(doc, doc(hidden))]
pub mod operate;
#[cfg_attr(doc, doc(hidden))]
pub mod pipeline;
#[cfg_attr(doc, doc(hidden))]
pub mod tail;

#[cfg_attr(doc, doc(hidden))]
pub mod checkpoint;
#[cfg_attr(doc, doc(hidden))]
pub mod encode;
#[cfg_attr(doc, doc(hidden))]
pub mod lease;
#[cfg_attr(doc, doc(hidden))]
pub mod projection;
#[cfg_attr(doc, doc(hidden))]
pub mod sink;
#[cfg_attr(doc, doc(hidden))]
pub mod snapshot;
#[cfg_attr(doc, doc(hidden))]
pub mod source;
#[cfg_attr(doc, doc(hidden))]
pub mod start;

#[cfg_attr(doc, doc(hidden))]
pub mod event;
#[cfg_attr(doc, doc(hidden))]
pub mod headroom;
#[cfg_attr(doc, doc(hidden))]
pub mod health;
#[cfg_attr(doc, doc(hidden))]
pub mod message;
#[cfg_attr(doc, doc(hidden))]
pub mod metrics;
#[cfg_attr(doc, doc(hidden))]
pub mod mongo;
#[cfg_attr(doc, doc(hidden))]
pub mod position;
#[cfg_attr(doc, doc(hidden))]
pub mod rabbitmq;
#[cfg_attr(doc, doc(hidden))]
pub mod raw_bson;
#[cfg_attr(doc, doc(hidden))]
pub mod reply;
#[cfg_attr(doc, doc(hidden))]
pub mod retry;
#[cfg_attr(doc, doc(hidden))]
pub mod share;
#[cfg_attr(doc, doc(hidden))]
pub mod signals;
#[cfg_attr(doc, doc(hidden))]
pub mod tls;

mod sabotage;

#[cfg(test)]
mod property;
