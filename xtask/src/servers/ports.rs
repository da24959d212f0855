//! Whether a port is free, who holds it if not, and whether the server behind it answers.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream},
    process::Command,
    time::Duration,
};

use anyhow::Result;

use crate::{failure::Failure, process};

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
        .hint("stop that process, or set MONGO_PORT_1 to MONGO_PORT_3, RABBITMQ_PORT or RABBITMQ_MANAGEMENT_PORT")
        .into())
}

/// Who listens on `port`: nobody (`None`), or a name for the process as far as it can be told.
fn holder(port: u16) -> Option<String> {
    if is_free(port) {
        return None;
    }
    let pid = holder_from_proc(port).or_else(|| holder_from_lsof(port));
    Some(pid.map_or_else(
        || "a process of another user or container".to_owned(),
        describe,
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

fn describe(pid: u32) -> String {
    let command_line = process::table()
        .ok()
        .and_then(|mut table| table.remove(&pid))
        .unwrap_or_default();
    let program = command_line.split(' ').next().unwrap_or_default();
    let name = program
        .rsplit('/')
        .next()
        .filter(|name| !name.is_empty())
        .unwrap_or("process");
    format!("{name} (pid {pid})")
}

/// Linux: from the port to the socket's inode, and from there to the process that has it open.
fn holder_from_proc(port: u16) -> Option<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let inode = tables
        .iter()
        .find_map(|table| listening_inode(&fs::read_to_string(table).ok()?, port))?;
    let link = format!("socket:[{inode}]");
    let pids = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| {
        let files = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        files
            .into_iter()
            .any(|file| fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == link.as_str()))
    })
}

/// The inode of the listening socket on `port`, from the text of `/proc/net/tcp`.
fn listening_inode(table: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let local_port = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        (local.ends_with(&local_port) && *state == LISTEN).then(|| (*inode).to_owned())
    })
}

/// macOS and others, where `lsof` is part of the system.
fn holder_from_lsof(port: u16) -> Option<u32> {
    let filter = format!("-iTCP:{port}");
    let output = Command::new("lsof")
        .args(["-nP", &filter, "-sTCP:LISTEN", "-t"])
        .output()
        .ok()?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .next()?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:7531 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0000
   1: 0100007F:7532 0100007F:7531 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0000
";

    #[test]
    fn only_a_listening_socket_counts() {
        assert_eq!(listening_inode(TABLE, 30001), Some("111".to_owned()));
        assert_eq!(listening_inode(TABLE, 30002), None);
        assert_eq!(listening_inode(TABLE, 1), None);
    }

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
