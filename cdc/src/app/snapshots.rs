//! What a session needs for snapshots: which collections there are, and how far the checkpoint is.

use std::sync::Arc;

use super::Error;
use crate::{
    checkpoint::Store,
    config::Config,
    mongo::{self, Mongo},
    pipeline::SnapshotParts,
    snapshot::{Catalog, Name, Progress, Reader, requests::Requests},
    source::{Existing, Scope},
};

/// What the pipeline makes snapshots with, by the checkpoint that was loaded; none where none may be made: what is read
/// does not pass through stages of the user's own.
pub(super) fn open(
    mongo: &Mongo,
    config: &Config,
    store: &Store,
) -> Result<Option<SnapshotParts>, Error> {
    let scope = &config.source.scope;
    if !scope.aggregation.is_empty() {
        return Ok(None);
    }
    let progress = store.snapshot().map(Progress::read).transpose();
    let progress = progress.map_err(|reason| store.unreadable(reason))?;
    let place = &config.checkpoint;
    Ok(Some(SnapshotParts {
        reader: Reader::new(mongo, catalog(mongo, scope), scope.share),
        progress: progress.unwrap_or_default(),
        requests: Some(Requests::new(mongo, &place.database, &place.pipeline)),
        scope: scope.clone(),
        options: config.snapshot,
        on_history_lost: config.source.on_history_lost,
    }))
}

fn catalog(mongo: &Mongo, scope: &Scope) -> Catalog {
    let (mongo, scope) = (mongo.clone(), scope.clone());
    Arc::new(move |texts| {
        let (mongo, scope) = (mongo.clone(), scope.clone());
        Box::pin(async move { list(&mongo, &scope, texts).await })
    })
}

/// A name that means nothing any more is left out like a view: it was checked when the run was asked for.
async fn list(
    mongo: &Mongo,
    scope: &Scope,
    texts: Option<Vec<String>>,
) -> Result<(Vec<Name>, Vec<(String, String)>), mongo::Error> {
    let existing = scope.existing(mongo).await?;
    let (mut names, mut skipped) = (Vec::new(), Vec::new());
    let each = texts.map_or_else(
        || vec![None],
        |texts| texts.into_iter().map(|text| Some(vec![text])).collect(),
    );
    for texts in each {
        match scope.choose(&existing, texts.as_deref()) {
            Ok(choice) => {
                names.extend(choice.collections.iter().filter_map(name));
                skipped.extend(choice.others.iter().map(|other| {
                    let reason = format!("it is a {}", other.kind());
                    (other.namespace().to_string(), reason)
                }));
            }
            Err(unmet) => skipped.push((unmet.text.clone(), unmet.to_string())),
        }
    }
    names.sort();
    names.dedup();
    Ok((names, skipped))
}

fn name(existing: &Existing) -> Option<Name> {
    Name::of(existing.namespace())
}
