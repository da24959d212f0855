//! Takes connections and answers them, a request each.

use std::{convert::Infallible, io::ErrorKind, time::Duration};

use axum::Router;
use hyper::{
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tracing::warn;

use super::connections::{Asked, Connections};
use crate::retry::Repeats;

/// Most connections at once. Together they hold [`BUFFER_BYTES`] each.
pub(super) const CONNECTIONS: usize = 64;
/// Largest head of a request, and how much of an answer waits at once for a client to take it.
const BUFFER_BYTES: usize = 16 << 10;
/// Longest life of a connection, which carries one request.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Wait after a connection could not be taken, for example for want of a file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// Time without a failure after which the next one is another matter. One connection may be taken between two of them.
const FAILURE_ENDS_AFTER: Duration = Duration::from_secs(60);

/// Answers for ever.
pub(super) async fn serve(listener: TcpListener, router: Router) -> Infallible {
    let mut connections = Connections::new(CONNECTIONS);
    let (mut failures, mut failed_at) = (Repeats::default(), None::<Instant>);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let asked = Asked::default();
                connections.room().await;
                connections.add(asked.clone(), converse(stream, router.clone(), asked));
            }
            // A client that has gone before it was taken.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => {
                let now = Instant::now();
                if failed_at.is_some_and(|before| FAILURE_ENDS_AFTER < now.duration_since(before)) {
                    failures.reset();
                }
                failed_at = Some(now);
                if let Some(tries) = failures.failed(&error.to_string(), now) {
                    let (tried, for_seconds) = (tries.count, tries.seconds);
                    warn!(%error, tried, for_seconds, "the admin port takes no connection");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One request and its answer. A client that breaks off or dawdles is its own affair.
async fn converse(stream: TcpStream, router: Router, asked: Asked) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request| {
        asked.set();
        router.call(request)
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
}

#[cfg(test)]
mod tests;
