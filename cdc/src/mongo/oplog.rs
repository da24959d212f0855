//! How far the oplog reaches.

use bson::{Document, Timestamp, doc};
use mongodb::options::{ReadPreference, SelectionCriteria};

use super::{Error, Mongo, Privilege};

/// What the primary's oplog holds at this moment. Its end moves on, and so does its begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oplog {
    /// Its oldest entry.
    pub first: Timestamp,
    /// Its newest entry.
    pub last: Timestamp,
    /// Whether it still has the entry of the replica set's beginning, and so has never dropped any.
    pub is_whole: bool,
}

impl Mongo {
    /// Reads how far the oplog reaches, which needs `read` on the database `local`. A mongos has none.
    ///
    /// # Errors
    /// [`Error::Permission`] where the user may not; [`Error::NoOplog`] on a mongos.
    pub async fn oplog(&self) -> Result<Oplog, Error> {
        let end = async |direction: i32| {
            let oplog = self
                .client()
                .database("local")
                .collection::<Document>("oplog.rs");
            let find = oplog
                .find_one(doc! {})
                // Both ends of one member's oplog, whatever the connection string prefers.
                .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
                .sort(doc! { "$natural": direction })
                .projection(doc! { "ts": 1, "o.msg": 1 });
            let entry = self.deadline("a read of the oplog", find.into_future());
            let entry = entry.await.map_err(Error::without_oplog)?;
            entry.as_ref().and_then(Entry::read).ok_or(Error::NoOplog)
        };
        let both = async {
            let (first, last) = (end(1).await?, end(-1).await?);
            Ok(Oplog {
                first: first.time,
                last: last.time,
                is_whole: first.begins_the_set,
            })
        };
        match both.await {
            Ok(oplog) => Ok(oplog),
            Err(error) => Err(self.explain(error, &[Privilege::to_read_oplog()]).await),
        }
    }
}

/// What matters of an entry.
struct Entry {
    time: Timestamp,
    begins_the_set: bool,
}

impl Entry {
    fn read(entry: &Document) -> Option<Self> {
        let message = entry.get_document("o").and_then(|noop| noop.get_str("msg"));
        Some(Self {
            time: entry.get_timestamp("ts").ok()?,
            begins_the_set: message.is_ok_and(|message| message == "initiating set"),
        })
    }
}
