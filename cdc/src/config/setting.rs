//! What is known about a setting, and how all of them are read.

use std::borrow::Cow;

use super::{Faults, Given, Origin, kind::Kind, resolve::resolve};

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
    /// The secret setting that is in the file which this one names.
    pub holds: Option<&'static str>,
    pub(super) file: SecretFile,
}

/// What the setting is called that names the file of a secret one.
#[derive(Debug, Clone, Copy)]
pub(super) struct SecretFile {
    pub(super) variable: &'static str,
    pub(super) example: &'static str,
    pub(super) help: &'static str,
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

    /// The value that holds where nothing is set; empty for none.
    pub fn default_value(&self) -> &'static str {
        match self.example {
            None => self.default,
            Some(_) => "",
        }
    }

    /// The setting that names the file which holds this one.
    fn of_file(&self) -> Self {
        Self {
            variable: self.file.variable,
            placeholder: "FILE",
            default: "none",
            example: Some(self.file.example),
            help: self.file.help,
            form: String::new(),
            is_secret: false,
            holds: Some(self.variable),
            ..*self
        }
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
    pub(super) given: Cow<'a, Given>,
    pub(super) faults: Faults,
    pub(super) declared: Vec<Setting>,
}

impl<'a> Input<'a> {
    /// What was given, and what follows from it.
    pub(super) fn new(given: &'a Given) -> Self {
        let (given, faults) = resolve(given);
        Self {
            given,
            faults,
            ..Self::default()
        }
    }

    /// The value that was given, else the default; a bad value is a fault. Surrounding white space is dropped. An empty
    /// value means none, and is a fault where the default is a value.
    pub(super) fn read<T>(&mut self, setting: &Setting, kind: Kind<T>) -> T {
        let default = setting.default_value();
        let given = self.given.get(setting.variable);
        let value = given.map_or_else(
            || (kind.parse)(default),
            |given| parse(&given.text, default, &kind),
        );
        let value = value.unwrap_or_else(|fault| {
            let place = match given.map(|given| &given.origin) {
                Some(Origin::Setting(variable)) => *variable,
                _ => setting.variable,
            };
            self.faults.add(place, fault);
            (kind.parse)(default).expect("a test reads every default")
        });
        self.declared.push(Setting {
            form: kind.form,
            is_secret: kind.is_secret,
            ..*setting
        });
        if kind.is_secret {
            self.declared.push(setting.of_file());
        }
        value
    }
}

fn parse<T>(given: &str, default: &str, kind: &Kind<T>) -> Result<T, String> {
    let text = if kind.is_verbatim {
        given
    } else {
        given.trim()
    };
    if text.is_empty() && !default.is_empty() {
        return Err(format!("empty; leave it out for the default, `{default}`"));
    }
    (kind.parse)(text).map_err(|fault| {
        if kind.is_secret {
            redact(&fault, text)
        } else {
            fault
        }
    })
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
                            holds: None,
                            file: SecretFile {
                                variable: concat!(stringify!($variable), "_FILE"),
                                example: concat!("/run/secrets/", stringify!($variable)),
                                help: concat!("File that holds `", stringify!($variable), "`"),
                            },
                        },
                        $kind,
                    ),)+
                }
            }
        }
    };
}
pub(super) use settings;
