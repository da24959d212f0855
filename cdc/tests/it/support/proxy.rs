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
    /// The number grows with every cut, so that older connections see it.
    Cut(u64),
    /// New connections are refused, old ones cut.
    Down,
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
        self.mode.send_modify(|mode| {
            *mode = Mode::Cut(match *mode {
                Mode::Cut(number) => number + 1,
                _ => 0,
            });
        });
    }

    /// Closes every connection and takes no new one.
    pub(crate) fn down(&self) {
        self.mode.send_replace(Mode::Down);
    }
}

async fn relay(client: TcpStream, server: TcpStream, mut mode: watch::Receiver<Mode>) {
    mode.mark_unchanged();
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let watcher = mode.clone();
    let cut = async {
        while mode.changed().await.is_ok() {
            if matches!(*mode.borrow_and_update(), Mode::Cut(_) | Mode::Down) {
                return;
            }
        }
    };
    tokio::select! {
        () = pump(client_read, server_write, watcher.clone()) => {}
        () = pump(server_read, client_write, watcher) => {}
        () = cut => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mode: watch::Receiver<Mode>) {
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
