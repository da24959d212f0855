//! Integration tests: the real binary against real servers, which `cargo xtask test` starts.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod admin;
mod alerts;
mod bad_input;
mod capture;
mod catching_up;
mod check;
mod compression;
mod copy;
mod crash;
mod delivery;
mod faithful;
mod faults_broker;
mod faults_checkpoint;
mod faults_engine;
mod faults_mongo;
mod formats;
mod json_log;
mod library;
mod lost_queue;
mod metrics;
mod mongo_privileges;
mod mongo_tls;
mod mongo_uri;
mod nodes;
mod operate;
mod oversize;
mod page;
mod partitions;
mod permissions;
mod policies;
mod privacy;
mod rabbit_tls;
mod reader_parity;
mod recovery;
mod refusals;
mod resume;
mod routing;
#[cfg(target_os = "linux")]
mod scheduling;
mod scope;
mod secrets;
mod settings;
mod shares;
mod snapshot_requests;
mod snapshots;
mod split;
mod standby;
mod stream_port;
mod streams;
mod structure;
mod supervisor;
mod support;
mod tail;
mod topology;
