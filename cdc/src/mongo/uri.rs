//! What a connection string asks for, against what the engine promises.

use mongodb::{
    error::Error as DriverError,
    options::{
        Acknowledgment, ClientOptions, ConnectionString, ReadConcernLevel, ReadPreference,
        WriteConcern,
    },
};

/// Connections that the engine uses at one time: the change stream's read, a save of the checkpoint, and the question
/// for a sign of life beside them.
const CONNECTIONS: u32 = 3;

/// A connection string that the engine can use.
#[derive(Debug)]
pub struct Uri(ConnectionString);

impl Uri {
    /// Reads `text`; no server and no name server is asked.
    ///
    /// # Errors
    /// What is wrong with it, in words that may repeat a part of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed = ConnectionString::parse(text).map_err(|error| unreadable(&error))?;
        match parsed.write_concern.as_ref().and_then(|concern| concern.w.as_ref()) {
            Some(Acknowledgment::Nodes(0)) => Err(
                "`w=0` leaves writes unacknowledged, and the checkpoint is written with `majority`; leave it out"
                    .to_owned(),
            ),
            _ => Ok(Self(parsed)),
        }
    }

    /// What the engine does otherwise than it says, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let notes = [
            self.read_concern(),
            self.write_concern(),
            self.read_preference(),
            self.pool(),
            self.one_member(),
        ];
        notes.into_iter().flatten().collect()
    }

    fn read_concern(&self) -> Option<String> {
        let level = &self.0.read_concern.as_ref()?.level;
        let level = match level {
            ReadConcernLevel::Majority => return None,
            ReadConcernLevel::Local => "local",
            ReadConcernLevel::Linearizable => "linearizable",
            ReadConcernLevel::Available => "available",
            ReadConcernLevel::Snapshot => "snapshot",
            ReadConcernLevel::Custom(level) => level,
            _ => "",
        };
        Some(format!(
            "`readConcernLevel={level}` does not count: change stream and checkpoint are read with `majority`"
        ))
    }

    fn write_concern(&self) -> Option<String> {
        let WriteConcern { w, journal, .. } = self.0.write_concern.as_ref()?;
        let asked = match w {
            Some(Acknowledgment::Nodes(nodes)) => format!("w={nodes}"),
            Some(Acknowledgment::Custom(name)) => format!("w={name}"),
            _ if *journal == Some(false) => "journal=false".to_owned(),
            _ => return None,
        };
        Some(format!(
            "`{asked}` does not count: the checkpoint is written with `majority`"
        ))
    }

    fn read_preference(&self) -> Option<String> {
        let mode = match self.0.read_preference.as_ref()? {
            ReadPreference::Secondary { .. } => "secondary",
            ReadPreference::PrimaryPreferred { .. } => "primaryPreferred",
            ReadPreference::SecondaryPreferred { .. } => "secondaryPreferred",
            ReadPreference::Nearest { .. } => "nearest",
            _ => return None,
        };
        Some(format!(
            "`readPreference={mode}` counts for the change stream alone: the checkpoint is read and written on the \
             primary"
        ))
    }

    fn pool(&self) -> Option<String> {
        let size = self.0.max_pool_size.filter(|size| *size < CONNECTIONS)?;
        Some(format!(
            "`maxPoolSize={size}` is raised to {CONNECTIONS}: the change stream, the checkpoint and a sign of life beside \
             them need a connection each"
        ))
    }

    fn one_member(&self) -> Option<String> {
        let is_direct = self.0.direct_connection == Some(true);
        is_direct.then(|| {
            "`directConnection=true` uses this one server and follows no election: it has to be the primary, or a \
             router"
                .to_owned()
        })
    }
}

/// The driver names a feature of its own build where it has no AWS IAM.
fn unreadable(error: &DriverError) -> String {
    let text = error.kind.to_string();
    if text.contains("aws-auth") {
        return "`authMechanism=MONGODB-AWS` (AWS IAM) is not built into this program; use X.509 or a user and a password"
            .to_owned();
    }
    format!("not a mongodb:// or mongodb+srv:// connection string ({text})")
}

/// Makes options out of a connection string such that the engine can work with them.
pub(super) fn adjust(options: &mut ClientOptions) {
    options.max_pool_size = options.max_pool_size.map(|size| size.max(CONNECTIONS));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &str) -> Uri {
        Uri::parse(&format!("mongodb://ada:secret@a.example/{options}")).unwrap()
    }

    #[test]
    fn unacknowledged_writes_are_refused() {
        let uri = "mongodb://a.example/?w=0";
        assert!(Uri::parse(uri).unwrap_err().starts_with("`w=0` leaves"));
        assert!(Uri::parse("postgres://a.example").is_err());
    }

    #[test]
    fn a_mechanism_that_is_not_built_in_is_said_in_the_users_words() {
        let uri = "mongodb://a.example/?authMechanism=MONGODB-AWS";
        let fault = Uri::parse(uri).unwrap_err();
        assert!(
            fault.starts_with("`authMechanism=MONGODB-AWS` (AWS IAM) is not built"),
            "{fault}"
        );
    }

    #[test]
    fn what_does_not_count_is_said_and_nothing_else() {
        for (options, beginnings) in [
            ("", &[][..]),
            (
                "?readConcernLevel=majority&w=majority&readPreference=primary&maxPoolSize=3",
                &[],
            ),
            (
                "?directConnection=false&retryWrites=false&compressors=zstd,snappy,zlib",
                &[],
            ),
            (
                "?readConcernLevel=local",
                &["`readConcernLevel=local` does not count"],
            ),
            ("?w=1", &["`w=1` does not count"]),
            ("?w=here&journal=false", &["`w=here` does not count"]),
            ("?journal=false", &["`journal=false` does not count"]),
            (
                "?readPreference=secondary&maxPoolSize=1",
                &[
                    "`readPreference=secondary` counts for",
                    "`maxPoolSize=1` is raised to 3",
                ],
            ),
            ("?directConnection=true", &["`directConnection=true` uses"]),
        ] {
            let notes = parse(options).notes();
            assert_eq!(notes.len(), beginnings.len(), "{options}: {notes:?}");
            for (note, beginning) in notes.iter().zip(beginnings) {
                assert!(note.starts_with(beginning), "{note}");
            }
        }
    }

    #[test]
    fn a_pool_is_large_enough_and_otherwise_as_it_was_given() {
        for (given, made) in [(None, None), (Some(1), Some(3)), (Some(50), Some(50))] {
            let mut options = ClientOptions::builder().max_pool_size(given).build();
            adjust(&mut options);
            assert_eq!(options.max_pool_size, made);
        }
    }
}
