//! An error that says what to do about it.

use std::fmt;

/// The message of a failure together with its mend, attached to an error as its context.
#[derive(Debug)]
pub struct Hinted {
    message: String,
    hint: String,
}

impl Hinted {
    /// Says `message`, and `hint` on a line of its own.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// What `main` prints for `error`: the chain of causes, then the hint if one is known.
pub fn render(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Hinted>() {
        Some(hinted) => format!("error: {error:#}\n\nhint: {}", hinted.hint),
        None => format!("error: {error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_is_found_under_later_context() {
        let error = anyhow::anyhow!("connection refused")
            .context(Hinted::new("mongodb does not answer", "start it"))
            .context("check the servers");
        assert_eq!(
            render(&error),
            "error: check the servers: mongodb does not answer: connection refused\n\nhint: start it"
        );
    }
}
