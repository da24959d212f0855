//! `cdc config`: prints the settings as they hold, with where each came from. It asks no server.

use std::io::{self, Write as _};

use cdc::config::{Config, Effective, Faults, Given, Origin, effective};
use serde_json::{Value, json};

use super::{Exit, arguments::Shown};

pub(super) fn run(given: &Given, shown: Shown) -> Result<(), Exit> {
    let settings = effective(given);
    let checked = Config::check(given).map(drop);
    let text = match shown {
        Shown::Text => text(&settings),
        Shown::Json => format!("{:#}\n", json(&settings, checked.as_ref().err())),
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(Exit::failure(format!("write the settings: {error}"), None));
        }
        _ => {}
    }
    checked.map_err(Exit::from)
}

/// A line each, under the titles of their groups.
fn text(settings: &[Effective]) -> String {
    let lines = settings.iter().map(|one| one.line().chars().count());
    // A long value does not push all the others' origins aside.
    let width = lines.filter(|length| *length <= 60).max().unwrap_or(0);
    let groups = settings.chunk_by(|one, next| one.setting.group == next.setting.group);
    let groups = groups.map(|group| {
        let lines = group
            .iter()
            .map(|one| format!("{:width$}  # {}\n", one.line(), one.source()));
        format!(
            "# {}\n{}",
            group[0].setting.group,
            lines.collect::<String>()
        )
    });
    groups.collect::<Vec<_>>().join("\n")
}

fn json(settings: &[Effective], faults: Option<&Faults>) -> Value {
    let settings: Vec<Value> = settings.iter().map(setting).collect();
    let faults = faults.into_iter().flat_map(Faults::iter);
    let faults = faults.map(|(place, fault)| json!({ "setting": place, "fault": fault }));
    json!({ "settings": settings, "faults": faults.collect::<Vec<_>>() })
}

fn setting(one: &Effective) -> Value {
    let mut object = json!({
        "name": one.setting.variable,
        "group": one.setting.group,
        "value": one.value,
        "secret": one.setting.is_secret,
    });
    let (from, more) = match &one.origin {
        None => ("default", Value::Null),
        Some(Origin::Flag) => ("flag", Value::Null),
        Some(Origin::Environment) => ("environment", Value::Null),
        Some(Origin::EnvFile { file, line }) => ("file", json!({ "file": file, "line": line })),
        Some(Origin::Setting(variable)) => ("setting", json!({ "setting": variable })),
    };
    object["from"] = from.into();
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}
