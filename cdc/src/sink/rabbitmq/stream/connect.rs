//! The connection by the stream protocol: to the node that leads the first stream.

use tracing::info;

use super::Streams;
use crate::{
    rabbitmq::{
        Error,
        stream::{Connection, Events},
    },
    retry::chain,
    sink::rabbitmq::Config,
};

/// A connection by the stream protocol.
pub(in crate::sink::rabbitmq) type Connected = (Connection, Events);

/// Connects to the node that leads the first stream, or else to any.
pub(in crate::sink::rabbitmq) async fn connect(
    config: &Config,
    streams: &Streams,
) -> Result<Connected, Error> {
    let broker = config.broker.on_port(streams.port);
    let stream = config.topology.targets[0].name.as_str();
    let (connection, events) = Connection::open(&broker, "cdc run").await?;
    let leader = connection.leader(stream).await.map_err(not_yet)?;
    let Some(leader) = leader.filter(|leader| leader != connection.node()) else {
        return Ok((connection, events));
    };
    match Connection::open(&broker.at(leader), "cdc run").await {
        Ok(at_leader) => {
            connection.close().await;
            Ok(at_leader)
        }
        Err(error) => {
            let error = chain(&error);
            info!(
                error,
                "the stream's leader cannot be reached, publishing to it through another node"
            );
            Ok((connection, events))
        }
    }
}

/// The stream is there, since AMQP knows it.
pub(super) fn not_yet(error: Error) -> Error {
    match error {
        Error::NoQueue { queue, .. } => Error::QueueAway {
            queue,
            reason: "this node does not know the stream yet".to_owned(),
        },
        error => error,
    }
}
