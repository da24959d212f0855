//! Erlang's port mapper, epmd.
//!
//! Erlang starts one by itself where there is none and leaves it running; one of our own can be stopped.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Result;

use super::server::Server;
use crate::{
    process,
    servers::{ports, stack::Stack},
};

/// Requests of its protocol: the names of the nodes, and its end.
const NAMES: u8 = b'n';
const KILL: u8 = b'k';
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Whether there is one on the port of `stack` already.
pub(super) fn answers(stack: &Stack) -> bool {
    let port = stack.epmd_port();
    // The answer begins with its port.
    ask(port, NAMES).is_ok_and(|answer| answer.starts_with(&u32::from(port).to_be_bytes()))
}

/// The port mapper of `stack`.
pub(super) fn server(stack: &Stack, program: &Path) -> Server {
    let port = stack.epmd_port();
    let mut command = Command::new(program);
    command
        .arg0(name(stack))
        .args(["-port", &port.to_string(), "-address", "127.0.0.1"]);
    Server {
        name: "epmd".to_owned(),
        marker: marker(stack),
        ports: vec![port],
        log: stack.rabbitmq_folder().join("epmd.log"),
        command,
        answers: Box::new(move || ports::accepts(port)),
        is_needed_by_next: true,
    }
}

/// Ends the port mapper once the broker is gone, whoever has started it: ours may have been missing
/// when the broker needed it, and then Erlang starts one that stays.
pub(super) fn end(stack: &Stack, grace: Duration) -> Result<()> {
    process::end(&[marker(stack)], grace)?;
    if answers(stack) {
        // It refuses while a node is known to it, and then it is not ours to end.
        let _ = ask(stack.epmd_port(), KILL);
    }
    Ok(())
}

/// The port mapper takes no flag of ours, so the name that it is called by says whose it is.
fn marker(stack: &Stack) -> String {
    format!("{} -port", name(stack).display())
}

fn name(stack: &Stack) -> PathBuf {
    stack.rabbitmq_folder().join("epmd")
}

/// Its whole answer; it closes the connection after that.
fn ask(port: u16, request: u8) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    // The length of the request in front.
    stream.write_all(&[0, 1, request])?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}
