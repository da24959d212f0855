//! Which member is the primary, as the driver's monitors see it.
//!
//! A read that waits for an answer of a primary that was paused or cut off waits for its deadline, although the monitors
//! of the other members have long told the driver of a new primary. Whoever reads can listen here meanwhile.

use mongodb::{ServerType, event::sdam::SdamEvent, options::ServerAddress};
use tokio::sync::watch;

/// The present primary. A clone tells of the same set.
#[derive(Debug, Clone)]
pub struct Primary {
    address: watch::Sender<Option<ServerAddress>>,
}

impl Default for Primary {
    fn default() -> Self {
        Self {
            address: watch::Sender::new(None),
        }
    }
}

impl Primary {
    /// A monitor tells something.
    pub(super) fn note(&self, event: &SdamEvent) {
        let SdamEvent::ServerDescriptionChanged(event) = event else {
            return;
        };
        let server = &event.new_description;
        if server.server_type() == ServerType::RsPrimary {
            let found = Some(server.address().clone());
            self.address.send_if_modified(|known| {
                let is_news = *known != found;
                *known = found;
                is_news
            });
        }
    }

    /// The member that is primary now; unknown behind a router and before the first answer.
    pub fn now(&self) -> Option<ServerAddress> {
        self.address.borrow().clone()
    }

    /// Waits until another member than `before` is primary; for ever where that is unknown.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn moved(&self, before: Option<&ServerAddress>) {
        let Some(before) = before else {
            return std::future::pending().await;
        };
        let is_other = |now: &Option<ServerAddress>| now.as_ref().is_some_and(|now| now != before);
        // The sender is ours, so the wait ends only with a change.
        let _ = self.address.subscribe().wait_for(is_other).await;
    }
}
