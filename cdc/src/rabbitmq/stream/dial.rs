//! Connecting by the stream protocol to one address.

use std::{net::SocketAddr, time::Duration};

use tokio::time::timeout;

use super::{
    handshake::{Handshake, Tuned},
    wire::{self, Reader, Writer},
};
use crate::rabbitmq::{Broker, Cause, connect::Dial, transport::Transport};

/// By the stream protocol.
pub(super) struct Streams<'a> {
    pub(super) broker: &'a Broker,
    /// The connection's name.
    pub(super) name: &'a str,
}

/// A connection whose handshake is over.
pub(super) struct Shaken {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    pub(super) tuned: Tuned,
}

impl Dial for Streams<'_> {
    type Connection = Shaken;

    async fn dial(
        &self,
        host: &str,
        address: SocketAddr,
        limit: Duration,
    ) -> Result<Shaken, Cause> {
        let connected = timeout(limit, self.connect(host, address)).await;
        connected.unwrap_or(Err(Cause::Silent(limit)))
    }
}

impl Streams<'_> {
    async fn connect(&self, host: &str, address: SocketAddr) -> Result<Shaken, Cause> {
        let transport = Transport::open(address, host, self.broker.tls()).await?;
        let (stream, guard, client) = transport.into_parts();
        let stream = stream.take().map_err(|error| Cause::of_network(&error))?;
        let (mut reader, mut writer) = wire::split(stream);
        let mut handshake = Handshake {
            reader: &mut reader,
            writer: &mut writer,
            broker: self.broker,
            asked: client.and_then(|client| client.asked()),
        };
        let tuned = handshake.shake(self.name).await?;
        guard.keep();
        Ok(Shaken {
            reader,
            writer,
            tuned,
        })
    }
}
