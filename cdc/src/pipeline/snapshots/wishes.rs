//! Runs that follow from changes: a collection that gets a watched name, and history that is lost.

use bson::Timestamp;
use tracing::info;

use super::{Next, Snapshots};
use crate::{
    position::Position,
    snapshot::{Name, OnRenameIn, Origin, Step, Wish},
    source::HistoryLost,
};

impl Snapshots {
    /// A rename was handed over: what is being read has another name from here on, and what is watched may have more in
    /// it.
    pub(in crate::pipeline) fn renamed(&mut self, (from, to): (Name, Name), next: Next) {
        let was_watched = self.scope.watches(from.namespace());
        let is_watched = self.scope.watches(to.namespace());
        if self.progress.run.is_some() {
            let to = Some(to.clone()).filter(|_| is_watched);
            self.step(Step::Renamed { from, to });
        }
        let wants = self.options.on_rename_in == OnRenameIn::Snapshot;
        if let Next::Change(time) = next
            && wants
            && is_watched
            && !was_watched
        {
            info!(collection = %to, "a collection has got a watched name and will be read");
            let collections = Some(vec![to.to_string()]);
            self.wish("rename", time, Origin::Rename, collections);
        }
    }

    /// The changes up to `position` are lost.
    pub(in crate::pipeline) fn lost(&mut self, position: &Position) {
        let wants = self.on_history_lost == HistoryLost::Snapshot;
        if let Some(time) = position.cluster_time().filter(|_| wants) {
            self.wish("recovery", time, Origin::Recovery, None);
        }
    }

    fn wish(
        &mut self,
        kind: &str,
        time: Timestamp,
        origin: Origin,
        collections: Option<Vec<String>>,
    ) {
        let Timestamp { time, increment } = time;
        self.step(Step::Wished(Wish {
            name: format!("{kind}-{time}-{increment}"),
            origin,
            collections,
            filter: None,
            rate: None,
        }));
    }
}
