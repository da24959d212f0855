//! Integration tests: the real binary against real servers, which `cargo xtask test` starts.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bad_input;
mod delivery;
mod reader_parity;
mod recovery;
mod support;
mod tail;
