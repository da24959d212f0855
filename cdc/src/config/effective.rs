//! The settings as they hold, with where each came from.

use std::borrow::Cow;

use super::{Given, Origin, Setting, resolve::resolve, settings::run_settings};

/// A setting and what holds.
#[derive(Debug)]
pub struct Effective {
    /// What is known about it.
    pub setting: Setting,
    /// Its value as it was typed, else its default; nothing where it is secret.
    pub value: Option<String>,
    /// Where the value came from; nothing for the default.
    pub origin: Option<Origin>,
}

/// The settings of `cdc run`, checked or not, in their order. Names of secrets' files are left out where there is none.
pub fn effective(given: &Given) -> Vec<Effective> {
    let (given, _) = resolve(given);
    let all = run_settings().into_iter().map(|setting| {
        let typed = given.get(setting.variable);
        let value = typed.map_or(setting.default_value(), |typed| typed.text.trim());
        Effective {
            // What nobody set is no secret, nor is that there is none.
            value: (!setting.is_secret || value.is_empty()).then(|| value.to_owned()),
            origin: typed.map(|typed| typed.origin.clone()),
            setting,
        }
    });
    all.filter(|one| one.setting.holds.is_none() || one.origin.is_some())
        .collect()
}

impl Effective {
    /// `NAME=value`, as a line of `.env` would have it; a secret is `(hidden)`.
    pub fn line(&self) -> String {
        let value = self.value.as_deref().unwrap_or("(hidden)");
        format!("{}={}", self.setting.variable, quoted(value))
    }

    /// Where the value came from, in words.
    pub fn source(&self) -> String {
        match (&self.origin, self.setting.example) {
            (Some(origin), _) => origin.to_string(),
            (None, None) => "default".to_owned(),
            (None, Some(_)) => format!("default: {}", self.setting.default),
        }
    }
}

/// `value` in single quotes where `.env` needs them.
fn quoted(value: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| !letter.is_whitespace() && !"$#'\"\\".contains(letter);
    if value.chars().all(is_plain) || value.contains('\'') {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(format!("'{value}'"))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Value, *};

    fn lines(values: &[(&'static str, &str, Origin)]) -> Vec<String> {
        let typed = values.iter().cloned().map(|(variable, text, origin)| {
            let text = text.to_owned();
            (variable, Value { text, origin })
        });
        let all = effective(&typed.collect());
        let lines = all
            .iter()
            .map(|one| format!("{} # {}", one.line(), one.source()));
        lines.collect()
    }

    #[test]
    fn each_setting_is_told_with_its_value_and_its_origin() {
        let file = |line| Origin::EnvFile {
            file: "shop.env".to_owned(),
            line,
        };
        let lines = lines(&[
            (
                "MONGO_DATABASE_HOST",
                "mongodb://ada:hunter2@host/shop",
                file(2),
            ),
            ("CDC_COLLECTIONS", " a,b ", Origin::Flag),
            ("CDC_PIPELINE", "two words", Origin::Environment),
            ("CDC_WINDOW_EVENTS", "many", file(4)),
        ]);
        for line in [
            "MONGO_DATABASE_HOST=(hidden) # shop.env line 2",
            "MONGO_DATABASE_NAME=shop # MONGO_DATABASE_HOST",
            "CDC_COLLECTIONS=a,b # flag",
            "RABBITMQ_URI= # default: made of the settings above",
            "CDC_PIPELINE='two words' # environment",
            "CDC_WINDOW_EVENTS=many # shop.env line 4",
            "CDC_WINDOW_BYTES=4194304 # default",
            "RABBITMQ_EXCHANGE= # default: the default exchange",
        ] {
            assert!(
                lines.iter().any(|known| known == line),
                "no `{line}` in {lines:#?}"
            );
        }
        assert!(!lines.concat().contains("PASSWORD_FILE"), "{lines:#?}");
        assert!(!lines.concat().contains("hunter2"), "{lines:#?}");
    }

    #[test]
    fn a_secret_from_a_file_names_the_setting_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("uri");
        std::fs::write(&path, "amqp://ada:hunter2@host\n").unwrap();
        let path = path.to_str().unwrap();
        let lines = lines(&[("RABBITMQ_URI_FILE", path, Origin::Environment)]);
        let file = format!("RABBITMQ_URI_FILE={path} # environment");
        for line in ["RABBITMQ_URI=(hidden) # RABBITMQ_URI_FILE", &file] {
            assert!(
                lines.iter().any(|known| known == line),
                "no `{line}` in {lines:#?}"
            );
        }
        assert!(!lines.concat().contains("hunter2"), "{lines:#?}");
    }
}
