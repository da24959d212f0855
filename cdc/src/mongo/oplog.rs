//! How far the oplog reaches.

use bson::{Document, Timestamp, doc};

use super::{Error, Mongo, Privilege};

/// What the oplog of the member that answers holds at this moment. Its end moves on, and so does its begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oplog {
    /// Its oldest entry.
    pub first: Timestamp,
    /// Its newest entry.
    pub last: Timestamp,
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
                .sort(doc! { "$natural": direction })
                .projection(doc! { "ts": 1 });
            let entry = self.deadline("a read of the oplog", find.into_future());
            let entry = entry.await.map_err(Error::without_oplog)?;
            let time = entry.and_then(|entry| entry.get_timestamp("ts").ok());
            time.ok_or(Error::NoOplog)
        };
        let both = async {
            Ok(Oplog {
                first: end(1).await?,
                last: end(-1).await?,
            })
        };
        match both.await {
            Ok(oplog) => Ok(oplog),
            Err(error) => Err(self.explain(error, &[Privilege::to_read_oplog()]).await),
        }
    }
}
