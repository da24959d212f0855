//! An encoder: the body tells that a document changed and which, and nothing that is in it.
//!
//! ```console
//! $ MONGO_DATABASE_NAME=shop RABBITMQ_QUEUE_NAME=notices cargo run -p cdc --example encoder
//! ```

use std::error::Error;

use cdc::{Change, Encoder, Engine, HeaderValue, bson::Document};
use serde_json::json;

type BoxError = Box<dyn Error + Send + Sync>;

struct Notice;

impl Encoder for Notice {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn encode(&self, change: &Change) -> Result<Vec<u8>, BoxError> {
        let key = change.document_key().map(Document::try_from).transpose()?;
        let notice = json!({
            "what": change.operation().as_str(),
            "where": change.namespace().to_string(),
            "key": key,
        });
        Ok(serde_json::to_vec(&notice)?)
    }

    fn headers(
        &self,
        change: &Change,
    ) -> Result<Vec<(&'static str, HeaderValue<'static>)>, BoxError> {
        let bytes = i64::try_from(change.raw().len())?;
        Ok(vec![("event-bytes", HeaderValue::Number(bytes))])
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let engine = Engine::builder().from_env().encoder(Notice).build()?;
    let handle = engine.handle();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        handle.stop();
    });
    Ok(engine.run().await?)
}
