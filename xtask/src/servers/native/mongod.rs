//! One member of the replica set.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::server::Server;
use crate::servers::{
    ports,
    stack::{REPLICA_SET, Stack},
};

/// A primary that is told to end gives its clients this long; the default is 15 s.
const QUIESCE: &str = "shutdownTimeoutMillisForSignaledShutdown=100";

pub(super) fn marker(stack: &Stack, member: usize) -> String {
    format!("--dbpath {}", data(stack, member).display())
}

pub(super) fn server(stack: &Stack, member: usize, program: &Path) -> Result<Server> {
    let data = data(stack, member);
    let port = stack.mongo_ports[member];
    fs::create_dir_all(&data).with_context(|| format!("create {}", data.display()))?;
    let mut command = Command::new(program);
    command.arg("--dbpath").arg(&data).args([
        "--port",
        &port.to_string(),
        "--replSet",
        REPLICA_SET,
    ]);
    command.args(["--bind_ip", "127.0.0.1", "--nounixsocket"]);
    command.args([
        "--wiredTigerCacheSizeGB",
        stack.room.cache_gb,
        "--oplogSize",
        stack.room.oplog_mb,
        "--setParameter",
        QUIESCE,
    ]);
    Ok(Server {
        name: name(member),
        marker: marker(stack, member),
        ports: vec![port],
        log: stack.folder.join(name(member)).join("mongod.log"),
        command,
        answers: Box::new(move || ports::accepts(port)),
        is_needed_by_next: false,
    })
}

fn name(member: usize) -> String {
    format!("mongo{}", member + 1)
}

fn data(stack: &Stack, member: usize) -> PathBuf {
    stack.folder.join(name(member)).join("data")
}
