//! What the driver's monitors know of each server: why it cannot be used. The driver's own error has it too, in the
//! middle of a page.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mongodb::event::sdam::SdamEvent;

use super::fault::Fault;

/// Why servers cannot be used, by address. A clone tells of the same servers.
#[derive(Debug, Clone, Default)]
pub(super) struct Members {
    faults: Arc<Mutex<BTreeMap<String, Fault>>>,
}

impl Members {
    /// A monitor tells something.
    pub(super) fn note(&self, event: &SdamEvent) {
        match event {
            SdamEvent::ServerHeartbeatFailed(event) => {
                let fault = Fault::of(&event.failure);
                self.lock().insert(event.server_address.to_string(), fault);
            }
            SdamEvent::ServerHeartbeatSucceeded(event) => {
                self.lock().remove(&event.server_address.to_string());
            }
            SdamEvent::ServerClosed(event) => {
                self.lock().remove(&event.address.to_string());
            }
            _ => {}
        }
    }

    /// What is known now.
    pub(super) fn faults(&self) -> BTreeMap<String, Fault> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Fault>> {
        // Whoever panicked here left a map that is whole.
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one fault that only a person can mend, where every server that cannot be used has such a one.
pub(super) fn barred(faults: &BTreeMap<String, Fault>) -> Option<(&String, &Fault)> {
    let are_final = faults.values().all(Fault::is_final);
    faults.iter().next().filter(|_| are_final)
}

/// The faults in one line: once where all are alike, else with their servers.
pub(super) fn summary(faults: &BTreeMap<String, Fault>) -> Option<String> {
    let first = faults.values().next()?;
    if faults.values().all(|fault| fault == first) {
        return Some(first.to_string());
    }
    let each: Vec<_> = faults
        .iter()
        .map(|(address, fault)| format!("{address}: {fault}"))
        .collect();
    Some(each.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls;

    fn faults<const N: usize>(faults: [Fault; N]) -> BTreeMap<String, Fault> {
        let names = ["a:1", "b:2", "c:3"].map(str::to_owned);
        names.into_iter().zip(faults).collect()
    }

    #[test]
    fn faults_that_are_alike_are_said_once() {
        let text = |faults| summary(&faults);
        assert_eq!(text(faults([])), None);
        let refused = "the connection was refused";
        assert_eq!(
            text(faults([Fault::Refused, Fault::Refused])).as_deref(),
            Some(refused)
        );
        assert_eq!(
            text(faults([Fault::Refused, Fault::NoName])).as_deref(),
            Some("a:1: the connection was refused; b:2: the name is not known")
        );
    }

    #[test]
    fn a_server_that_may_come_back_is_waited_for() {
        let expired = || Fault::Tls(tls::Fault::Expired);
        assert_eq!(barred(&faults([])), None);
        assert_eq!(barred(&faults([expired(), Fault::Refused])), None);
        let all = faults([expired(), expired()]);
        assert_eq!(barred(&all), Some((&"a:1".to_owned(), &expired())));
    }
}
