//! Counts the messages of a stream as they come. AMQP tells how many there are anew every five seconds only; by the
//! protocol of streams each chunk says how many it has, and none of them is looked at.

use std::{
    net::{Shutdown, TcpStream},
    thread,
};

use anyhow::{Error, Result};
use lapin::uri::AMQPUri;
use tokio::sync::watch::{self, Receiver, Sender};

use super::connection::Connection;

/// Messages so far, or why they are counted no more.
type Count = Result<u64, String>;

/// A subscription to a stream; it ends when this is dropped.
#[derive(Debug)]
pub(in super::super) struct Follower {
    count: Receiver<Count>,
    socket: TcpStream,
}

impl Follower {
    /// Counts the messages of `stream` from its first one on.
    pub(in super::super) fn open(address: &str, uri: &AMQPUri, stream: &str) -> Result<Self> {
        let mut connection = Connection::open(address, uri)?;
        connection.subscribe(stream)?;
        let socket = connection.socket()?;
        let (sender, count) = watch::channel(Ok(0));
        thread::spawn(move || {
            if let Err(error) = follow(connection, &sender) {
                let _ = sender.send(Err(format!("{error:#}")));
            }
        });
        Ok(Self { count, socket })
    }

    /// How many messages there are.
    pub(in super::super) fn count(&self) -> Result<u64> {
        self.count.borrow().clone().map_err(Error::msg)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // Ends the thread; it has ended already if this fails.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Counts until the connection ends.
fn follow(mut connection: Connection, count: &Sender<Count>) -> Result<()> {
    let mut reader = connection.reader()?;
    let mut total = 0;
    loop {
        total += u64::from(reader.chunk()?);
        // Whoever stopped listening has ended the connection too.
        let _ = count.send(Ok(total));
        connection.credit()?;
    }
}
