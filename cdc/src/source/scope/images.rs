//! Which documents the server sends along with a change: <https://www.mongodb.com/docs/manual/changeStreams/>.

use bson::Document;

/// The document after an update. The other operations bring their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FullDocument {
    /// None.
    Off,
    /// The document as it is when the server reads the update, which may be later than the update.
    Lookup,
    /// The document right after the update, where the collection keeps it.
    WhenAvailable,
    /// The same, and where it is not kept the stream fails.
    Required,
}

/// The document before an update, a replacement or a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FullDocumentBefore {
    /// None.
    Off,
    /// The document right before the change, where the collection keeps it.
    WhenAvailable,
    /// The same, and where it is not kept the stream fails.
    Required,
}

/// Documents that the server sends along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Images {
    /// After an update.
    pub after: FullDocument,
    /// Before a change.
    pub before: FullDocumentBefore,
}

impl FullDocument {
    /// The choices and their names.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("lookup", Self::Lookup),
        ("off", Self::Off),
        ("when_available", Self::WhenAvailable),
        ("required", Self::Required),
    ];

    fn option(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::Lookup => Some("updateLookup"),
            Self::WhenAvailable => Some("whenAvailable"),
            Self::Required => Some("required"),
        }
    }
}

impl FullDocumentBefore {
    /// The choices and their names.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("off", Self::Off),
        ("when_available", Self::WhenAvailable),
        ("required", Self::Required),
    ];

    fn option(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::WhenAvailable => Some("whenAvailable"),
            Self::Required => Some("required"),
        }
    }
}

impl Images {
    /// Adds what the server has to be asked for to the options of `$changeStream`.
    pub(in crate::source) fn ask(self, options: &mut Document) {
        let all = [
            ("fullDocument", self.after.option()),
            ("fullDocumentBeforeChange", self.before.option()),
        ];
        for (name, value) in all {
            if let Some(value) = value {
                options.insert(name, value);
            }
        }
    }

    /// Those that are asked for; those after an update are not where no updates are.
    pub(in crate::source) fn asked(self, with_updates: bool) -> Self {
        let after = Some(self.after).filter(|_| with_updates);
        Self {
            after: after.unwrap_or(FullDocument::Off),
            ..self
        }
    }

    /// Whether collections have to keep images: where they do not, some or all of them are missing.
    pub(in crate::source) fn need_kept(self) -> bool {
        matches!(
            self.after,
            FullDocument::WhenAvailable | FullDocument::Required
        ) || self.before != FullDocumentBefore::Off
    }

    /// Whether the stream fails where a collection keeps none.
    pub fn are_required(self) -> bool {
        self.after == FullDocument::Required || self.before == FullDocumentBefore::Required
    }
}
