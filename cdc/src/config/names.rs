//! Which names are settings, and which was meant by one that is none.

use super::settings::{TOOLKIT, run_settings};

/// Beginnings of names that other readers of `.env` and of the environment use: tests, docker compose, libraries.
const FOREIGN: [&str; 9] = [
    "CDC_TEST_",
    "CDC_BENCH_",
    "CDC_CHAOS_",
    "COMPOSE_",
    "DOCKER_",
    "NO_COLOR",
    "RUST_BACKTRACE",
    "SSL_CERT_",
    "TZ",
];
/// Most edits that lead from one name to another that may have been meant.
const FAR: usize = 4;
/// Most edits that are a slip of the hand.
const NEAR: usize = 2;

/// Why `name` has no place in `.env`; nothing if it has one.
pub fn unknown(name: &str) -> Option<String> {
    let (known, edits) = nearest(name)?;
    let advice = advice(known, edits);
    Some(format!("{name} is not a setting{advice}"))
}

/// What to say of `name` in the environment; nothing if it is a setting or looks like another program's.
pub fn ignored(name: &str) -> Option<String> {
    let prefixes = ["CDC_", "MONGO_", "RABBITMQ_"];
    if !prefixes.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    let (known, edits) = nearest(name)?;
    (name.starts_with("CDC_") || edits <= NEAR).then(|| {
        let advice = advice(known, edits);
        format!("{name} is not a setting and is ignored{advice}")
    })
}

/// The known name that takes the fewest edits, and how many; nothing where `name` is known.
fn nearest(name: &str) -> Option<(&'static str, usize)> {
    let settings = run_settings();
    let ours = settings.iter().map(|setting| setting.variable);
    let known = ours.chain(TOOLKIT.iter().map(|(variable, ..)| *variable));
    let is_foreign = FOREIGN.iter().any(|prefix| name.starts_with(prefix));
    let all: Vec<_> = known
        .map(|known| (known, strsim::osa_distance(name, known)))
        .collect();
    let (nearest, edits) = all.into_iter().min_by_key(|(_, edits)| *edits)?;
    (edits > 0 && !is_foreign).then_some((nearest, edits))
}

fn advice(known: &str, edits: usize) -> String {
    if edits > FAR {
        return String::new();
    }
    format!("; did you mean {known}?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_dotenv_is_answered_with_the_name_that_was_meant() {
        for (name, meant) in [
            ("CDC_COLLECTION", "CDC_COLLECTIONS"),
            ("CDC_FROMAT", "CDC_FORMAT"),
            ("RABBITMQ_DEFAULT_USER", "RABBITMQ_DEFAULT_USERNAME"),
            ("MONGO_DATABSE_NAME", "MONGO_DATABASE_NAME"),
            ("RUSTLOG", "RUST_LOG"),
        ] {
            let expected = format!("{name} is not a setting; did you mean {meant}?");
            assert_eq!(unknown(name), Some(expected));
        }
        let text = unknown("POSTGRES_CONNECTION_STRING");
        assert_eq!(
            text.as_deref(),
            Some("POSTGRES_CONNECTION_STRING is not a setting")
        );
    }

    #[test]
    fn settings_of_the_engine_the_toolkit_and_of_libraries_are_known() {
        for name in [
            "CDC_COLLECTIONS",
            "RUST_LOG",
            "CDC_BACKEND",
            "MONGO_PORT_3",
            "CDC_TEST_BREAK",
            "SSL_CERT_FILE",
            "COMPOSE_PROJECT_NAME",
        ] {
            assert_eq!((unknown(name), ignored(name)), (None, None), "{name}");
        }
    }

    #[test]
    fn in_the_environment_only_what_was_meant_for_us_is_said() {
        for name in ["CDC_COLLECTION", "CDC_NOTHING_LIKE_THIS", "RABBITMQ_VHOSTS"] {
            assert!(ignored(name).is_some(), "{name}");
        }
        for name in [
            "RABBITMQ_NODENAME",
            "RABBITMQ_DEFAULT_USER",
            "RABBITMQ_SERVICE_HOST",
            "MONGO_INITDB_DATABASE",
            "HOME",
            "RUSTLOG",
        ] {
            assert_eq!(ignored(name), None, "{name}");
        }
    }
}
