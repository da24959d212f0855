//! What is known about a setting, and how all of them are read.

use std::collections::BTreeMap;

use super::{Faults, kind::Kind};

/// Values as they were typed, by variable.
pub type Given = BTreeMap<&'static str, String>;

/// One setting: a flag, an environment variable and a line of `.env`.
#[derive(Debug)]
pub struct Setting {
    /// Title of its group.
    pub group: &'static str,
    /// Environment variable.
    pub variable: &'static str,
    /// What stands for a value in the help.
    pub placeholder: &'static str,
    /// What holds where nothing is set: a value, or words for there being none.
    pub default: &'static str,
    /// A value, where the default is none.
    pub example: Option<&'static str>,
    /// A sentence without a full stop, then an empty line and more, if there is more to say.
    pub(super) help: &'static str,
    /// What a value may be; empty where the help says it.
    pub(super) form: String,
    /// Whether no value of it is ever shown.
    pub is_secret: bool,
}

impl Setting {
    /// The flag, without its dashes.
    pub fn flag(&self) -> String {
        let prefixes = ["CDC_", "RUST_"];
        let name = prefixes
            .iter()
            .find_map(|prefix| self.variable.strip_prefix(prefix));
        name.unwrap_or(self.variable)
            .to_ascii_lowercase()
            .replace('_', "-")
    }

    /// What it is for and what a value may be, and then more, if there is more to say. Markdown.
    pub fn help(&self) -> Vec<String> {
        let mut paragraphs = self.help.split("\n\n");
        let first = paragraphs.next().map(|text| match self.form.as_str() {
            "" => text.to_owned(),
            form => format!("{} ({form})", text.trim_end()),
        });
        let all = first.into_iter().chain(paragraphs.map(str::to_owned));
        all.map(|text| text.replace('\n', "").trim().to_owned())
            .collect()
    }
}

/// Reads settings and collects what is wrong with them, and their declarations on the way.
#[derive(Debug, Default)]
pub(super) struct Input<'a> {
    given: Option<&'a Given>,
    pub(super) faults: Faults,
    pub(super) declared: Vec<Setting>,
}

impl<'a> Input<'a> {
    pub(super) fn new(given: &'a Given) -> Self {
        Self {
            given: Some(given),
            ..Self::default()
        }
    }

    /// The value that was given, else the default; a bad value is a fault. Surrounding white space is dropped, and an
    /// empty value counts as unset.
    pub(super) fn read<T>(&mut self, setting: &Setting, kind: Kind<T>) -> T {
        let default = match setting.example {
            None => setting.default,
            Some(_) => "",
        };
        let given = self.given.and_then(|given| given.get(setting.variable));
        let given = given.map(|text| if kind.is_verbatim { text } else { text.trim() });
        let value = match given.filter(|text| !text.is_empty()) {
            Some(text) => (kind.parse)(text).map_err(|fault| {
                if kind.is_secret {
                    redact(&fault, text)
                } else {
                    fault
                }
            }),
            None => (kind.parse)(default),
        };
        let value = value.unwrap_or_else(|fault| {
            self.faults.add(setting.variable, fault);
            (kind.parse)(default).expect("a test reads every default")
        });
        self.declared.push(Setting {
            form: kind.form,
            is_secret: kind.is_secret,
            ..*setting
        });
        value
    }
}

/// `text` without `secret`, which may be a URI, and without the credentials of that.
fn redact(text: &str, secret: &str) -> String {
    let rest = secret.split_once("://").map_or(secret, |(_, rest)| rest);
    let credentials = rest
        .rsplit_once('@')
        .map_or("", |(credentials, _)| credentials);
    [rest, credentials]
        .into_iter()
        .chain(credentials.split(':'))
        .filter(|part| part.len() > 2)
        .fold(text.to_owned(), |text, part| text.replace(part, "(hidden)"))
}

/// Declares a group of settings: a struct of checked values, and `read`, which makes it. Each setting is
///
/// ```text
/// /// Help, a sentence without a full stop; it is also the field's documentation
/// ///
/// /// More, if there is more to say.
/// field: Type = VARIABLE(PLACEHOLDER, "default", kind),
/// field: Type = VARIABLE(PLACEHOLDER, "what it means that nothing is set" / "example", kind),
/// ```
macro_rules! settings {
    ($title:literal $group:ident { $(
        $(#[doc = $help:literal])+
        $field:ident: $type:ty = $variable:ident($placeholder:ident, $default:literal $(/ $example:literal)?, $kind:expr),
    )+ }) => {
        pub(super) struct $group {
            $($(#[doc = $help])+ pub(super) $field: $type,)+
        }

        impl $group {
            pub(super) fn read(input: &mut Input<'_>) -> Self {
                Self {
                    $($field: input.read(
                        &Setting {
                            group: $title,
                            variable: stringify!($variable),
                            placeholder: stringify!($placeholder),
                            default: $default,
                            example: [$($example)?].first().copied(),
                            help: concat!($($help, "\n"),+),
                            form: String::new(),
                            is_secret: false,
                        },
                        $kind,
                    ),)+
                }
            }
        }
    };
}
pub(super) use settings;
