//! A change with all that the database needs to make it.

use bson::{Document, doc};

use super::{
    deed::{self, Deed, DeedId, DocumentId, Verb},
    work::Act,
};

/// One change with its content.
#[derive(Debug)]
pub(super) struct Step {
    number: u32,
    content: String,
    pub(super) deed: Deed,
}

impl Step {
    /// Gives `act` its identity and its content.
    pub(super) fn new(id: DeedId, act: Act) -> Self {
        let (content, fingerprint) = if act.verb == Verb::Delete {
            (String::new(), 0)
        } else {
            let content = deed::content(id, act.length);
            let fingerprint = deed::fingerprint(&content);
            (content, fingerprint)
        };
        Self {
            number: id.number,
            content,
            deed: Deed {
                verb: act.verb,
                collection: act.collection,
                document: act.document.unwrap_or(DocumentId(id)),
                content: fingerprint,
            },
        }
    }

    /// What an update sets.
    pub(super) fn fields(&self) -> Document {
        doc! { "number": i64::from(self.number), "content": &self.content }
    }

    /// What an insert adds.
    pub(super) fn document(&self) -> Document {
        let mut document = doc! { "_id": self.deed.document.text() };
        document.extend(self.fields());
        document
    }
}
