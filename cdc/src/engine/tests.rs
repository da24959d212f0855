//! What needs no server. `tests/it/library.rs` has the rest.

use std::time::Duration;

use super::*;
use crate::{health::Role, sink::own::Message};

struct Nowhere;

impl crate::Sink for Nowhere {
    type Error = String;

    async fn write(&mut self, _: &[Message]) -> Result<(), String> {
        Ok(())
    }
}

/// Nobody listens there.
fn builder() -> EngineBuilder {
    Engine::builder()
        .set("MONGO_DATABASE_HOST", "mongodb://127.0.0.1:1/")
        .set("CDC_STARTUP_TIMEOUT_MS", "0")
}

#[test]
fn every_fault_is_told_at_once() {
    struct Nameless;
    impl crate::Encoder for Nameless {
        fn content_type(&self) -> &'static str {
            ""
        }
        fn encode(
            &self,
            _: &crate::Change,
        ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
            Ok(Vec::new())
        }
    }
    let built = builder()
        .set("CDC_COLECTIONS", "games")
        .set("CDC_WINDOW_EVENTS", "0")
        .encoder(Nameless)
        .build();
    let text = built.unwrap_err().to_string();
    let places = ["CDC_COLECTIONS: ", "CDC_WINDOW_EVENTS: ", "encoder: "];
    assert!(places.iter().all(|place| text.contains(place)), "{text}");
}

#[test]
fn with_a_sink_of_its_own_the_checkpoint_stands_for_that() {
    let engine = builder().sink(Nowhere).build().unwrap();
    let target = &engine.config.checkpoint.scope.target;
    assert_eq!(target.to_string(), "a sink of the program's own");
    assert!(engine.config.own_sink.is_some());
}

#[tokio::test]
async fn an_engine_without_servers_ends_with_an_error_and_is_not_ready() {
    let engine = builder().build().unwrap();
    let handle = engine.handle();
    handle.health.set_role(Role::Leader);
    assert!(handle.is_ready());
    let running = tokio::spawn(engine.run());
    running.await.unwrap().unwrap_err();
    assert!(!handle.is_ready());
}

#[tokio::test]
async fn an_engine_stops_while_it_waits_for_its_servers() {
    let engine = builder().set("CDC_STARTUP_TIMEOUT_MS", "600000");
    let engine = engine.build().unwrap();
    let handle = engine.handle();
    let running = tokio::spawn(engine.run());
    while handle.obstacles().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(handle.obstacles()[0].starts_with("mongodb: "));
    handle.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_waits_hears_of_readiness_and_of_the_end() {
    let engine = builder().build().unwrap();
    let handle = engine.handle();
    let wait = || {
        let handle = handle.clone();
        tokio::spawn(async move { handle.ready().await })
    };
    let waiting = wait();
    tokio::task::yield_now().await;
    handle.health.set_role(Role::Leader);
    assert!(waiting.await.unwrap());
    handle.health.set_role(Role::Draining);
    let waiting = wait();
    tokio::task::yield_now().await;
    drop(engine);
    assert!(!waiting.await.unwrap());
    assert!(handle.metrics().contains("cdc_events_read_total"));
}
