//! A TCP connection to one address, with TLS where it is wanted, made before the AMQP library has a part in it.
//!
//! The library gives every attempt a thread, which waits for the broker for as long as the connection is open, whoever
//! has given the attempt up. So an attempt that is given up ends its connection.

use std::{
    io,
    net::{Shutdown, SocketAddr},
    os::fd::AsFd as _,
    sync::{Arc, Mutex, PoisonError},
};

use async_compat::Compat;
use lapin::{AsyncTcpStream, tcp::RustlsConnector};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

use super::{
    cause::Cause,
    tls::{Client, Tls},
};

/// A connection, encrypted or not.
pub(super) type Stream = AsyncTcpStream<Compat<TcpStream>>;

/// An open connection.
pub(super) struct Transport {
    stream: Once,
    guard: Guard,
    client: Option<Arc<Client>>,
}

impl Transport {
    /// Connects, and shakes hands by TLS.
    ///
    /// # Cancel safety
    /// Cancel safe: dropping it ends the connection.
    pub(super) async fn open(
        address: SocketAddr,
        host: &str,
        tls: Option<&Tls>,
    ) -> Result<Self, Cause> {
        let tls = tls.map(Tls::connector).transpose()?;
        let (stream, guard) = connect(address)
            .await
            .map_err(|error| Cause::of_network(&error))?;
        let Some((connector, client)) = tls else {
            return Ok(Self {
                stream: Once::new(AsyncTcpStream::Plain(stream)),
                guard,
                client: None,
            });
        };
        let shaken = shake(&connector, host, stream).await;
        let stream = shaken.map_err(|error| Cause::of_stream(&error, client.asked()))?;
        Ok(Self {
            stream: Once::new(stream),
            guard,
            client: Some(client),
        })
    }

    /// Why the other end closes the connection, although we say nothing.
    pub(super) async fn refusal(self) -> Option<Cause> {
        let (stream, _guard, client) = self.into_parts();
        let mut stream = Compat::new(stream.take().ok()?);
        let error = stream.read(&mut [0]).await.err()?;
        Some(Cause::of_stream(&error, client?.asked()))
    }

    /// The stream, what ends it, and what knows whether a client certificate was asked for.
    pub(super) fn into_parts(self) -> (Once, Guard, Option<Arc<Client>>) {
        (self.stream, self.guard, self.client)
    }
}

async fn connect(address: SocketAddr) -> io::Result<(Compat<TcpStream>, Guard)> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let guard = Guard(Some(stream.as_fd().try_clone_to_owned()?.into()));
    Ok((Compat::new(stream), guard))
}

async fn shake(
    connector: &RustlsConnector,
    host: &str,
    stream: Compat<TcpStream>,
) -> io::Result<Stream> {
    // A zone is no part of the name that a certificate has.
    let name = host.split_once('%').map_or(host, |(address, _)| address);
    let stream = connector.connect_async(name, stream).await?;
    Ok(AsyncTcpStream::Rustls(stream))
}

/// A stream for one taker: the AMQP library may ask again, and is told that the connection is gone.
pub(super) struct Once(Mutex<Option<Stream>>);

impl Once {
    fn new(stream: Stream) -> Self {
        Self(Mutex::new(Some(stream)))
    }

    pub(super) fn take(&self) -> io::Result<Stream> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stream
            .take()
            .ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
    }
}

/// Ends the connection when dropped, whoever still waits for it, unless it is told to keep it.
pub(super) struct Guard(Option<std::net::TcpStream>);

impl Guard {
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(stream) = &self.0 {
            // An error means that it has ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
