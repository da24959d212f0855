//! A connection by the broker's protocol for streams, as far as publishing and counting need it.
//! <https://github.com/rabbitmq/rabbitmq-server/blob/main/deps/rabbitmq_stream/docs/PROTOCOL.adoc>

use std::{
    io::{BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use lapin::uri::AMQPUri;

/// Keys of frames.
const DECLARE_PUBLISHER: u16 = 0x01;
const CONFIRM: u16 = 0x03;
const ERROR: u16 = 0x04;
const SUBSCRIBE: u16 = 0x07;
const DELIVER: u16 = 0x08;
const CREDIT: u16 = 0x09;
const PEER_PROPERTIES: u16 = 0x11;
const SASL_HANDSHAKE: u16 = 0x12;
const SASL_AUTHENTICATE: u16 = 0x13;
const TUNE: u16 = 0x14;
const OPEN: u16 = 0x15;
/// Set in the key of an answer.
const ANSWER: u16 = 0x8000;
/// Version of each frame here.
const VERSION: u16 = 1;
/// The code of an answer when all is well.
const OK: u16 = 1;

/// Where a subscription begins: with the first message.
const FIRST: u16 = 1;
/// Chunks that the broker may send before it hears from us.
const CHUNKS: u16 = 10;
/// Where a frame with a chunk says how many messages are in it.
const RECORDS: usize = 9;

/// Longest silence of the broker while an answer or a confirm is due.
const LIMIT: Duration = Duration::from_secs(30);

/// An open connection.
pub(super) struct Connection {
    socket: TcpStream,
    reader: Option<Reader>,
}

/// The end that is read.
pub(super) struct Reader {
    socket: BufReader<TcpStream>,
    /// The last frame, from its key on.
    frame: Vec<u8>,
}

impl Connection {
    /// Connects, authenticates as `uri` says, and opens its virtual host; without heartbeats.
    pub(super) fn open(address: &str, uri: &AMQPUri) -> Result<Self> {
        let connect = || format!("connect to rabbitmq's streams at {address}");
        let socket = TcpStream::connect(address).with_context(connect)?;
        socket.set_nodelay(true).with_context(connect)?;
        socket.set_read_timeout(Some(LIMIT)).with_context(connect)?;
        let reader = Reader {
            socket: BufReader::new(socket.try_clone().with_context(connect)?),
            frame: Vec::new(),
        };
        let mut connection = Self {
            socket,
            reader: Some(reader),
        };
        connection.shake(uri).with_context(connect)?;
        Ok(connection)
    }

    fn shake(&mut self, uri: &AMQPUri) -> Result<()> {
        self.ask(PEER_PROPERTIES, &0_u32.to_be_bytes())?;
        self.ask(SASL_HANDSHAKE, &[])?;
        let user = &uri.authority.userinfo;
        let login = format!("\0{}\0{}", user.username, user.password);
        let mut request = text("PLAIN");
        request.extend(length(login.len()));
        request.extend(login.as_bytes());
        self.ask(SASL_AUTHENTICATE, &request)?;
        let reader = self.reader.as_mut().context("the end that is read")?;
        reader.await_frame(TUNE)?;
        let largest_frame = reader.u32_at(4)?;
        let mut tune = [TUNE.to_be_bytes(), VERSION.to_be_bytes()].concat();
        tune.extend(largest_frame.to_be_bytes());
        tune.extend(0_u32.to_be_bytes());
        self.send(&tune)?;
        self.ask(OPEN, &text(&uri.vhost))
    }

    /// Declares the only publisher, which has the name of its `stream`.
    pub(super) fn declare_publisher(&mut self, stream: &str) -> Result<()> {
        let mut request = vec![0];
        request.extend(text(stream));
        request.extend(text(stream));
        self.ask(DECLARE_PUBLISHER, &request)
            .context("declare a publisher")
    }

    /// Has all messages of `stream` sent here, in chunks, however long the broker has none.
    pub(super) fn subscribe(&mut self, stream: &str) -> Result<()> {
        let mut request = vec![0];
        request.extend(text(stream));
        request.extend(FIRST.to_be_bytes());
        request.extend(CHUNKS.to_be_bytes());
        self.ask(SUBSCRIBE, &request).context("subscribe")?;
        let patient = self.socket.set_read_timeout(None);
        patient.context("subscribe")
    }

    /// Asks for one chunk more.
    pub(super) fn credit(&mut self) -> Result<()> {
        let mut request = [CREDIT.to_be_bytes(), VERSION.to_be_bytes()].concat();
        request.push(0);
        request.extend(1_u16.to_be_bytes());
        self.send(&request)
    }

    /// The socket, to end the connection with while somebody reads.
    pub(super) fn socket(&self) -> Result<TcpStream> {
        self.socket.try_clone().context("share a connection")
    }

    /// The end that is read, once.
    pub(super) fn reader(&mut self) -> Result<Reader> {
        self.reader.take().context("the end that is read")
    }

    /// Writes a frame with its length.
    pub(super) fn write(&mut self, frame: &[u8]) -> Result<()> {
        self.socket.write_all(frame).context("publish")
    }

    fn send(&mut self, frame: &[u8]) -> Result<()> {
        let mut bytes = length(frame.len()).to_vec();
        bytes.extend(frame);
        self.write(&bytes)
    }

    /// Asks, one question at a time, and waits until the broker says that it did what it was asked for.
    fn ask(&mut self, key: u16, request: &[u8]) -> Result<()> {
        let mut frame = [key.to_be_bytes(), VERSION.to_be_bytes()].concat();
        frame.extend(0_u32.to_be_bytes());
        frame.extend(request);
        self.send(&frame)?;
        let reader = self.reader.as_mut().context("the end that is read")?;
        reader.await_frame(key | ANSWER)?;
        let code = reader.u16_at(8)?;
        ensure!(code == OK, "the broker answers {code} to request {key}");
        Ok(())
    }
}

impl Reader {
    /// Waits for confirms, and returns how many came at once.
    pub(super) fn confirmed(&mut self) -> Result<usize> {
        loop {
            match self.next()? {
                CONFIRM => return Ok(usize::try_from(self.u32_at(5)?)?),
                ERROR => bail!("the broker did not take a message"),
                _ => {}
            }
        }
    }

    /// Waits for a chunk, and returns how many messages are in it.
    pub(super) fn chunk(&mut self) -> Result<u32> {
        self.await_frame(DELIVER)?;
        self.u32_at(RECORDS)
    }

    fn await_frame(&mut self, key: u16) -> Result<()> {
        while self.next()? != key {}
        Ok(())
    }

    /// Reads the next frame and returns its key.
    fn next(&mut self) -> Result<u16> {
        let mut bytes = [0; 4];
        let reading = self.socket.read_exact(&mut bytes);
        reading.context("wait for the broker")?;
        self.frame.resize(u32::from_be_bytes(bytes) as usize, 0);
        let reading = self.socket.read_exact(&mut self.frame);
        reading.context("wait for the broker")?;
        self.u16_at(0)
    }

    fn u16_at(&self, place: usize) -> Result<u16> {
        let bytes = self.frame.get(place..place + 2);
        let bytes = bytes.context("a frame is short")?;
        Ok(u16::from_be_bytes(bytes.try_into()?))
    }

    fn u32_at(&self, place: usize) -> Result<u32> {
        let bytes = self.frame.get(place..place + 4);
        let bytes = bytes.context("a frame is short")?;
        Ok(u32::from_be_bytes(bytes.try_into()?))
    }
}

/// A text as the protocol has it.
fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a name is short");
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes)
        .expect("a frame is shorter than 4 GiB")
        .to_be_bytes()
}
