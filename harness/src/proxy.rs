//! A TCP proxy between the engine and a server: it passes bytes, holds them, or ends connections.

use std::{io::Result, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// Most reads that are held for one direction of a connection, and most bytes of one.
const CHUNKS: usize = 32;
const CHUNK_BYTES: usize = 64 * 1024;

/// A running proxy; it and its connections end when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    ends: watch::Sender<End>,
    accept: JoinHandle<()>,
}

/// What becomes of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    Stall,
    Mute,
    Down,
}

/// How the connections of a moment end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Closed on both sides.
    Cut,
    /// Open on both sides, and nothing ever moves again.
    Strand,
    /// Closed on the server's side; the client is not told.
    HalfOpen,
}

impl Proxy {
    /// Listens on a free port of loopback and passes everything to `target` (host and port); what the client sends
    /// arrives `latency` later.
    ///
    /// # Errors
    /// If there is no port.
    pub async fn start(target: String, latency: Duration) -> Result<Self> {
        Self::start_at(([127, 0, 0, 1], 0).into(), target, latency).await
    }

    /// The same at this address; port 0 is a free one.
    ///
    /// # Errors
    /// If it is taken.
    pub async fn start_at(at: SocketAddr, target: String, latency: Duration) -> Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let (mode, modes) = watch::channel(Mode::Pass);
        let (ends, end) = watch::channel(End::Cut);
        let accept = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *modes.borrow() == Mode::Down {
                    continue;
                }
                let (target, modes, mut end) = (target.clone(), modes.clone(), end.clone());
                end.mark_unchanged();
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(target).await {
                        relay(client, server, latency, modes, end).await;
                    }
                });
            }
        });
        Ok(Self {
            address,
            mode,
            ends,
            accept,
        })
    }

    /// How many connections go through it.
    pub fn connections(&self) -> usize {
        // Each has a receiver, and so has who accepts them.
        self.ends.receiver_count().saturating_sub(1)
    }

    /// Passes bytes, from now on and what was held.
    pub fn pass(&self) {
        self.mode.send_replace(Mode::Pass);
    }

    /// Whether bytes pass.
    pub fn is_passing(&self) -> bool {
        *self.mode.borrow() == Mode::Pass
    }

    /// Holds all bytes. Connections stay open, and new ones are taken.
    pub fn stall(&self) {
        self.mode.send_replace(Mode::Stall);
    }

    /// Holds what the client sends; what the server answers still arrives.
    pub fn mute(&self) {
        self.mode.send_replace(Mode::Mute);
    }

    /// Closes every connection, and new ones at once.
    pub fn down(&self) {
        self.mode.send_replace(Mode::Down);
    }

    /// Closes every connection, and loses the bytes that are on their way; new ones are passed.
    pub fn cut(&self) {
        self.ends.send_replace(End::Cut);
    }

    /// Nothing moves any more on the present connections, which stay open; new ones are passed.
    pub fn strand(&self) {
        self.ends.send_replace(End::Strand);
    }

    /// Closes every connection on the server's side alone; new ones are passed.
    pub fn half_open(&self) {
        self.ends.send_replace(End::HalfOpen);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

async fn relay(
    client: TcpStream,
    server: TcpStream,
    latency: Duration,
    mut mode: watch::Receiver<Mode>,
    mut ends: watch::Receiver<End>,
) {
    // A message would wait for the acknowledgement of the one before.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut client, mut server) = (client.into_split(), server.into_split());
    let there = Direction {
        latency,
        mode: mode.clone(),
        held_in: &[Mode::Stall, Mode::Mute],
    };
    let back = Direction {
        latency: Duration::ZERO,
        mode: mode.clone(),
        held_in: &[Mode::Stall],
    };
    let end = tokio::select! {
        () = there.pump(&mut client.0, &mut server.1) => End::Cut,
        () = back.pump(&mut server.0, &mut client.1) => End::Cut,
        // An error means that the proxy is gone.
        changed = ends.changed() => changed.map_or(End::Cut, |()| *ends.borrow_and_update()),
        _ = mode.wait_for(|mode| *mode == Mode::Down) => End::Cut,
    };
    if end == End::HalfOpen {
        drop(server);
    }
    if end != End::Cut {
        while ends.changed().await.is_ok() {}
    }
}

/// One of a connection's two directions.
struct Direction {
    latency: Duration,
    mode: watch::Receiver<Mode>,
    held_in: &'static [Mode],
}

impl Direction {
    /// Passes bytes on, each `latency` after it came, until one side has closed.
    async fn pump(mut self, from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) {
        let (sender, mut chunks) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS);
        let read = async move {
            loop {
                let mut chunk = Vec::with_capacity(CHUNK_BYTES);
                match from.read_buf(&mut chunk).await {
                    Ok(count) if 0 < count => {}
                    _ => return,
                }
                let due = Instant::now() + self.latency;
                if sender.send((due, chunk)).await.is_err() {
                    return;
                }
            }
        };
        let write = async move {
            // What is held when the proxy goes down is lost with the connection.
            let moves = |mode: &Mode| *mode != Mode::Down && !self.held_in.contains(mode);
            while let Some((due, chunk)) = chunks.recv().await {
                sleep_until(due).await;
                if self.mode.wait_for(moves).await.is_err() || to.write_all(&chunk).await.is_err() {
                    return;
                }
            }
            // A closed connection is no more told than bytes are.
            let _ = self.mode.wait_for(moves).await;
        };
        // What was read before the end is still passed on.
        tokio::join!(read, write);
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tokio::time::timeout;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(100);

    /// A proxy before a server that sends back what it gets, and a connection through it.
    async fn echo(latency: Duration) -> (Proxy, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mut read, mut write) = stream.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut read, &mut write).await });
            }
        });
        let proxy = Proxy::start(target, latency).await.unwrap();
        let client = TcpStream::connect(proxy.address).await.unwrap();
        (proxy, client)
    }

    async fn answers(client: &mut TcpStream) -> bool {
        let asking = async {
            client.write_all(b"x").await?;
            client.read_exact(&mut [0]).await
        };
        matches!(timeout(MOMENT, asking).await, Ok(Ok(_)))
    }

    #[tokio::test]
    async fn bytes_are_held_and_then_passed() {
        let (proxy, mut client) = echo(Duration::ZERO).await;
        assert!(answers(&mut client).await);
        for hold in [Proxy::stall, Proxy::mute] {
            hold(&proxy);
            assert!(!answers(&mut client).await);
            proxy.pass();
            client.read_exact(&mut [0]).await.unwrap();
            assert!(answers(&mut client).await);
        }
    }

    #[tokio::test]
    async fn what_is_held_when_the_proxy_goes_down_is_lost() {
        for _ in 0..20 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let target = listener.local_addr().unwrap().to_string();
            let proxy = Proxy::start(target, Duration::ZERO).await.unwrap();
            let mut client = TcpStream::connect(proxy.address).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            proxy.stall();
            client.write_all(b"held").await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
            proxy.down();
            let mut got = Vec::new();
            let _ = server.read_to_end(&mut got).await;
            assert!(got.is_empty());
        }
    }

    #[tokio::test]
    async fn connections_end_as_ordered_and_new_ones_pass() {
        for (end, is_closed) in [
            (Proxy::cut as fn(&Proxy), true),
            (Proxy::strand, false),
            (Proxy::half_open, false),
        ] {
            let (proxy, mut client) = echo(Duration::ZERO).await;
            assert!(answers(&mut client).await);
            end(&proxy);
            assert!(!answers(&mut client).await);
            let read = timeout(MOMENT, client.read(&mut [0])).await;
            let closed = match read {
                Ok(Ok(count)) => count == 0,
                Ok(Err(error)) => error.kind() == ErrorKind::ConnectionReset,
                Err(_) => false,
            };
            assert_eq!(closed, is_closed);
            let mut next = TcpStream::connect(proxy.address).await.unwrap();
            assert!(answers(&mut next).await);
        }
    }

    #[tokio::test]
    async fn nothing_gets_through_while_it_is_down() {
        let (proxy, mut client) = echo(Duration::ZERO).await;
        assert!(answers(&mut client).await);
        assert_eq!(proxy.connections(), 1);
        proxy.down();
        assert!(!answers(&mut client).await);
        let mut next = TcpStream::connect(proxy.address).await.unwrap();
        assert!(!answers(&mut next).await);
    }

    #[tokio::test]
    async fn a_latency_delays_what_the_client_sends() {
        let (_proxy, mut client) = echo(MOMENT / 2).await;
        let start = Instant::now();
        assert!(answers(&mut client).await);
        assert!(MOMENT / 2 <= start.elapsed());
    }
}
