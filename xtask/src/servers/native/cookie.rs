//! The word that Erlang nodes know each other by.

use std::{
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use anyhow::{Context, Result};

use crate::servers::{node::Node, stack::Stack};

const FILE: &str = ".erlang.cookie";

/// Gives `node` the cookie of the first node, which gets one here unless Erlang has made it.
pub(super) fn share(stack: &Stack, node: &Node) -> Result<()> {
    let first = stack.rabbitmq_folder().join(FILE);
    let cookie = match fs::read_to_string(&first) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => new(),
        read => read.with_context(|| format!("read {}", first.display()))?,
    };
    let own = node.folder.join(FILE);
    if own.is_file() {
        return Ok(());
    }
    write(&own, &cookie).with_context(|| format!("write {}", own.display()))
}

/// Erlang refuses a file that others may read.
fn write(path: &Path, cookie: &str) -> io::Result<()> {
    fs::write(path, "")?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    fs::write(path, cookie)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o400))
}

/// Each state has random keys from the system, so the word cannot be guessed.
fn new() -> String {
    let part = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", part(), part())
}
