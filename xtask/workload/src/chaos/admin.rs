//! Asks an engine's admin port how it is.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// Longest wait for the answer; an engine that is paused gives none.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);

/// Where an engine answers.
#[derive(Debug)]
pub(super) struct Admin {
    pub(super) address: SocketAddr,
}

impl Admin {
    /// A port of loopback that is free now.
    pub(super) async fn reserve() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.context("find a free port")?;
        let address = listener.local_addr().context("find a free port")?;
        Ok(Self { address })
    }

    /// The value of the gauge `name`, if the engine answers.
    pub(super) async fn gauge(&self, name: &str) -> Option<f64> {
        let page = timeout(ANSWER_LIMIT, self.metrics()).await.ok()?.ok()?;
        value(&page, name)
    }

    async fn metrics(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut page = String::new();
        stream.read_to_string(&mut page).await?;
        Ok(page)
    }
}

fn value(page: &str, name: &str) -> Option<f64> {
    let mut lines = page.lines().filter_map(|line| line.strip_prefix(name));
    let line = lines.find(|rest| rest.starts_with(['{', ' ']))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_found_by_its_whole_name() {
        let page = "HTTP/1.1 200 OK\r\n\r\n# TYPE cdc_leader gauge\n\
            cdc_leader_x{pipeline=\"a\"} 7\ncdc_leader{pipeline=\"a b\"} 1\n";
        assert_eq!(value(page, "cdc_leader"), Some(1.0));
        assert_eq!(value(page, "cdc_lead"), None);
    }
}
