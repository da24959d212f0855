//! What follows from the given values: a secret from its file, the database from the path of the connection string.

use std::{borrow::Cow, fs::File, io::Read as _};

use mongodb::options::ConnectionString;

use super::{Faults, Given, Origin, given::Value, kind::database, settings::run_settings};

/// Largest file that may hold a secret, in bytes.
const SECRET_BYTES_MAX: u64 = 1 << 16;
const URI: &str = "MONGO_DATABASE_HOST";
const DATABASE: &str = "MONGO_DATABASE_NAME";

/// `given` and what follows from it.
pub(super) fn resolve(given: &Given) -> (Cow<'_, Given>, Faults) {
    let (mut given, mut faults) = (Cow::Borrowed(given), Faults::default());
    for setting in run_settings() {
        let Some(secret) = setting.holds else {
            continue;
        };
        if let Some(path) = text(&given, setting.variable)
            && let Some(value) = read(&given, secret, path)
                .map_err(|fault| faults.add(setting.variable, fault))
                .ok()
        {
            let origin = Origin::Setting(setting.variable);
            given.to_mut().insert(
                secret,
                Value {
                    text: value,
                    origin,
                },
            );
        }
    }
    if let Some(name) = database_of_path(&given) {
        let origin = Origin::Setting(URI);
        given
            .to_mut()
            .insert(DATABASE, Value { text: name, origin });
    }
    (given, faults)
}

/// The value of `secret` from the file at `path`. A fault shows neither: a secret may have been given for a path.
fn read(given: &Given, secret: &str, path: &str) -> Result<String, String> {
    if text(given, secret).is_some() {
        return Err(format!("{secret} is given too; take one of them away"));
    }
    let mut content = String::new();
    let file = File::open(path).map(|file| file.take(SECRET_BYTES_MAX + 1));
    file.and_then(|mut file| file.read_to_string(&mut content))
        .map_err(|error| format!("the file cannot be read: {error}"))?;
    if content.len() as u64 > SECRET_BYTES_MAX {
        return Err(format!("the file is larger than {SECRET_BYTES_MAX} bytes"));
    }
    let line = content.strip_suffix('\n').unwrap_or(&content);
    match line.strip_suffix('\r').unwrap_or(line) {
        "" => Err("the file is empty".to_owned()),
        value => Ok(value.to_owned()),
    }
}

/// What is no fault and yet may not be meant: the path of the connection string names another database than is watched.
/// Where it has credentials and no `authSource`, the path says where to look them up.
pub(super) fn doubt(given: &Given) -> Option<String> {
    let (text, watched) = (text(given, URI)?, text(given, DATABASE)?);
    let uri = ConnectionString::parse(text).ok()?;
    let path = uri.default_database.filter(|path| path != watched)?;
    let is_for_credentials =
        uri.credential.is_some() && !text.to_ascii_lowercase().contains("authsource=");
    (!is_for_credentials).then(|| {
        format!("{DATABASE} is `{watched}` and is watched; the path of {URI} names the database `{path}`")
    })
}

/// The database in the path of the connection string, if none is given by itself. `admin` and its like stand there for
/// the credentials' sake.
fn database_of_path(given: &Given) -> Option<String> {
    if given.contains_key(DATABASE) {
        return None;
    }
    let uri = ConnectionString::parse(text(given, URI)?).ok()?;
    (database().parse)(&uri.default_database?).ok()
}

