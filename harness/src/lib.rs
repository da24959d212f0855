//! What tests, chaos runs and the bench share: child processes, the engine among them, and a proxy between it and a
//! server. Knows neither client library.

pub mod engine;
pub mod http;
pub mod port;
pub mod process;
pub mod proxy;
pub mod server;
pub mod usage;

pub use self::{
    engine::{Admin, Engine},
    process::{Output, Process, Signal},
    proxy::Proxy,
    server::Server,
    usage::Usage,
};
