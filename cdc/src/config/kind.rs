//! Kinds of values: what a text has to be, and what is made of it.

use std::{collections::BTreeSet, net::SocketAddr, ops::RangeInclusive, time::Duration};

use bson::DateTime;

use crate::{
    event::Operation,
    share::Share,
    source::{Aggregation, Databases, Operations, SYSTEM_DATABASES},
    start::Start,
};

/// What a value has to be. The texts of faults hold no secret, or only as the whole value or a URI's credentials.
pub(super) struct Kind<T> {
    pub(super) form: String,
    pub(super) is_secret: bool,
    /// Whether white space around a value is part of it.
    pub(super) is_verbatim: bool,
    /// Where a setting has no default, this is asked with an empty text.
    pub(super) parse: Parse<T>,
}

type Parse<T> = Box<dyn Fn(&str) -> Result<T, String>>;

impl<T> Kind<T> {
    pub(super) fn new(
        form: impl Into<String>,
        parse: impl Fn(&str) -> Result<T, String> + 'static,
    ) -> Self {
        Self {
            form: form.into(),
            is_secret: false,
            is_verbatim: false,
            parse: Box::new(parse),
        }
    }

    pub(super) fn secret(self) -> Self {
        Self {
            is_secret: true,
            ..self
        }
    }

    pub(super) fn verbatim(self) -> Self {
        Self {
            is_verbatim: true,
            ..self
        }
    }
}

pub(super) fn text() -> Kind<String> {
    Kind::new("", |text| Ok(text.to_owned()))
}

/// Text of at most so many bytes.
pub(super) fn short(bytes_max: usize) -> Kind<String> {
    Kind::new("", move |text| match text.len() {
        bytes if bytes > bytes_max => {
            Err(format!("{bytes} bytes long, at most {bytes_max} may be"))
        }
        _ => Ok(text.to_owned()),
    })
}

/// A whole number within `range`, which fits into `T`.
pub(super) fn number<T: TryFrom<u64>>(range: RangeInclusive<u64>) -> Kind<T> {
    let form = format!("{} to {}", range.start(), range.end());
    let fault = format!("is not a whole number from {form}");
    Kind::new(form, move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number
            .and_then(|number| number.try_into().ok())
            .ok_or_else(|| format!("`{text}` {fault}"))
    })
}

/// A duration in milliseconds within `range`.
pub(super) fn millis(range: RangeInclusive<u64>) -> Kind<Duration> {
    let Kind { form, parse, .. } = number(range);
    Kind::new(format!("{form} ms"), move |text| {
        parse(text).map(Duration::from_millis)
    })
}

/// One of `choices`.
pub(super) fn choice<T: Copy>(choices: &'static [(&'static str, T)]) -> Kind<T> {
    let names = || choices.iter().map(|(name, _)| *name);
    Kind::new(joined(names()), move |text| {
        let known = choices.iter().find(|(name, _)| *name == text);
        let value = known.map(|(_, value)| *value);
        value.ok_or_else(|| not_one_of(text, names()))
    })
}

/// None where nothing is set.
pub(super) fn optional<T: 'static>(kind: Kind<T>) -> Kind<Option<T>> {
    let Kind { form, parse, .. } = kind;
    Kind::new(form, move |text| match text {
        "" => Ok(None),
        _ => parse(text).map(Some),
    })
}

/// Parts between commas, without white space and repetitions, in alphabetical order; none where nothing is set.
pub(super) fn list() -> Kind<BTreeSet<String>> {
    Kind::new("", |text| {
        let all: BTreeSet<String> = parts(text).map(str::to_owned).collect();
        if all.is_empty() && !text.is_empty() {
            return Err("names nothing".to_owned());
        }
        Ok(all)
    })
}

/// Parts between commas, without white space, in their order; none where nothing is set.
pub(super) fn sequence() -> Kind<Vec<String>> {
    Kind::new("", |text| {
        let all = text.split(',').map(str::trim);
        let all: Vec<String> = all
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        if all.is_empty() && !text.is_empty() {
            return Err("names nothing".to_owned());
        }
        Ok(all)
    })
}

pub(super) fn operations() -> Kind<Operations> {
    let names = || {
        let names = Operation::ALL.iter().map(Operation::as_str);
        names.chain(std::iter::once(Operations::ALL))
    };
    Kind::new(joined(names()), move |text| {
        if parts(text).any(|name| name == Operations::ALL) {
            return Ok(Operations::All);
        }
        let parse = |name: &str| match name.parse() {
            Ok(Operation::Read) => Err(format!(
                "`{name}` is no operation of a change stream: a snapshot reads documents whatever is listed here; leave it out"
            )),
            known => known.map_err(|_| not_one_of(name, names())),
        };
        let operations: Vec<Operation> = parts(text).map(parse).collect::<Result<_, _>>()?;
        match operations[..] {
            [] => Err("names no operation".to_owned()),
            _ => Ok(Operations::Some(operations)),
        }
    })
}

pub(super) fn aggregation() -> Kind<Aggregation> {
    Kind::new("", |text| match text {
        "" => Ok(Aggregation::default()),
        _ => Aggregation::parse(text),
    })
}

/// Names of databases, or `*` alone.
pub(super) fn databases() -> Kind<BTreeSet<String>> {
    Kind::new("", |text| {
        let names: BTreeSet<&str> = parts(text).collect();
        if names.contains(Databases::ALL) && names.len() > 1 {
            return Err("`*` is every database, and stands alone".to_owned());
        }
        let name = |name: &str| match name {
            Databases::ALL => Ok(name.to_owned()),
            _ => (database().parse)(name),
        };
        if names.is_empty() {
            return Err("names no database".to_owned());
        }
        names.into_iter().map(name).collect()
    })
}

/// A database's name, within the server's limits.
/// <https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions>
pub(super) fn database() -> Kind<String> {
    Kind::new("", |name| {
        if name.len() > 63 || name.contains(['/', '\\', '.', ' ', '"', '$', '\0', '*', '?']) {
            return Err(format!(
                "`{name}` is not a database name: at most 63 bytes, none of / \\ . \" $ * ? or space"
            ));
        }
        if SYSTEM_DATABASES.contains(&name) {
            return Err(format!("`{name}` is a system database"));
        }
        Ok(name.to_owned())
    })
}

/// An address and a port, or `off`.
pub(super) fn address() -> Kind<Option<SocketAddr>> {
    Kind::new("", |text| match text {
        "off" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| {
            format!("`{text}` is not an address and a port such as 127.0.0.1:9464, nor `off`")
        }),
    })
}

/// A share of the documents; none for all of them.
pub(super) fn share() -> Kind<Option<Share>> {
    Kind::new("", |text| match text {
        "" => Ok(None),
        _ => Share::parse(text),
    })
}

/// Where to begin.
pub(super) fn start() -> Kind<Start> {
    Kind::new("", |text| match text {
        "now" => Ok(Start::Now),
        "earliest" => Ok(Start::Earliest),
        _ => time(text)
            .map(Start::Time)
            .map_err(|fault| format!("{fault}, nor `now` or `earliest`")),
    })
}

/// A moment by RFC 3339.
pub(super) fn time(text: &str) -> Result<DateTime, String> {
    DateTime::parse_rfc3339_str(text)
        .map_err(|_| format!("`{text}` is not a time such as 2026-11-28T12:00:00Z"))
}

pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(',').map(str::trim);
    let parts: BTreeSet<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.into_iter()
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn not_one_of<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> String {
    format!("`{text}` is not one of {}", joined(names))
}
