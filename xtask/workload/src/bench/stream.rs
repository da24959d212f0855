//! The floor of publishing to a stream: the same bodies, properties and headers as the engine's, by the broker's own
//! protocol for streams, as fast as one connection takes them.
//!
//! Messages are written straight into frames, and another thread counts the confirms. The publisher has a name, as the
//! engine's has, so that the broker looks at each publishing id.

mod connection;
mod follower;
mod frame;
mod message;

use std::{
    sync::mpsc::{self, Receiver},
    thread,
};

use anyhow::{Context, Result};

pub(super) use self::follower::Follower;
use self::{connection::Connection, frame::Frame};
use super::{document::Shape, queue, sink::Args};

/// Messages in flight.
const WINDOW: usize = 16_384;
/// Bytes from which on a frame is written.
const FRAME_BYTES: usize = 64 << 10;

/// Publishes all to the stream of `args` at `address`, and waits for all confirms.
///
/// # Errors
/// If the broker is not there, or does not take a message.
pub(super) fn publish(args: &Args, address: &str) -> Result<()> {
    let uri = queue::parse(&args.amqp_uri)?;
    let mut connection = Connection::open(address, &uri)?;
    connection.declare_publisher(&args.queue)?;
    let (sender, confirmed) = mpsc::channel();
    let mut reader = connection.reader()?;
    thread::spawn(move || {
        // Nobody listens any more when all are there.
        while sender.send(reader.confirmed()).is_ok() {}
    });
    let mut sink = Sink {
        connection,
        confirmed,
        in_flight: 0,
    };
    sink.publish(args)
}

struct Sink {
    connection: Connection,
    /// How many confirms came at once.
    confirmed: Receiver<Result<usize>>,
    in_flight: usize,
}

impl Sink {
    fn publish(&mut self, args: &Args) -> Result<()> {
        let shape = Shape::new(args.size);
        let (mut frame, mut body) = (Frame::new(), Vec::new());
        let window = args.window.unwrap_or(WINDOW);
        for number in 0..args.count {
            body.clear();
            shape.write_body(number, &mut body);
            frame.push(number + 1, |bytes| {
                if args.bare {
                    message::write_bare(&body, bytes);
                } else {
                    message::write(number, &body, bytes);
                }
            });
            if FRAME_BYTES <= frame.len() {
                self.write(&mut frame)?;
                self.shrink_to(window)?;
            }
        }
        self.write(&mut frame)?;
        self.shrink_to(0)
    }

    fn write(&mut self, frame: &mut Frame) -> Result<()> {
        self.in_flight += frame.messages();
        self.connection.write(frame.finish())?;
        frame.clear();
        Ok(())
    }

    /// Waits until at most `most` messages are in flight; takes every confirm that is there.
    fn shrink_to(&mut self, most: usize) -> Result<()> {
        while most < self.in_flight {
            let confirmed = self.confirmed.recv();
            self.in_flight -= confirmed.context("wait for a confirm")??;
        }
        while let Ok(confirmed) = self.confirmed.try_recv() {
            self.in_flight -= confirmed?;
        }
        Ok(())
    }
}
