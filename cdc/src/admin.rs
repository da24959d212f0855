//! The admin port: metrics for a scrape, liveness and readiness for whoever watches over the process, and a status page.
//!
//! It only reads. It lives on the engine's own thread, so it answers only while that thread turns; and it is bounded, so
//! that no client can take what the engine or another client needs.

mod access;
mod connections;
mod guard;
mod history;
mod latency;
mod page;
mod problems;
mod record;
mod routes;
mod server;
mod status;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc};

use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;

use self::record::Record;
pub use self::{
    access::{Access, Token},
    status::{Advice, Setting},
};
use crate::{headroom::Headroom, health::Health, metrics::Metrics};

/// Where the port is, and who may ask.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Where it listens, if anywhere.
    pub address: Option<SocketAddr>,
    /// Who may ask.
    pub access: Access,
    /// The settings, as they hold.
    pub settings: Vec<Setting>,
    /// What people can do about obstacles.
    pub advice: Option<Advice>,
}

/// The engine that is told of.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// Its pipeline.
    pub pipeline: String,
    /// Where its messages go.
    pub target: String,
    /// Most messages in flight.
    pub window_events: usize,
    /// Most bytes of bodies in flight.
    pub window_bytes: usize,
    /// What it counts.
    pub metrics: Metrics,
    /// What is in its way.
    pub health: Health,
    /// How long until changes leave the oplog that it has not read.
    pub headroom: Headroom,
}

/// What answers are made of.
#[derive(Debug)]
struct Facts {
    config: Config,
    subject: Subject,
    record: Record,
}

/// Why the admin port cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program listens there.
    #[error("admin port {0} is taken")]
    Taken(SocketAddr),
    /// The address is not of this machine, or not allowed.
    #[error("listen on admin port {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// The admin port, bound and not yet served.
#[derive(Debug)]
pub struct Admin {
    listener: Option<TcpListener>,
    config: Config,
}

/// The running server; it ends when dropped.
#[derive(Debug)]
#[must_use = "the admin port ends when this is dropped"]
pub struct Serving {
    _tasks: Option<[AbortOnDropHandle<Infallible>; 2]>,
}

impl Admin {
    /// Takes the port, if there is to be one. Port 0 takes a free one, which the log names.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn bind(config: &Config) -> Result<Self, Error> {
        let listener = match config.address {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        Ok(Self {
            listener,
            config: config.clone(),
        })
    }

    /// Answers from now on, and keeps what there is to tell, in tasks of its own.
    pub fn serve(self, subject: Subject) -> Serving {
        let record = Record::new();
        let keeping = record
            .clone()
            .keep(subject.metrics.clone(), subject.health.clone());
        let facts = Facts {
            config: self.config,
            subject,
            record,
        };
        let start = |listener| {
            let serving = server::serve(listener, routes::router(Arc::new(facts)));
            let serving = AbortOnDropHandle::new(tokio::spawn(serving));
            [serving, AbortOnDropHandle::new(tokio::spawn(keeping))]
        };
        Serving {
            _tasks: self.listener.map(start),
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => Error::Taken(address),
        _ => Error::Listen { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    info!(address = %bound, "admin port open");
    Ok(listener)
}

#[cfg(test)]
impl Admin {
    fn address(&self) -> SocketAddr {
        let listener = self.listener.as_ref().expect("it listens");
        listener.local_addr().expect("it is bound")
    }
}
