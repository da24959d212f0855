//! Collects every fault of a configuration, so that a person mends all of them in one go.

use std::{fmt, ops::RangeInclusive, time::Duration};

/// All that is wrong with a configuration, a line each.
#[derive(Debug, Default)]
pub struct Faults(Vec<String>);

impl Faults {
    /// Adds a fault of `variable`. The text must not hold a secret's value.
    pub fn add(&mut self, variable: &str, text: impl fmt::Display) {
        self.0.push(format!("{variable}: {text}"));
    }

    /// Whether anything is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A value, or its default; surrounding white space is dropped and an empty value counts as unset.
    pub fn text(value: Option<&str>, default: &str) -> String {
        set(value).unwrap_or(default).to_owned()
    }

    /// A whole number within `range`.
    pub fn number(
        &mut self,
        variable: &str,
        value: Option<&str>,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> u64 {
        let Some(text) = set(value) else {
            return default;
        };
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                self.add(
                    variable,
                    format_args!(
                        "`{text}` is not a whole number from {} to {}",
                        range.start(),
                        range.end()
                    ),
                );
                default
            }
        }
    }

    /// A duration in milliseconds within `range`.
    pub fn millis(
        &mut self,
        variable: &str,
        value: Option<&str>,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_millis(self.number(variable, value, default, range))
    }

    /// One of `choices`, of which the first is the default.
    pub fn choice<T: Copy>(
        &mut self,
        variable: &str,
        value: Option<&str>,
        choices: &[(&str, T)],
    ) -> T {
        let Some(text) = set(value) else {
            return choices[0].1;
        };
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
            return *choice;
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.add(
            variable,
            format_args!("`{text}` is not one of {}", names.join(", ")),
        );
        choices[0].1
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            write!(f, "{}  {fault}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// The value without surrounding white space, if anything is left.
pub(super) fn set(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|text| !text.is_empty())
}
