//! Frames on the socket.

use std::{io, time::Duration};

use async_compat::Compat;
use rabbitmq_stream_protocol::{Request, codec::Encoder as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader, ReadHalf, WriteHalf},
    time::timeout,
};

use crate::rabbitmq::transport::Stream;

/// Longest frame that is read: a chunk is one frame, however long the messages in it are.
const FRAME_BYTES_MAX: usize = 256 << 20;
/// Bytes that are read at a time.
const READ_BYTES: usize = 32 << 10;
/// Bytes of the buffer that is kept between frames.
const KEPT_BYTES: usize = 256 << 10;
/// Bytes of a frame's length, which stands before it.
const LENGTH_BYTES: usize = 4;

type Socket = Compat<Stream>;

/// The end that is read.
pub(super) struct Reader {
    socket: BufReader<ReadHalf<Socket>>,
    buffer: Vec<u8>,
}

/// The end that is written.
pub(super) struct Writer {
    socket: WriteHalf<Socket>,
    /// Whether a frame may be written in part: the next one would be taken for the rest of it.
    is_torn: bool,
}

/// Both ends of `stream`.
pub(super) fn split(stream: Stream) -> (Reader, Writer) {
    let (read, write) = tokio::io::split(Compat::new(stream));
    let reader = Reader {
        socket: BufReader::with_capacity(READ_BYTES, read),
        buffer: Vec::new(),
    };
    let writer = Writer {
        socket: write,
        is_torn: false,
    };
    (reader, writer)
}

impl Reader {
    /// Waits for the next frame, which begins with its length.
    pub(super) async fn frame(&mut self) -> io::Result<&[u8]> {
        self.buffer.truncate(0);
        self.buffer.shrink_to(KEPT_BYTES);
        let length = self.socket.read_u32().await?;
        let bytes = usize::try_from(length).unwrap_or(usize::MAX);
        if FRAME_BYTES_MAX < bytes {
            let text = format!("a frame of {bytes} bytes is announced");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        self.buffer.extend_from_slice(&length.to_be_bytes());
        self.buffer.resize(LENGTH_BYTES + bytes, 0);
        self.socket
            .read_exact(&mut self.buffer[LENGTH_BYTES..])
            .await?;
        Ok(&self.buffer)
    }

    /// The same, where the other end has to say something within `limit`.
    pub(super) async fn frame_within(&mut self, limit: Duration) -> io::Result<&[u8]> {
        timeout(limit, self.frame()).await.unwrap_or_else(|_| {
            let text = format!("nothing came for {} ms", limit.as_millis());
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        })
    }
}

impl Writer {
    /// Writes one frame. Where that fails or is dropped, nothing can be written any more.
    pub(super) async fn write(&mut self, request: &Request) -> io::Result<()> {
        let mut bytes = Vec::new();
        request
            .encode(&mut bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, format!("{error:?}")))?;
        self.write_bytes(&bytes).await
    }

    /// The same for a frame that is made already.
    pub(super) async fn write_bytes(&mut self, frame: &[u8]) -> io::Result<()> {
        if self.is_torn {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.is_torn = true;
        self.socket.write_all(frame).await?;
        self.socket.flush().await?;
        self.is_torn = false;
        Ok(())
    }

    pub(super) async fn close(&mut self) {
        let _ = self.socket.shutdown().await;
    }
}
