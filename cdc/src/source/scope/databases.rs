//! Which databases are watched: one, several, or all.

use std::{collections::BTreeSet, fmt};

use bson::{Document, doc};

/// Databases that no change stream tells of.
pub const SYSTEM: [&str; 3] = ["admin", "config", "local"];

/// Databases to watch. More than one are watched by a change stream of the whole deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Databases {
    /// The one of that name.
    One(String),
    /// Those of these names, two or more.
    Several(BTreeSet<String>),
    /// Every one, those to come included, but the one of that name: the checkpoint's.
    AllBut(String),
}

impl Databases {
    /// The text that stands for all databases.
    pub const ALL: &str = "*";

    /// The database that the change stream is opened on; the one for a stream of the whole deployment is `admin`.
    pub(in crate::source) fn stream(&self) -> &str {
        match self {
            Self::One(name) => name,
            Self::Several(_) | Self::AllBut(_) => SYSTEM[0],
        }
    }

    /// Whether it is one, by its name in the settings: then names of collections need no database.
    pub fn one(&self) -> Option<&str> {
        match self {
            Self::One(name) => Some(name),
            Self::Several(_) | Self::AllBut(_) => None,
        }
    }

    /// Whether the database `name` is watched.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Several(names) => names.contains(name),
            Self::AllBut(other) => other != name && !SYSTEM.contains(&name),
        }
    }

    /// The condition of a `$match` on the database's name in `field`.
    pub(super) fn condition(&self, field: &str) -> Document {
        match self {
            Self::One(name) => doc! { field: name },
            Self::Several(names) => doc! { field: { "$in": names.iter().collect::<Vec<_>>() } },
            Self::AllBut(other) => doc! { field: { "$ne": other } },
        }
    }
}

/// As a person types it.
impl fmt::Display for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(name) => f.write_str(name),
            Self::Several(names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                f.write_str(&names.join(","))
            }
            Self::AllBut(_) => f.write_str(Self::ALL),
        }
    }
}
