//! Which fields of documents leave the process, and which are masked: a pure step from raw BSON to raw BSON, before
//! anything else sees the event.
//!
//! The rules apply alike to the document, to its earlier state, to its key, and to what an update changed, so that an update
//! that is applied to the masked earlier state gives the masked later one. What may hold a value and is not understood is
//! left out.

mod copy;
mod description;
mod mask;
mod matcher;
mod path;
mod rewrite;
mod structure;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bson::{DateTime, RawDocumentBuf, rawdoc};

use self::{copy::Copy, matcher::Matcher};
pub use self::{
    mask::{Hasher, Mask},
    path::{Path, PathError},
};
use crate::{
    event::{ChangeEvent, Operation},
    raw_bson,
};

/// All rules; cheap to clone.
#[derive(Debug, Clone)]
pub struct Projection(Arc<[Rule]>);

/// What happens to the fields that a path leads to.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Which fields.
    pub path: Path,
    /// What happens to them.
    pub action: Action,
}

/// What happens to a field.
#[derive(Debug, Clone)]
pub enum Action {
    /// It stays. With one such rule, whatever is not named by another goes, but for the `_id`.
    Include,
    /// It goes.
    Exclude,
    /// Each value in it, be it in arrays and documents, is replaced. Names and the lengths of arrays stay.
    Mask(Mask),
}

/// The event is not valid BSON, so that nobody knows where its fields are. Nothing of its content is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its fields cannot be told apart: it is not valid BSON at byte {offset}")]
pub struct Error {
    offset: usize,
}

impl Projection {
    /// These rules; none for no rule.
    pub fn new(mut rules: Vec<Rule>) -> Option<Self> {
        if rules
            .iter()
            .any(|rule| matches!(rule.action, Action::Include))
        {
            let (path, action) = (Path::id(), Action::Include);
            rules.push(Rule { path, action });
        }
        (!rules.is_empty()).then(|| Self(rules.into()))
    }

    /// The event that may be told; none where that is `event` itself. It keeps its position and its identity.
    ///
    /// # Errors
    /// Where the event is corrupt where a rule has to look; [`without_content`] is then all that may be told.
    pub fn apply(&self, event: &ChangeEvent) -> Result<Option<ChangeEvent>, Error> {
        let matcher = Matcher::new(&self.0, event.namespace());
        if matcher.is_idle() && is_of_document(event.operation()) {
            return Ok(None);
        }
        let bytes = rewrite::rewrite(event, Copy::new(event.raw(), matcher))?;
        let rewritten = ChangeEvent::parse(bytes.into()).map_err(|_| Error { offset: 0 })?;
        Ok(Some(rewritten.known_as(event)))
    }
}

/// The event without anything of the document, its key included.
#[expect(clippy::missing_panics_doc, reason = "it has what every event has")]
pub fn without_content(event: &ChangeEvent) -> ChangeEvent {
    let mut bare = rawdoc! {
        "_id": rewrite::stand_in(event),
        "operationType": event.operation().as_str(),
        "clusterTime": event.cluster_time(),
    };
    if let Some(millis) = event.wall_time_ms() {
        bare.append(bson::raw::cstr!("wallTime"), DateTime::from_millis(millis));
    }
    let namespace = event.namespace();
    let mut names = RawDocumentBuf::new();
    names.append(bson::raw::cstr!("db"), namespace.database);
    if let Some(collection) = namespace.collection {
        names.append(bson::raw::cstr!("coll"), collection);
    }
    bare.append(bson::raw::cstr!("ns"), names);
    let bare = ChangeEvent::parse(bare.into_bytes().into());
    bare.expect("it has what every event has").known_as(event)
}

/// Whether it tells of one document, and so of nothing that describes a collection.
fn is_of_document(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Insert
            | Operation::Update
            | Operation::Replace
            | Operation::Delete
            | Operation::Read
    )
}

impl From<raw_bson::Error> for Error {
    fn from(error: raw_bson::Error) -> Self {
        let offset = error.offset();
        Self { offset }
    }
}
