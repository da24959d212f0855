//! How fast the engine is, beside what the servers allow and what a user would take instead.

pub mod report;
