//! How a program puts an engine together.

use std::sync::Arc;

use super::Engine;
use crate::{
    config::{Embedded, Faults},
    encode::own::{Encoder, Own},
    event::ChangeEvent as Change,
    pipeline::Filter,
    sink::own::{Sink, Target},
};

/// Puts an [`Engine`] together.
///
/// Settings have the names of the environment variables that the program `cdc` reads, with the same values and defaults;
/// `docs/configuration.md` lists them. Only `CDC_ADMIN_ADDR` is off by default here, and `RUST_LOG` and `CDC_LOG_FORMAT` have no meaning.
#[derive(Debug, Default)]
#[must_use = "an engine is made by `build`"]
pub struct EngineBuilder {
    settings: Embedded,
    encoder: Option<Own>,
    filter: Option<Filter>,
    sink: Option<Target>,
}

impl EngineBuilder {
    /// Gives a setting a value, as in `.set("MONGO_DATABASE_NAME", "shop")`. The last value counts, whatever the environment
    /// says.
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.set(name, value.into());
        self
    }

    /// Takes settings from the environment of this process, where [`EngineBuilder::set`] gave none. Without it no setting
    /// comes from there.
    pub fn from_env(mut self) -> Self {
        self.settings.read_environment();
        self
    }

    /// Has `encoder` make the bodies of messages, in the place of a format.
    pub fn encoder(mut self, encoder: impl Encoder) -> Self {
        match Own::new(encoder) {
            Ok(own) => self.encoder = Some(own),
            Err(fault) => self.settings.fault("encoder", fault),
        }
        self
    }

    /// Publishes only those of the watched changes for which `wants` is true. The checkpoint passes the others, so they do
    /// not come again.
    ///
    /// It sees each change as the server sent it, before fields are left out or masked, on the thread that runs the engine. It
    /// has to answer the same for the same change. What the server can filter itself (`CDC_COLLECTIONS`, `CDC_OPERATIONS`,
    /// `CDC_AGGREGATION`) does not travel to this process at all.
    pub fn filter(mut self, wants: impl Fn(&Change) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Filter::new(wants));
        self
    }

    /// Sends messages to `sink`, in the place of RabbitMQ, to which the engine then does not connect: what the settings say of
    /// it is checked and has no further meaning, but for the routing key.
    ///
    /// RabbitMQ is also where engines of one pipeline see each other. Without it only the checkpoint tells: where a second
    /// engine is started, it goes on from the checkpoint, and the first one ends with an error when it saves next; until then
    /// both write to their sinks.
    pub fn sink(mut self, sink: impl Sink) -> Self {
        self.sink = Some(Target::new(sink));
        self
    }

    /// Checks everything, and asks no server.
    ///
    /// # Errors
    /// All faults at once, none with a secret's value.
    pub fn build(self) -> Result<Engine, Faults> {
        let mut config = self.settings.check(self.encoder.is_some())?;
        if let Some(encoder) = self.encoder {
            config.encode.shape = Arc::new(encoder);
        }
        if let Some(sink) = self.sink {
            config.send_to(sink);
        }
        config.pipeline.filter = self.filter;
        Ok(Engine::new(config))
    }
}
