//! A TCP proxy between an engine and the broker: it passes bytes, stalls, or cuts.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

/// Pause between two looks while nothing may move.
const STALL_POLL: Duration = Duration::from_millis(10);
/// How long the way to the broker is. Without it hardly anything would be on its way when a fault comes;
/// all of it there, so that what is not confirmed has not arrived either.
const LATENCY: Duration = Duration::from_millis(15);
/// What is on its way at most.
const CHUNKS: usize = 32;
const CHUNK_BYTES: usize = 64 * 1024;

/// A running proxy; it ends when dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    mode: watch::Sender<Mode>,
    /// Changes when every connection of the moment is to be lost.
    cuts: watch::Sender<()>,
    accept: JoinHandle<()>,
}

/// What becomes of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// They pass.
    Pass,
    /// Connections stay open, new ones too, and nothing moves.
    Stall,
    /// As stalled, but what the broker answers still comes.
    Mute,
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
        let (cuts, cut) = watch::channel(());
        let accept = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *watcher.borrow() != Mode::Down {
                    tokio::spawn(relay(client, target, watcher.clone(), cut.clone()));
                }
            }
        });
        Ok(Self {
            address,
            mode,
            cuts,
            accept,
        })
    }

    pub(super) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub(super) fn mode(&self) -> Mode {
        *self.mode.borrow()
    }

    /// Loses every connection with all bytes that are on their way, as when a host vanishes.
    pub(super) fn cut(&self) {
        self.cuts.send_replace(());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

async fn relay(
    client: TcpStream,
    target: SocketAddr,
    mut mode: watch::Receiver<Mode>,
    mut cut: watch::Receiver<()>,
) {
    cut.mark_unchanged();
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    // A message would wait for the acknowledgement of the one before.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let watcher = mode.clone();
    tokio::select! {
        () = pump(client_read, server_write, LATENCY, watcher.clone(), &[Mode::Stall, Mode::Mute]) => {}
        () = pump(server_read, client_write, Duration::ZERO, watcher, &[Mode::Stall]) => {}
        // An error means that the proxy is gone.
        _ = cut.changed() => {}
        _ = mode.wait_for(|mode| *mode == Mode::Down) => {}
    }
}

/// Passes bytes on, `latency` after they came, and none in the modes of `held_in`.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    latency: Duration,
    mode: watch::Receiver<Mode>,
    held_in: &[Mode],
) {
    let (sender, mut chunks) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS);
    let read = async move {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            match from.read_buf(&mut chunk).await {
                Ok(count) if 0 < count => {}
                _ => return,
            }
            if sender
                .send((Instant::now() + latency, chunk))
                .await
                .is_err()
            {
                return;
            }
        }
    };
    let write = async {
        while let Some((due, chunk)) = chunks.recv().await {
            sleep_until(due).await;
            while held_in.contains(&*mode.borrow()) {
                sleep(STALL_POLL).await;
            }
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
    };
    // What was read before the end is still passed on.
    tokio::join!(read, write);
}
