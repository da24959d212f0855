//! A filter: only orders of 100 and more are published, and the checkpoint passes the others.
//!
//! ```console
//! $ MONGO_DATABASE_NAME=shop CDC_COLLECTIONS=orders cargo run -p cdc --example filter
//! ```

use std::error::Error;

use cdc::{Change, Engine, bson::RawBsonRef};

const LARGE: f64 = 100.0;

/// What tells of no total, such as a delete, is published too.
fn is_large(change: &Change) -> bool {
    let order = change.full_document();
    let total = order.and_then(|order| order.get(cdc::bson::cstr!("total")).ok().flatten());
    match total {
        Some(RawBsonRef::Double(total)) => LARGE <= total,
        Some(RawBsonRef::Int32(total)) => LARGE <= f64::from(total),
        _ => true,
    }
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
