//! A TCP proxy between the engine and a server: it passes bytes, stalls, or cuts.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// A running proxy; it ends when dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
    _accept: tokio_util::task::AbortOnDropHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    /// Connections stay open and nothing moves.
    Stall,
    /// Those that are open end thus; the next ones pass. The number makes each order a new one.
    End(Fate, u64),
    /// New connections are refused, old ones cut.
    Down,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Closed on both sides.
    Cut,
    /// Open on both sides, and nothing ever moves again.
    Stranded,
    /// Closed on the server's side; the client hears nothing of it.
    HalfOpen,
}

impl Proxy {
    /// Listens on a free port of loopback and passes everything to `target`.
    pub(crate) async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, watcher) = watch::channel(Mode::Pass);
        let accept = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *watcher.borrow() == Mode::Down {
                    continue;
                }
                let (target, watcher) = (target.clone(), watcher.clone());
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(target).await {
                        relay(client, server, watcher).await;
                    }
                });
            }
        }));
        Self {
            address,
            mode,
            _accept: accept,
        }
    }

    /// Passes bytes again.
    pub(crate) fn pass(&self) {
        self.mode.send_replace(Mode::Pass);
    }

    /// Moves nothing any more, without closing.
    pub(crate) fn stall(&self) {
        self.mode.send_replace(Mode::Stall);
    }

    /// Closes every connection; new ones are passed.
    pub(crate) fn cut(&self) {
        self.end(Fate::Cut);
    }

    /// Nothing moves any more on the present connections, which stay open; new ones are passed.
    pub(crate) fn strand(&self) {
        self.end(Fate::Stranded);
    }

    /// Closes every connection on the server's side alone; new ones are passed.
    pub(crate) fn half_open(&self) {
        self.end(Fate::HalfOpen);
    }

    /// Closes every connection and takes no new one.
    pub(crate) fn down(&self) {
        self.mode.send_replace(Mode::Down);
    }

    fn end(&self, fate: Fate) {
        self.mode.send_modify(|mode| {
            let number = match *mode {
                Mode::End(_, number) => number + 1,
                _ => 0,
            };
            *mode = Mode::End(fate, number);
        });
    }
}

async fn relay(client: TcpStream, server: TcpStream, mut mode: watch::Receiver<Mode>) {
    mode.mark_unchanged();
    let (mut client, mut server) = (client.into_split(), server.into_split());
    let watcher = mode.clone();
    let fate = tokio::select! {
        () = pump(&mut client.0, &mut server.1, watcher.clone()) => Fate::Cut,
        () = pump(&mut server.0, &mut client.1, watcher) => Fate::Cut,
        fate = fate(&mut mode) => fate,
    };
    if fate == Fate::HalfOpen {
        drop(server);
    }
    while fate != Fate::Cut && mode.changed().await.is_ok() {}
}

/// Waits for the end that is ordered.
async fn fate(mode: &mut watch::Receiver<Mode>) -> Fate {
    while mode.changed().await.is_ok() {
        match *mode.borrow_and_update() {
            Mode::Pass | Mode::Stall => {}
            Mode::Down => return Fate::Cut,
            Mode::End(fate, _) => return fate,
        }
    }
    Fate::Cut
}

async fn pump(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, mode: watch::Receiver<Mode>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(count) = from.read(&mut buffer).await else {
            return;
        };
        while *mode.borrow() == Mode::Stall {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
