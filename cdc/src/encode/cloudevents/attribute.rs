//! The attributes: their names, in JSON and in headers.

use super::Prefix;

/// An attribute, but `datacontenttype`. Names of extensions are lower-case letters and digits, at most 20.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute {
    SpecVersion,
    Id,
    Source,
    Type,
    Subject,
    Time,
    /// Extensions from here on.
    Database,
    Collection,
    Operation,
    ClusterTime,
    Lsid,
    TxnNumber,
}

/// A name in JSON, and with each prefix.
type Names = [&'static str; 4];

macro_rules! names {
    ($($name:literal),+ $(,)?) => {
        [$([
            $name,
            concat!("cloudEvents:", $name),
            concat!("cloudEvents_", $name),
            concat!("ce-", $name),
        ]),+]
    };
}

/// In the order of [`Attribute`].
const NAMES: [Names; 12] = names!(
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "database",
    "collection",
    "operation",
    "clustertime",
    "lsid",
    "txnnumber",
);

impl Attribute {
    /// All of them, in their order in an event.
    pub(super) const ALL: [Self; 12] = [
        Self::SpecVersion,
        Self::Id,
        Self::Source,
        Self::Type,
        Self::Subject,
        Self::Time,
        Self::Database,
        Self::Collection,
        Self::Operation,
        Self::ClusterTime,
        Self::Lsid,
        Self::TxnNumber,
    ];

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        NAMES[self as usize][0]
    }

    /// The name of the header that has it.
    pub(super) fn header(self, prefix: Prefix) -> &'static str {
        let column = match prefix {
            Prefix::Colon => 1,
            Prefix::Underscore => 2,
            Prefix::Dash => 3,
        };
        NAMES[self as usize][column]
    }
}
