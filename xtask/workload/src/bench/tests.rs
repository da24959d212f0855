//! What the bench's tests share.

pub(super) mod fixture;
