//! Why an engine stopped.

use crate::app;

/// Why an engine stopped, or never began. Its [`source`](std::error::Error::source)s say more.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] app::Error);
