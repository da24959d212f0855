//! Collects every fault of a configuration, so that a person mends all of them in one go.

use std::fmt;

/// All that is wrong with a configuration, a line each.
#[derive(Debug, Default)]
pub struct Faults(Vec<(String, String)>);

impl Faults {
    /// Adds a fault of a variable, a flag or a line of a file. The text must not hold a secret's value.
    #[doc(hidden)]
    pub fn add(&mut self, place: impl Into<String>, text: impl fmt::Display) {
        self.0.push((place.into(), text.to_string()));
    }

    /// Each place and what is wrong there.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter();
        all.map(|(place, text)| (place.as_str(), text.as_str()))
    }

    /// Takes back what was said of `places`.
    pub(super) fn forget(&mut self, places: &[&str]) {
        self.0
            .retain(|(place, _)| !places.contains(&place.as_str()));
    }

    /// `value` if nothing is wrong.
    ///
    /// # Errors
    /// These faults.
    #[doc(hidden)]
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (place, text)) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}  {place}: {text}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
