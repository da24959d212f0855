//! Which changes a program wants, by a function of its own.

use std::{fmt, sync::Arc};

use crate::event::ChangeEvent;

/// See the module's text.
#[derive(Clone)]
pub struct Filter(Arc<Wants>);

type Wants = dyn Fn(&ChangeEvent) -> bool + Send + Sync;

impl Filter {
    /// Takes the function that says whether a change is wanted.
    pub fn new(wants: impl Fn(&ChangeEvent) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(wants))
    }

    pub(super) fn wants(&self, event: &ChangeEvent) -> bool {
        (self.0)(event)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter")
    }
}
