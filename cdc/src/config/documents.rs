//! `.env.example` and `docs/configuration.md`, made from the declarations.

use std::fmt::Write as _;

use super::{
    Setting,
    settings::{TOOLKIT, run_settings},
};

const EXAMPLE_HEAD: &str = "\
# Settings of the engine. Copy to .env, and remove the # where you need another value.
# A flag wins over the environment, and the environment wins over this file; `cdc config` shows what holds.
# Units are in the names: _MS is milliseconds, _SECONDS seconds, _BYTES bytes.
# A value with a $, a space or a # goes into single quotes.
";

const REFERENCE_HEAD: &str = "\
# Configuration

This page is made from the declarations in `cdc/src/config/settings.rs`, as `.env.example` is; do not edit it.

Each setting is a flag, an environment variable and a line of `.env` in the current folder, in this order of precedence.
`--env-file FILE` names another file than `.env`; that one must be there.
`cdc config` prints each setting with its value and where that came from, with `--json` as one JSON object.
Units are in the names: `_MS` is milliseconds, `_SECONDS` seconds, `_BYTES` bytes.
`cdc --help` lists the settings of the engine, `cdc tail --help` those of `cdc tail`.

cdc checks everything before it asks a server, names every fault at once, and ends with exit code 64.
It never shows the value of a setting that is secret.

A secret can be in a file that its variable with `_FILE` at the end names, as secrets of Docker and Kubernetes are; a line break at the end of the file is not part of it.
The secret is given by itself or in a file, not both.

An empty value means none where the default is no value, as with `CDC_COLLECTIONS=` or `RABBITMQ_EXCHANGE=`.
Where the default is a value, an empty one is a fault: it is mostly a variable that somebody forgot to set.
In docker compose, `${NAME:-}` gives such an empty value; under `environment:`, the bare `NAME` passes a variable on only where it is set.

In `.env`, a line is `NAME=value`; `export` before it does no harm.
A value with a `$`, a space or a `#` goes into single quotes, which keep everything as it is.
Outside of them `${NAME}` stands for another variable, which must be set; a `$` that stands for nothing is a fault.
A name that is not a setting and a name that is there twice are faults too, told with the line.
In the environment, where other programs have their variables, a name that looks like a mistyped setting is warned of.
";

/// The text of `.env.example`: every setting with its default, or an example of a value.
pub fn env_example() -> String {
    let mut text = EXAMPLE_HEAD.to_owned();
    for group in groups(&run_settings()) {
        title(&mut text, group[0].group);
        for setting in group {
            let mut help = setting.help();
            if setting.example.is_some() {
                help.push(format!("Unset: {}", setting.default));
            }
            let value = setting.example.unwrap_or(setting.default);
            line(&mut text, &help.join("\n# "), setting.variable, value);
        }
    }
    title(
        &mut text,
        "Local servers (cargo xtask, docker-compose.yaml)",
    );
    for (variable, value, meaning) in TOOLKIT {
        line(&mut text, meaning, variable, value);
    }
    text
}

fn title(text: &mut String, title: &str) {
    let _ = write!(text, "\n# --- {title} ---\n\n");
}

fn line(text: &mut String, comment: &str, variable: &str, value: &str) {
    let value = if value.contains([' ', '"', '#']) {
        format!("'{value}'")
    } else {
        value.to_owned()
    };
    let _ = writeln!(text, "# {comment}\n#{variable}={value}");
}

/// The text of `docs/configuration.md`.
pub fn reference() -> String {
    let mut text = REFERENCE_HEAD.to_owned();
    for group in groups(&run_settings()) {
        let _ = write!(text, "\n## {}\n\n", group[0].group);
        text += "| variable | flag | default | meaning |\n|---|---|---|---|\n";
        for setting in group {
            text += &row(setting);
        }
    }
    text += "\n## Local servers\n\nThe toolkit and docker compose read these from the environment and from `.env`.\n\n";
    text += "| variable | default or example | meaning |\n|---|---|---|\n";
    for (variable, value, meaning) in TOOLKIT {
        let _ = writeln!(text, "| `{variable}` | `{value}` | {meaning} |");
    }
    text
}

fn row(setting: &Setting) -> String {
    let default = match setting.example {
        None => format!("`{}`", setting.default),
        Some(_) => setting.default.to_owned(),
    };
    let secret = if setting.is_secret { "; secret" } else { "" };
    format!(
        "| `{}` | `--{}` | {default} | {}{secret} |\n",
        setting.variable,
        setting.flag(),
        setting.help().join(". "),
    )
}

/// Settings of one group stand together.
fn groups(settings: &[Setting]) -> impl Iterator<Item = &[Setting]> {
    settings.chunk_by(|one, next| one.group == next.group)
}

#[cfg(test)]
mod tests {
    use super::super::{Given, Origin, Value, setting::Input, settings::Settings};
    use super::*;

    #[test]
    fn every_default_and_every_example_is_a_value_that_is_taken() {
        let settings = run_settings().into_iter();
        // There is no such file.
        let settings = settings.filter(|setting| setting.holds.is_none());
        let given = settings.map(|setting| {
            let text = setting.example.unwrap_or(setting.default).to_owned();
            let origin = Origin::EnvFile {
                file: ".env".to_owned(),
                line: 1,
            };
            (setting.variable, Value { text, origin })
        });
        for given in [Given::new(), given.collect()] {
            let mut input = Input::new(&given);
            Settings::read(&mut input);
            assert!(input.faults.or(()).is_ok());
        }
    }
}
