//! The ways from an engine to the broker's nodes, through proxies of its own.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use harness::Proxy;
use lapin::uri::AMQPUri;

/// How long the way to the broker is. Without it hardly anything would be on its way when a fault comes; all of it
/// there, so that what is not confirmed has not arrived either.
const LATENCY: Duration = Duration::from_millis(15);

/// The proxies of one engine.
#[derive(Debug)]
pub(super) struct Ways {
    uri: AMQPUri,
    /// To each node by AMQP.
    amqp: Vec<Proxy>,
    /// To each node by the protocol of streams, on the same port of an address for each; none where it is not used.
    streams: Vec<Proxy>,
}

impl Ways {
    /// To the nodes at `uris`, whose streams are at the hosts and ports `streams`.
    pub(super) async fn open(uris: &[AMQPUri], streams: &[String]) -> Result<Self> {
        let mut ways = Self {
            uri: uris[0].clone(),
            amqp: Vec::new(),
            streams: Vec::new(),
        };
        for (node, uri) in (1..).zip(uris) {
            // The engine finds streams at the hosts of AMQP, all on one port.
            let host = if streams.is_empty() { 1 } else { node };
            let proxy = open(host, 0, address(uri)).await?;
            ways.amqp.push(proxy);
        }
        for (node, target) in (1..).zip(streams) {
            let first = ways.streams.first();
            let port = first.map_or(0, |proxy| proxy.address.port());
            let proxy = open(node, port, target.clone()).await?;
            ways.streams.push(proxy);
        }
        Ok(ways)
    }

    /// Every way.
    pub(super) fn all(&self) -> impl Iterator<Item = &Proxy> {
        self.amqp.iter().chain(&self.streams)
    }

    /// The node of the broker that the engine is connected to, as far as one can see; the first one if to none.
    pub(super) fn node(&self) -> usize {
        let connected = |proxy: &Proxy| 0 < proxy.connections();
        self.amqp.iter().position(connected).unwrap_or_default()
    }

    /// Lead the engine here.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let addresses = self.amqp.iter().map(|proxy| proxy.address.to_string());
        let addresses: Vec<_> = addresses.collect();
        let uri = self.uri.to_string();
        let uri = uri.replacen(&address(&self.uri), &addresses.join(","), 1);
        let port = self.streams.first().map(|proxy| proxy.address.port());
        let port = port.map(|port| ("RABBITMQ_STREAM_PORT", port.to_string()));
        [("RABBITMQ_URI", uri)].into_iter().chain(port).collect()
    }
}

fn address(uri: &AMQPUri) -> String {
    format!("{}:{}", uri.authority.host, uri.authority.port)
}

/// A proxy on the loopback address of this number.
async fn open(host: u8, port: u16, target: String) -> Result<Proxy> {
    let at = SocketAddr::from(([127, 0, 0, host], port));
    let proxy = Proxy::start_at(at, target, LATENCY).await;
    proxy.context("open a proxy")
}
