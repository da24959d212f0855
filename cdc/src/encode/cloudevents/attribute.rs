//! The attributes: their names, in JSON and in headers.

use std::fmt;

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

/// The attribute `source`: the one that was chosen, else the database, each byte that a path may not have percent-encoded.
pub(super) struct Source<'a>(pub(super) Option<&'a str>, pub(super) &'a str);

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(chosen, database) = self;
        if let Some(source) = chosen {
            return f.write_str(source);
        }
        f.write_str("/mongodb")?;
        if database.is_empty() {
            return Ok(());
        }
        f.write_str("/")?;
        database.bytes().try_for_each(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                write!(f, "{}", char::from(byte))
            }
            _ => write!(f, "%{byte:02X}"),
        })
    }
}
