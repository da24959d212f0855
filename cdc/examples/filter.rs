//! A filter: only orders of 100 and more are published, and the checkpoint passes the others.
//!
//! ```console
//! $ MONGO_DATABASE_NAME=shop CDC_COLLECTIONS=orders cargo run -p cdc --example filter
//! ```

use std::error::Error;

use cdc::{Change, Engine};

const LARGE: f64 = 100.0;

/// What tells of no total, such as a delete, is published too.
fn is_large(change: &Change) -> bool {
    let total = change
        .full_document()
        .and_then(|order| order.get_f64(cdc::bson::cstr!("total")).ok());
    total.is_none_or(|total| LARGE <= total)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let engine = Engine::builder()
        .from_env()
        .set("CDC_OPERATIONS", "insert,update,replace,delete")
        .filter(is_large)
        .build()?;
    let handle = engine.handle();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        handle.stop();
    });
    Ok(engine.run().await?)
}
