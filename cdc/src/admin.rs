//! The admin port: metrics for a scrape, liveness and readiness for whoever watches over the process.
//!
//! It lives on the engine's own thread, so it answers only while that thread turns; and it is bounded, so that no
//! client can take what the engine needs.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderName, StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::{
    health::{Health, Report},
    metrics::Metrics,
};

/// Most connections served at once; the next ones wait.
const CONNECTIONS: usize = 16;
/// Longest life of a connection, which carries one request.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Wait after a connection could not be taken, for example for want of a file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

type Answer = (StatusCode, [(HeaderName, &'static str); 1], String);

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
}

/// The running server; it ends when dropped.
#[derive(Debug)]
#[must_use = "the admin port ends when this is dropped"]
pub struct Serving {
    _task: Option<AbortOnDropHandle<()>>,
}

impl Admin {
    /// Takes the port, if there is to be one. Port 0 takes a free one, which the log names.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn bind(address: Option<SocketAddr>) -> Result<Self, Error> {
        let Some(address) = address else {
            return Ok(Self { listener: None });
        };
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => Error::Taken(address),
            _ => Error::Listen { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let bound = listener.local_addr().map_err(refused)?;
        info!(address = %bound, "admin port open");
        Ok(Self {
            listener: Some(listener),
        })
    }

    /// Answers from now on, in a task of its own.
    pub fn serve(self, metrics: Metrics, health: Health) -> Serving {
        let router = Router::new()
            .route("/metrics", get(scrape))
            .with_state(metrics)
            .route("/live", get(async || "live\n"))
            .merge(Router::new().route("/ready", get(ready)).with_state(health));
        let start = |listener| AbortOnDropHandle::new(tokio::spawn(accept(listener, router)));
        Serving {
            _task: self.listener.map(start),
        }
    }
}

async fn accept(listener: TcpListener, router: Router) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                connections.spawn(async move {
                    converse(stream, router).await;
                    drop(slot);
                });
            }
            Err(error) => {
                warn!(%error, "the admin port takes no connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One request and its answer. A client that breaks off or dawdles is its own affair.
async fn converse(stream: TcpStream, router: Router) {
    let connection = http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
}

/// `GET /metrics`.
async fn scrape(State(metrics): State<Metrics>) -> Answer {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    (StatusCode::OK, [(CONTENT_TYPE, kind)], metrics.encode())
}

/// `GET /ready`.
async fn ready(State(health): State<Health>) -> Answer {
    let report = health.report();
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let headers = [(CONTENT_TYPE, "application/json")];
    (status, headers, readiness(&report))
}

fn readiness(report: &Report) -> String {
    let obstacles = report.obstacles.iter().map(|obstacle| {
        json!({
            "cause": obstacle.cause.to_string(),
            "reason": obstacle.reason,
            "for_seconds": obstacle.since.elapsed().as_secs(),
        })
    });
    let body = json!({
        "ready": report.ready,
        "role": report.role.to_string(),
        "obstacles": obstacles.collect::<Vec<_>>(),
        "notice": report.notice,
        "catching_up": report.behind_seconds.map(|seconds| json!({ "behind_seconds": seconds })),
    });
    format!("{body}\n")
}
