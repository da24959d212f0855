//! How fast the engine is, beside what the servers allow and what a user would take instead.

mod bar;
mod bars;
mod caption;
mod cells;
pub mod command;
mod compare;
#[cfg(test)]
mod fixture;
mod grid;
mod number;
mod page;
mod plot;
mod publish;
mod ratios;
pub mod report;
mod sections;
pub mod show;
mod spread;
mod summary;
mod table;
