//! The login by client certificate (SASL's EXTERNAL).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use lapin::{auth::AuthProvider, types::LongString};

/// The login by client certificate, which says nothing itself. It knows whether the broker came so far as to ask for
/// it: one that does not offer it closes the connection without a word.
#[derive(Debug, Clone, Default)]
pub(super) struct External(Arc<AtomicBool>);

impl External {
    pub(super) const NAME: &str = "EXTERNAL";

    pub(super) fn was_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl AuthProvider for External {
    fn auth_starter(&self) -> Result<LongString, String> {
        self.0.store(true, Ordering::Relaxed);
        Ok(LongString::default())
    }
}
