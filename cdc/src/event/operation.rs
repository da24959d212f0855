//! What happened.

use std::{fmt, str::FromStr, sync::Arc};

/// What happened. The names are the server's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A document was inserted.
    Insert,
    /// A document was changed in part.
    Update,
    /// A document was replaced as a whole.
    Replace,
    /// A document was deleted.
    Delete,
    /// A collection or a view was created.
    Create,
    /// A collection was dropped.
    Drop,
    /// A collection was renamed.
    Rename,
    /// The database was dropped.
    DropDatabase,
    /// Indexes were created.
    CreateIndexes,
    /// Indexes were dropped.
    DropIndexes,
    /// Options of a collection or of an index were changed.
    Modify,
    /// A collection was sharded.
    ShardCollection,
    /// The shard key of a collection was extended.
    RefineCollectionShardKey,
    /// The shard key of a collection was changed.
    ReshardCollection,
    /// The stream ended because what it watched is gone.
    Invalidate,
    /// A snapshot read a document, to which nothing happened. [`ChangeEvent::snapshot`](super::ChangeEvent::snapshot) tells of
    /// the snapshot.
    Read,
    /// One that this version does not know, by the server's name.
    Other(Arc<str>),
}

impl Operation {
    /// Every operation of a change stream that has a name of its own here, in the order in which messages list them.
    #[doc(hidden)]
    pub const ALL: [Self; 15] = [
        Self::Insert,
        Self::Update,
        Self::Replace,
        Self::Delete,
        Self::Create,
        Self::Drop,
        Self::Rename,
        Self::DropDatabase,
        Self::CreateIndexes,
        Self::DropIndexes,
        Self::Modify,
        Self::ShardCollection,
        Self::RefineCollectionShardKey,
        Self::ReshardCollection,
        Self::Invalidate,
    ];

    /// The operation of that name.
    pub fn named(name: &str) -> Self {
        let known = name.parse();
        known.unwrap_or_else(|UnknownOperation| Self::Other(name.into()))
    }

    /// The server's name of the operation.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Create => "create",
            Self::Drop => "drop",
            Self::Rename => "rename",
            Self::DropDatabase => "dropDatabase",
            Self::CreateIndexes => "createIndexes",
            Self::DropIndexes => "dropIndexes",
            Self::Modify => "modify",
            Self::ShardCollection => "shardCollection",
            Self::RefineCollectionShardKey => "refineCollectionShardKey",
            Self::ReshardCollection => "reshardCollection",
            Self::Invalidate => "invalidate",
            Self::Read => "read",
            Self::Other(name) => name,
        }
    }
}

/// A text that names no operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownOperation;

impl FromStr for Operation {
    type Err = UnknownOperation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .chain([Self::Read])
            .find(|operation| operation.as_str() == text)
            .ok_or(UnknownOperation)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_the_servers_names() {
        for operation in Operation::ALL {
            assert_eq!(operation.as_str().parse(), Ok(operation));
        }
        assert_eq!("Insert".parse::<Operation>(), Err(UnknownOperation));
        let other = Operation::named("startIndexBuild");
        assert_eq!(other, Operation::Other("startIndexBuild".into()));
        assert_eq!(other.as_str(), "startIndexBuild");
    }
}
