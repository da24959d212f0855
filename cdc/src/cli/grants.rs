//! Commands that grant what a user lacks, ready to be pasted.

pub(super) mod mongodb;
pub(super) mod rabbitmq;
