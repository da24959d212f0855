//! What a person should know although a run works.

use std::net::SocketAddr;

use super::{Advisory, Server};
use crate::{
    checkpoint::Change,
    rabbitmq::{self, Danger},
    source::{self, Absent},
};

/// What a person should know although a run works.
#[derive(Debug, thiserror::Error)]
pub enum Advice {
    /// A release has a known fault.
    #[error("{}", .0.what)]
    Release(&'static Advisory),
    /// The server's release is not known.
    #[error("the release is not known, so neither are its faults")]
    NoVersion(Server),
    /// The connection string says something that does not count.
    #[error("{0}")]
    ConnectionString(String),
    /// The clocks differ.
    #[error("its clock is {} s {} this machine's", .0.abs(), if *.0 < 0 { "behind" } else { "before" })]
    Clock(i64),
    /// The pipeline's scope is not as it was.
    #[error("the pipeline's {} changes from {} to {}: {}", .0.what, .0.was, .0.now, .0.meaning)]
    Scope(Change),
    /// A watched name matches nothing.
    #[error("{0}")]
    Absent(Absent),
    /// There is nothing to watch yet.
    #[error("the database `{0}` has no collections yet")]
    Empty(String),
    /// A collection does not keep the documents that are asked for where they are available.
    #[error("`{0}.{1}` does not keep the documents before and after a change")]
    NoImages(String, String),
    /// More than half of what the oplog holds has passed since the checkpoint.
    #[error(
        "the oplog holds {window} s, and the checkpoint is {lag} s old: changes are lost in {headroom} s if it does not \
         follow"
    )]
    Headroom {
        /// Seconds from the oplog's begin to its end.
        window: i64,
        /// Seconds from the checkpoint to the oplog's end.
        lag: i64,
        /// Seconds from the oplog's begin to the checkpoint.
        headroom: i64,
    },
    /// The server refuses the checkpoint's token, and takes its time.
    #[error(
        "the server refuses the checkpoint's token; a run goes on at its cluster time, where nothing is lost"
    )]
    Token(#[source] source::Error),
    /// A run would skip history, as the user wants.
    #[error("changes are lost, and a run goes on from now")]
    Skips(#[source] source::Error),
    /// One of several nodes cannot be used.
    #[error(transparent)]
    Node(rabbitmq::Error),
    /// The queue to publish to is not there.
    #[error("`{0}` is not there, and is declared at the start")]
    New(String),
    /// A queue's arguments endanger messages.
    #[error("messages in the queue `{0}` are in danger: {1}")]
    Danger(String, Danger),
    /// Messages go to the stream by AMQP.
    #[error("the stream is written by AMQP, which brings messages again after a crash")]
    NoStreams(#[source] Box<super::Error>),
    /// What nobody takes in time is dropped.
    #[error(
        "a message that nobody has taken out of its queue after {0} ms is gone, unless the queue has a dead-letter exchange"
    )]
    Expires(u32),
    /// What matches no queue is given up.
    #[error("a change that matches no queue of the exchange `{0}` is dropped and counted")]
    Drops(String),
    /// An engine has the admin port.
    #[error("an engine that runs here has {0}")]
    Engine(SocketAddr),
}
