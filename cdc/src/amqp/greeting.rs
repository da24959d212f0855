//! Whether a broker greets, asked before the client library is sent to one that was silent.
//!
//! The library gives every attempt a thread and a socket, and keeps both when the attempt is given up while it waits for
//! the broker's first word. A broker that accepts connections and says nothing would collect them.

use std::io;

use lapin::uri::{AMQPScheme, AMQPUri};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What a client says first: AMQP 0-9-1, section 4.2.2.
const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

/// Waits for the first byte of the broker's greeting. Behind TLS only the connection itself is tried.
///
/// # Cancel safety
/// Cancel safe: dropping it closes the connection.
pub(super) async fn wait(uri: &AMQPUri) -> io::Result<()> {
    let authority = &uri.authority;
    let mut stream = TcpStream::connect((authority.host.as_str(), authority.port)).await?;
    if uri.scheme == AMQPScheme::AMQPS {
        return Ok(());
    }
    stream.write_all(&PROTOCOL_HEADER).await?;
    stream.read_u8().await.map(drop)
}
