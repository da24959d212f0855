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

use std::{borrow::Cow, sync::Arc};

use bson::{DateTime, RawDocument, RawDocumentBuf, rawdoc};

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
    /// Where the event is corrupt where a rule has to look; [`Projection::without_content`] is then all that may be told.
    pub fn apply(&self, event: &ChangeEvent) -> Result<Option<ChangeEvent>, Error> {
        let matcher = Matcher::new(&self.0, event.namespace());
        if matcher.is_idle() && is_of_document(event.operation()) {
            return Ok(None);
        }
        let copy = Copy::new(event.raw(), matcher);
        let (bytes, hidden) = rewrite::rewrite(event, copy, || self.hidden_token(event))?;
        let token = hidden.as_deref().unwrap_or_else(|| event.token());
        let rewritten = ChangeEvent::parse(bytes.into()).map_err(|_| Error { offset: 0 })?;
        Ok(Some(rewritten.known_as(token)))
    }

    /// The event without anything of the document, its key included.
    pub fn without_content(&self, event: &ChangeEvent) -> ChangeEvent {
        without_content(event, &self.hidden_token(event))
    }

    /// The token by which an event is known whose key is not told.
    ///
    /// That of a document that was read is a hash of its key and of what the message tells besides, so whoever guesses the
    /// key would see it in the message's id. It is hashed once more, with the secret of the masks, which is there wherever a
    /// key is masked.
    fn hidden_token<'e>(&self, event: &'e ChangeEvent) -> Cow<'e, RawDocument> {
        let mut actions = self.0.iter().map(|rule| &rule.action);
        let hasher = actions.find_map(|action| match action {
            Action::Mask(Mask::Hash(hasher)) => Some(hasher),
            _ => None,
        });
        match hasher {
            Some(hasher) if *event.operation() == Operation::Read => {
                Cow::Owned(hasher.token(event.token()))
            }
            _ => Cow::Borrowed(event.token()),
        }
    }
}

fn without_content(event: &ChangeEvent, token: &RawDocument) -> ChangeEvent {
    let mut bare = rawdoc! {
        "_id": rewrite::stand_in(token),
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
    if let Some(snapshot) = event.raw_snapshot() {
        bare.append(bson::raw::cstr!("snapshot"), snapshot);
    }
    let bare = ChangeEvent::parse(bare.into_bytes().into());
    bare.expect("it has what every event has").known_as(token)
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
