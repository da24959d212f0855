//! What a node says of itself in its greeting, which the AMQP library keeps to itself.

use std::{io, time::Duration};

use async_compat::Compat;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::lookup_host,
    time::timeout,
};

use super::{Connection, Node, Tls, probe::HEADER, transport::Transport};

/// Longest wait for the greeting.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a frame's type, channel and size.
const FRAME_HEADER: usize = 7;
/// No greeting is larger: section 4.2.2 allows no larger frame before the limits are agreed.
const GREETING_MAX: usize = 64 << 10;
/// Name and type of the field in the table of properties: a short string and a long one.
const VERSION: &[u8] = b"\x07versionS";

impl Connection {
    /// The version that the node gives, asked on a connection of its own; none where it gives none.
    ///
    /// # Cancel safety
    /// Cancel safe: dropping it ends the connection.
    pub async fn version(&self) -> Option<String> {
        let node = self.broker.nodes().first()?;
        let greeting = timeout(PATIENCE, greeting(node, self.broker.tls())).await;
        version(&greeting.ok()??)
    }
}

async fn greeting(node: &Node, tls: Option<&Tls>) -> Option<Vec<u8>> {
    let addresses = lookup_host((node.host.as_str(), node.port)).await.ok()?;
    for address in addresses {
        let Ok(transport) = Transport::open(address, &node.host, tls).await else {
            continue;
        };
        let (stream, _guard, _) = transport.into_parts();
        let read = async {
            let mut stream = Compat::new(stream.take()?);
            stream.write_all(HEADER).await?;
            let mut header = [0; FRAME_HEADER];
            stream.read_exact(&mut header).await?;
            let size = u32::from_be_bytes([header[3], header[4], header[5], header[6]]);
            let mut frame = vec![0; GREETING_MAX.min(size as usize)];
            stream.read_exact(&mut frame).await?;
            io::Result::Ok(frame)
        };
        if let Ok(frame) = read.await {
            return Some(frame);
        }
    }
    None
}

fn version(greeting: &[u8]) -> Option<String> {
    let mut places = greeting.windows(VERSION.len());
    let rest = &greeting[places.position(|bytes| bytes == VERSION)? + VERSION.len()..];
    let (length, rest) = rest.split_first_chunk()?;
    let text = rest.get(..u32::from_be_bytes(*length) as usize)?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_among_other_properties() {
        let greeting = b"\x00\x0a\x00\x0a\x00\x09\0\0\0\x40\x07productS\0\0\0\x08RabbitMQ\x07versionS\0\0\0\x063.10.8";
        assert_eq!(version(greeting).as_deref(), Some("3.10.8"));
        for end in 0..greeting.len() {
            assert_eq!(version(&greeting[..end]), None, "cut at {end}");
        }
    }
}
