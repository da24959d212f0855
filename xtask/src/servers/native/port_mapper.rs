//! Erlang's port mapper, epmd.
//!
//! Erlang starts one by itself where there is none and leaves it running; one of our own can be stopped.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Result;

use super::{programs, server::Server};
use crate::{
    process,
    servers::{ports, stack::Stack},
};

/// Whether there is one on the port of `stack` already.
pub(super) fn answers(stack: &Stack, program: &Path) -> bool {
    let port = stack.epmd_port().to_string();
    let status = quiet(program).args(["-port", &port, "-names"]).status();
    status.is_ok_and(|status| status.success())
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
    let port = stack.epmd_port().to_string();
    if let Some(program) = programs::epmd().filter(|_| ports::accepts(stack.epmd_port())) {
        // It refuses while a node is known to it, and then it is not ours to end.
        let _ = quiet(&program).args(["-port", &port, "-kill"]).status();
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

fn quiet(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
