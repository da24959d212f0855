//! Whether a port is free, who holds it if not, and whether the server behind it answers.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream},
    time::Duration,
};

use anyhow::Result;
use listeners::Protocol;

use crate::failure::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// # Errors
/// With every one of `ports` that is taken, what it is for and by whom it is held.
pub(crate) fn ensure_free(ports: impl Iterator<Item = (String, u16)>) -> Result<()> {
    let taken = |(name, port)| {
        Some(format!(
            "port {port} for {name} is taken by {}",
            holder(port)?
        ))
    };
    let taken: Vec<String> = ports.filter_map(taken).collect();
    if taken.is_empty() {
        return Ok(());
    }
    Err(Failure::new(taken.join("; "))
        .hint("stop that process, or set MONGO_PORT_1 to MONGO_PORT_3, RABBITMQ_PORT, RABBITMQ_MANAGEMENT_PORT or RABBITMQ_STREAM_PORT")
        .into())
}

/// Who listens on `port`: nobody (`None`), or a name for the process as far as it can be told.
fn holder(port: u16) -> Option<String> {
    if is_free(port) {
        return None;
    }
    let process = listeners::get_process_by_port(port, Protocol::TCP);
    Some(process.map_or_else(
        |_| "a process of another user or container".to_owned(),
        |process| format!("{} (pid {})", process.name, process.pid),
    ))
}

/// Whether a server could listen on `port` now.
pub(crate) fn is_free(port: u16) -> bool {
    // A listener of another address family would let us bind, so try to connect as well.
    !accepts(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Whether someone accepts connections on `port` of this machine.
pub(crate) fn accepts(port: u16) -> bool {
    connect(port).is_some()
}

/// Whether a broker answers an AMQP 0-9-1 protocol header with `Connection.Start`.
///
/// An open port is not enough: the broker listens before it can serve.
pub(crate) fn answers_amqp(port: u16) -> bool {
    let greet = || -> Option<bool> {
        let mut stream = connect(port)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).ok()?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").ok()?;
        let mut frame = [0; 11];
        stream.read_exact(&mut frame).ok()?;
        Some(is_connection_start(frame))
    };
    greet().unwrap_or(false)
}

/// A method frame (type 1) on channel 0 whose class and method are both 10.
fn is_connection_start(frame: [u8; 11]) -> bool {
    frame[..3] == [1, 0, 0] && frame[7..] == [0, 10, 0, 10]
}

fn connect(port: u16) -> Option<TcpStream> {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    TcpStream::connect_timeout(&address.into(), CONNECT_TIMEOUT).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_this_very_process() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let holder_text = holder(port).unwrap();
        assert!(
            holder_text.contains(&format!("(pid {})", std::process::id())),
            "{holder_text}"
        );
        drop(listener);
        assert_eq!(holder(port), None);
    }

    #[test]
    fn a_server_that_is_no_broker_does_not_answer() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // What a broker sends that speaks another version of the protocol.
            stream.write_all(b"AMQP\x00\x01\x00\x00rest").unwrap();
        });
        assert!(!answers_amqp(port));
        server.join().unwrap();
    }

    #[test]
    fn connection_start_is_known_by_class_and_method() {
        assert!(is_connection_start([1, 0, 0, 0, 0, 2, 0, 0, 10, 0, 10]));
        assert!(!is_connection_start([1, 0, 0, 0, 0, 2, 0, 0, 10, 0, 50]));
    }
}
