//! A TCP proxy between an engine and the broker: it passes bytes, stalls, or cuts.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// Pause between two looks while nothing may move.
const STALL_POLL: Duration = Duration::from_millis(10);
const BUFFER_BYTES: usize = 64 * 1024;

/// A running proxy; it ends when dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    mode: watch::Sender<Mode>,
    accept: JoinHandle<()>,
}

/// What becomes of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// They pass.
    Pass,
    /// Connections stay open, new ones too, and nothing moves.
    Stall,
    /// Connections are closed, new ones too.
    Down,
}

impl Proxy {
    /// Listens on a free port of loopback and passes everything to `target`.
    pub(super) async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("open a proxy")?;
        let address = listener.local_addr().context("open a proxy")?;
        let (mode, watcher) = watch::channel(Mode::Pass);
        let accept = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *watcher.borrow() != Mode::Down {
                    tokio::spawn(relay(client, target, watcher.clone()));
                }
            }
        });
        Ok(Self {
            address,
            mode,
            accept,
        })
    }

    pub(super) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

async fn relay(client: TcpStream, target: SocketAddr, mut mode: watch::Receiver<Mode>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    // A message would wait for the acknowledgement of the one before.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let watcher = mode.clone();
    tokio::select! {
        () = pump(client_read, server_write, watcher.clone()) => {}
        () = pump(server_read, client_write, watcher) => {}
        // An error means that the proxy is gone.
        _ = mode.wait_for(|mode| *mode == Mode::Down) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mode: watch::Receiver<Mode>) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let Ok(count) = from.read(&mut buffer).await else {
            return;
        };
        while *mode.borrow() == Mode::Stall {
            tokio::time::sleep(STALL_POLL).await;
        }
        if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
