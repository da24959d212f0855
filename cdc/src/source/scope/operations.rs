//! Which operations are handed over.

use crate::event::Operation;

/// Operations that a change stream leaves out unless it is asked for them, from MongoDB 6.0 on.
/// <https://www.mongodb.com/docs/manual/reference/change-events/#expanded-events>
const EXPANDED: [Operation; 7] = [
    Operation::Create,
    Operation::CreateIndexes,
    Operation::DropIndexes,
    Operation::Modify,
    Operation::ShardCollection,
    Operation::RefineCollectionShardKey,
    Operation::ReshardCollection,
];

/// Operations to hand over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operations {
    /// Every one, those included that this version does not know.
    All,
    /// These.
    Some(Vec<Operation>),
}

impl Operations {
    /// The text that stands for every operation.
    pub const ALL: &str = "all";

    /// Whether `operation` is handed over.
    pub fn contains(&self, operation: &Operation) -> bool {
        match self {
            Self::All => true,
            Self::Some(operations) => operations.contains(operation),
        }
    }

    /// Whether the change stream has to be asked for more than it tells by itself.
    pub(in crate::source) fn are_expanded(&self) -> bool {
        EXPANDED.iter().any(|operation| self.contains(operation))
    }

    /// The servers' names of the operations, or `all`.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::All => vec![Self::ALL],
            Self::Some(operations) => operations.iter().map(Operation::as_str).collect(),
        }
    }
}