fn text<'a>(given: &'a Given, variable: &str) -> Option<&'a str> {
    let text = given.get(variable)?.text.trim();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    const PASSWORD: &str = "RABBITMQ_DEFAULT_PASSWORD";
    const PASSWORD_FILE: &str = "RABBITMQ_DEFAULT_PASSWORD_FILE";

    fn typed(values: &[(&'static str, &str)]) -> Given {
        let typed = values.iter().map(|(variable, text)| {
            let (text, origin) = ((*text).to_owned(), Origin::Environment);
            (*variable, Value { text, origin })
        });
        typed.collect()
    }

    fn resolved(values: &[(&'static str, &str)]) -> (Given, String) {
        let typed = typed(values);
        let (given, faults) = resolve(&typed);
        (given.into_owned(), faults.to_string())
    }

    /// What a password file with `content` gives: the password or the fault.
    fn password(content: &[u8]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hunter2path");
        fs::write(&path, content).unwrap();
        let (mut given, faults) = resolved(&[(PASSWORD_FILE, path.to_str().unwrap())]);
        match given.remove(PASSWORD) {
            Some(value) => Ok(value.text),
            None => Err(faults),
        }
    }

    #[test]
    fn a_secret_file_loses_one_line_break_and_nothing_else() {
        for (content, secret) in [
            ("hunter2", "hunter2"),
            ("hunter2\n", "hunter2"),
            ("hunter2\r\n", "hunter2"),
            (" hunter2 \n\n", " hunter2 \n"),
            ("two\nlines\n", "two\nlines"),
        ] {
            assert_eq!(password(content.as_bytes()), Ok(secret.to_owned()));
        }
    }

    #[test]
    fn a_secret_file_that_holds_none_is_a_fault_of_its_variable_and_is_not_shown() {
        let large = "hunter2".repeat(10_000);
        for (content, part) in [
            (&b""[..], "empty"),
            (b"\n", "empty"),
            (b"hunter2\xff", "UTF-8"),
            (large.as_bytes(), "larger than 65536 bytes"),
        ] {
            let fault = password(content).unwrap_err();
            assert!(fault.contains(part), "{fault}");
            assert!(fault.contains(PASSWORD_FILE), "{fault}");
            assert!(!fault.contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn a_secret_that_was_given_for_its_path_is_not_shown() {
        let (given, faults) = resolved(&[(PASSWORD_FILE, "hunter2")]);
        assert!(!given.contains_key(PASSWORD));
        assert!(
            faults.contains(PASSWORD_FILE) && !faults.contains("hunter2"),
            "{faults}"
        );
    }

    #[test]
    fn a_secret_and_its_file_are_not_given_both() {
        let itself = Path::new(file!()).to_str().unwrap();
        let (_, faults) = resolved(&[(PASSWORD, "hunter2"), (PASSWORD_FILE, itself)]);
        assert!(
            faults.contains("RABBITMQ_DEFAULT_PASSWORD is given too"),
            "{faults}"
        );
        // What docker compose makes of a variable that is not set.
        let (_, faults) = resolved(&[(PASSWORD, "hunter2"), (PASSWORD_FILE, "")]);
        assert_eq!(faults, "");
    }

    #[test]
    fn the_path_of_the_connection_string_names_the_database_where_nothing_else_does() {
        let database = |values: &[_]| {
            let (mut given, _) = resolved(values);
            given.remove(DATABASE).map(|value| value.text)
        };
        let uri = (URI, "mongodb://ada:hunter2@host/shop?authSource=admin");
        assert_eq!(database(&[uri]).as_deref(), Some("shop"));
        let named = database(&[uri, (DATABASE, "other")]);
        assert_eq!(named.as_deref(), Some("other"));
        for uri in [
            "mongodb://host/admin",
            "mongodb://host/",
            "mongodb://host",
            "hunter2",
        ] {
            assert_eq!(database(&[(URI, uri)]), None, "{uri}");
        }
    }

    #[test]
    fn another_database_in_the_path_is_said_unless_it_is_where_credentials_are() {
        let doubts = |uri| Vec::from_iter(doubt(&typed(&[(URI, uri), (DATABASE, "shop")])));
        for uri in [
            "mongodb://host/old",
            "mongodb://ada:hunter2@host/old?authSource=admin",
        ] {
            let all = doubts(uri);
            assert_eq!(all.len(), 1, "{uri}");
            assert!(all[0].contains("`shop` and is watched") && all[0].contains("`old`"));
            assert!(!all[0].contains("hunter2"));
        }
        for uri in [
            "mongodb://host/shop",
            "mongodb://host",
            "mongodb://ada:hunter2@host/users",
        ] {
            assert!(doubts(uri).is_empty(), "{uri}");
        }
    }
}
