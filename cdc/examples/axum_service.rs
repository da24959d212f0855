//! The engine within a web service, which shows its health and its metrics, and stops it before it ends.
//!
//! ```console
//! $ MONGO_DATABASE_NAME=shop cargo run -p cdc --example axum_service
//! $ curl http://127.0.0.1:8080/ready
//! ```

use std::error::Error;

use axum::{Router, extract::State, http::StatusCode, routing::get};
use cdc::{Engine, Handle};
use tokio::net::TcpListener;

async fn ready(State(engine): State<Handle>) -> (StatusCode, String) {
    if engine.is_ready() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            engine.obstacles().join("\n"),
        )
    }
}

async fn metrics(State(engine): State<Handle>) -> String {
    engine.metrics()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let engine = Engine::builder().from_env().build()?;
    let handle = engine.handle();
    let service = Router::new()
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(handle.clone());
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    let mut running = tokio::spawn(engine.run());
    tokio::select! {
        // It runs until it is stopped, so it ended by an error.
        ended = &mut running => return Ok(ended??),
        served = axum::serve(listener, service) => served?,
        pressed = tokio::signal::ctrl_c() => pressed?,
    }
    handle.stop();
    Ok(running.await??)
}
