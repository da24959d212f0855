//! Which log lines are written, and how.

use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing_subscriber::EnvFilter;

use super::{Given, kind::Kind, setting::Input, settings::Engine};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One line for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Which log lines are written, and how.
#[derive(Debug)]
pub struct LogConfig {
    /// How they look.
    pub format: LogFormat,
    /// Which are written.
    pub filter: LogFilter,
}

/// Which log lines are written.
#[derive(Debug)]
pub struct LogFilter {
    /// As `tracing_subscriber::EnvFilter` reads it; it asks for nothing that this build leaves out.
    pub text: String,
    /// Whether the filter that was set asks for more.
    pub is_lowered: bool,
}

impl LogFormat {
    /// The forms and their names.
    pub const NAMES: [(&'static str, Self); 2] = [("text", Self::Text), ("json", Self::Json)];

    /// The one that was given, where everything else may be wrong.
    pub fn of(given: &Given) -> Self {
        Engine::read(&mut Input::new(given)).log_format
    }
}

pub(super) fn filter() -> Kind<LogFilter> {
    Kind::new("", |given| {
        let text = if STATIC_MAX_LEVEL < LevelFilter::TRACE {
            without_trace(given)
        } else {
            given.to_owned()
        };
        match EnvFilter::builder().parse(&text) {
            Ok(_) => Ok(LogFilter {
                is_lowered: text != given,
                text,
            }),
            Err(error) => Err(format!(
                "`{given}` is not a log filter such as info or cdc=debug ({error})"
            )),
        }
    })
}

/// `filter` with `debug` wherever it asks for `trace`, of which the library would complain in its own way. A directive
/// without a level asks for it too.
fn without_trace(filter: &str) -> String {
    let lowered = filter.split(',').map(|directive| {
        let (target, level) = match directive.rsplit_once('=') {
            Some((target, level)) => (Some(target), level),
            None => (None, directive),
        };
        match (target, level.trim().parse()) {
            (Some(target), Ok(LevelFilter::TRACE)) => format!("{target}=debug"),
            (None, Ok(LevelFilter::TRACE)) => "debug".to_owned(),
            (None, Err(_)) => format!("{directive}=debug"),
            _ => directive.to_owned(),
        }
    });
    lowered.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_asks_for_no_trace() {
        for (filter, lowered) in [
            ("trace", "debug"),
            ("info,cdc=TRACE", "info,cdc=debug"),
            ("cdc=5,5", "cdc=debug,debug"),
            ("cdc", "cdc=debug"),
            ("info,mongodb", "info,mongodb=debug"),
            ("cdc[span]=trace", "cdc[span]=debug"),
        ] {
            assert_eq!(without_trace(filter), lowered);
            let parsed: EnvFilter = without_trace(filter).parse().unwrap();
            assert_eq!(parsed.max_level_hint(), Some(LevelFilter::DEBUG));
        }
    }

    #[test]
    fn any_other_filter_stays_as_it_is() {
        for filter in ["info", "Debug", "warn,cdc=debug", "off", "3", "", "cdc=off"] {
            assert_eq!(without_trace(filter), filter);
        }
    }
}
