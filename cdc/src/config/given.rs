//! What was given: values as they were typed, and where each came from.

use std::{collections::BTreeMap, fmt};

/// Values by variable.
pub type Given = BTreeMap<&'static str, Value>;

/// A value as it was typed.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    /// Its text, which may be a secret.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// The environment that the process was started with.
    Environment,
    /// A line of `.env`, or of the file that was named instead.
    EnvFile {
        /// The file, as it was named.
        file: String,
        /// Number of the line, from 1.
        line: usize,
    },
    /// Another setting, of this variable.
    Setting(&'static str),
}

impl Value {
    /// A value that stands on the command line, or follows from it.
    pub fn from_flag(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            origin: Origin::Flag,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(hidden) from {}", self.origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment => f.write_str("environment"),
            Self::EnvFile { file, line } => write!(f, "{file} line {line}"),
            Self::Setting(variable) => f.write_str(variable),
        }
    }
}
