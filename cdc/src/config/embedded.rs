//! Settings as a program gives them that runs the engine in its own process.

use std::env;

use super::{Config, Faults, Given, Origin, given::Value, settings::run_settings, unknown};

/// Settings of the binary's alone: the log is the program's.
const FOREIGN: [&str; 2] = ["CDC_LOG_FORMAT", "RUST_LOG"];
const FORMAT: &str = "CDC_FORMAT";
const ADMIN: (&str, &str) = ("CDC_ADMIN_ADDR", "off");

/// What was given so far, and what is wrong with the names.
#[derive(Debug, Default)]
pub struct Embedded {
    given: Given,
    faults: Faults,
}

impl Embedded {
    /// Gives the setting of this variable a value, in the place of any that it has.
    pub fn set(&mut self, name: &str, value: String) {
        match variable(name) {
            Some(variable) => {
                self.given.insert(variable, Value::from_flag(value));
            }
            None => self.faults.add(name, fault(name)),
        }
    }

    /// Reads the environment for all settings that have no value yet.
    pub fn read_environment(&mut self) {
        for variable in variables() {
            let Some(value) = env::var_os(variable) else {
                continue;
            };
            if self.given.contains_key(variable) {
                continue;
            }
            let Ok(text) = value.into_string() else {
                self.faults.add(variable, "the value is not UTF-8");
                continue;
            };
            let origin = Origin::Environment;
            self.given.insert(variable, Value { text, origin });
        }
    }

    /// Something other than a setting is wrong.
    pub fn fault(&mut self, place: &str, text: impl std::fmt::Display) {
        self.faults.add(place, text);
    }

    /// The configuration. Nothing listens on a port unless a setting says so. With an encoder there is no format.
    ///
    /// # Errors
    /// All faults together.
    pub fn check(mut self, has_encoder: bool) -> Result<Config, Faults> {
        if has_encoder && self.given.remove(FORMAT).is_some() {
            let fault = "the program has an encoder of its own, which makes the bodies; take one of them away";
            self.faults.add(FORMAT, fault);
        }
        let (admin, off) = ADMIN;
        self.given
            .entry(admin)
            .or_insert_with(|| Value::from_flag(off));
        match Config::check(&self.given) {
            Ok((config, _)) => self.faults.or(config),
            Err(more) => {
                for (place, text) in more.iter() {
                    self.faults.add(place, text);
                }
                Err(self.faults)
            }
        }
    }
}

fn variables() -> impl Iterator<Item = &'static str> {
    let all = run_settings().into_iter().map(|setting| setting.variable);
    // The settings that name a secret's file are declared beside it.
    all.filter(|variable| !FOREIGN.contains(variable))
}

fn variable(name: &str) -> Option<&'static str> {
    variables().find(|variable| *variable == name)
}

/// Why `name` is no setting here.
fn fault(name: &str) -> String {
    if FOREIGN.contains(&name) {
        return "it has no meaning here: the log is that of the program's tracing subscriber"
            .to_owned();
    }
    unknown(name).unwrap_or_else(|| format!("{name} is not a setting of the engine"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(has_encoder: bool, settings: &[(&str, &str)]) -> String {
        let mut embedded = Embedded::default();
        for (name, value) in settings {
            embedded.set(name, (*value).to_owned());
        }
        let checked = embedded.check(has_encoder);
        checked.map_or_else(|faults| faults.to_string(), |_| String::new())
    }

    #[test]
    fn nothing_has_to_be_set_and_nothing_listens() {
        let config = Embedded::default().check(false).unwrap();
        assert_eq!(config.admin.address, None);
        let mut embedded = Embedded::default();
        embedded.set("CDC_ADMIN_ADDR", "127.0.0.1:0".to_owned());
        assert!(embedded.check(true).unwrap().admin.address.is_some());
    }

    #[test]
    fn every_fault_of_names_and_values_is_told_at_once() {
        let text = faults(
            true,
            &[
                ("CDC_COLLECTION", "games"),
                ("CDC_BACKEND", "auto"),
                ("RUST_LOG", "debug"),
                ("CDC_WINDOW_EVENTS", "many"),
                ("CDC_FORMAT", "event"),
            ],
        );
        for part in [
            "CDC_COLLECTION: CDC_COLLECTION is not a setting; did you mean CDC_COLLECTIONS?",
            "CDC_BACKEND: CDC_BACKEND is not a setting of the engine",
            "RUST_LOG: it has no meaning here",
            "CDC_WINDOW_EVENTS: ",
            "CDC_FORMAT: the program has an encoder",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert_eq!(text.lines().count(), 5, "{text}");
    }

    #[test]
    fn a_later_value_wins_and_a_format_is_fine_without_an_encoder() {
        let settings = [("CDC_FORMAT", "nonsense"), ("CDC_FORMAT", "event")];
        assert_eq!(faults(false, &settings), "");
    }
}
