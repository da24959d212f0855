//! Integration tests: the real binary against real servers, which `cargo xtask test` starts.

mod bad_input;
mod delivery;
mod reader_parity;
mod recovery;
mod support;
mod tail;
