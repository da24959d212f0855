//! Documents that lie in a database and wait for a snapshot.

use std::time::Instant;

use anyhow::Result;

use crate::bench::{backlog::Backlog, site::Site, tell::tell};

/// So many documents of so many bytes.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) backlog: Backlog,
    pub(super) count: u64,
    pub(super) bytes: u64,
}

impl Documents {
    /// Inserts them.
    pub(super) async fn insert(site: &Site, count: u64, bytes: u64) -> Result<Self> {
        let started = Instant::now();
        let backlog = Backlog::insert(site, count, bytes).await?;
        let seconds = started.elapsed().as_secs_f64();
        tell(&format!(
            "inserted {count} documents of {bytes} bytes in {seconds:.1} s"
        ));
        Ok(Self {
            backlog,
            count,
            bytes,
        })
    }
}
