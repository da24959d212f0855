//! What is said where a pipeline's scope is not as it was, or not as the leader's.

use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use crate::{
    checkpoint::{Change, Store},
    health::Health,
    retry::chain,
};

/// A leader claims the checkpoint right after it has taken the lock; until then the scope is its predecessor's.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// Time between looks at the leader's scope, since another leader may have another one.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Warns of what changed since the checkpoint `from` which the pipeline goes on.
pub(super) fn say_changed(changes: &[Change], from: &str) {
    for Change {
        what,
        was,
        now,
        meaning,
    } in changes
    {
        warn!(
            what,
            was,
            now,
            meaning,
            from,
            "the pipeline's scope is not as it was, and goes on from the checkpoint"
        );
    }
}

/// Compares our scope with the leader's, which it saves with the checkpoint, for as long as the handle lives. `store` only
/// reads.
pub(super) fn compare(store: Store, health: Health) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        tokio::time::sleep(FIRST_LOOK).await;
        let mut said = None;
        loop {
            match store.differences().await {
                Ok(differences) => {
                    let notice = notice(&differences);
                    if let Some(notice) = notice.as_ref().filter(|_| said != notice) {
                        warn!("{notice}");
                    }
                    health.set_notice(notice.clone());
                    said = notice;
                }
                Err(error) => debug!(error = chain(&error), "the leader's scope is not known"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }))
}

fn notice(differences: &[Change]) -> Option<String> {
    let all = differences
        .iter()
        .map(|Change { what, was, now, .. }| format!("{what} `{was}` there, `{now}` here"));
    let all: Vec<String> = all.collect();
    (!all.is_empty()).then(|| {
        format!(
            "the engine that holds the lock works on something else under the same pipeline name: {}; this one does not \
             work meanwhile, so unless it is to take over, give it a pipeline name of its own",
            all.join(", ")
        )
    })
}
