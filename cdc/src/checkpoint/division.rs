//! A pipeline that is divided into shares: its document says into how many, and where they began; each share has a
//! checkpoint of its own.
//!
//! So no engine works for a pipeline that is divided otherwise than its settings say, whatever it was before.

use bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use mongodb::options::WriteConcern;

use super::{
    Config, Error, MOVED, Store, VERSION, VERSION_DIVIDED, VERSION_WITH_SNAPSHOT, as_integer,
};
use crate::{
    mongo::{self, Mongo},
    position::Position,
    share::Share,
};

/// Into how many shares the pipeline is divided. A checkpoint has no such field.
const SHARES: &str = "shares";

/// The share that a checkpoint is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// Name of the pipeline that is divided.
    pub pipeline: String,
    /// Which of its shares.
    pub share: Share,
}

/// Divides a pipeline, while no engine of it runs.
#[derive(Debug)]
pub struct Divider {
    store: Store,
}

/// How a pipeline is divided, and where its shares are.
#[derive(Debug, Clone, PartialEq)]
pub struct Divided {
    /// Into how many shares; 1 where it is not.
    pub count: u16,
    /// The earliest position of a share.
    pub position: Position,
    /// The pipeline's document.
    whole: Document,
    /// The checkpoints of its shares. One that has not begun has none.
    parts: Vec<Option<Document>>,
}

/// Into how many shares the pipeline of this document is divided.
pub(super) fn shares(document: &Document) -> u16 {
    let count = document.get(SHARES).and_then(as_integer);
    count
        .and_then(|count| u16::try_from(count).ok())
        .unwrap_or(1)
}

/// The document of a pipeline that is divided, in the place of one of `revision`.
pub(super) fn document(division: &Division, position: &Position, revision: i64) -> Document {
    whole(
        &division.pipeline,
        division.share.count(),
        position,
        revision,
    )
}

fn whole(pipeline: &str, count: u16, position: &Position, revision: i64) -> Document {
    let mut document = doc! {
        "_id": pipeline,
        "version": VERSION_DIVIDED,
        "revision": revision + 1,
        SHARES: i32::from(count),
    };
    position.write(&mut document);
    document.insert("saved_at", DateTime::now());
    document
}

impl Divider {
    /// Prepares it for the pipeline of `config`, which is that of no share; nothing is read yet.
    pub fn new(mongo: &Mongo, config: Config) -> Self {
        Self {
            store: Store::new(mongo, config),
        }
    }

    /// How the pipeline is divided; none where it has no checkpoint.
    ///
    /// # Errors
    /// MongoDB failed, a document cannot be read, or a share's snapshot is under way.
    pub async fn read(&self) -> Result<Option<Divided>, Error> {
        let Some(whole) = self.store.read().await? else {
            return Ok(None);
        };
        let count = shares(&whole);
        let begin = self.position(None, &whole)?;
        let mut parts = Vec::new();
        let mut positions = Vec::new();
        for share in Share::all(count) {
            let part = self.store.read_of(&self.name(share)).await?;
            let position = part.as_ref().map(|part| self.position(Some(share), part));
            // Where a share has not begun, it begins where all of them did.
            positions.push(position.transpose()?.unwrap_or_else(|| begin.clone()));
            parts.push(part);
        }
        if count == 1 {
            parts.push(Some(whole.clone()));
        }
        let position = earliest(positions).unwrap_or(begin);
        Ok(Some(Divided {
            count,
            position,
            whole,
            parts,
        }))
    }

    /// Divides the pipeline into so many shares, all of which go on at the earliest position; 1 makes it whole again.
    ///
    /// A failure on the way leaves it divided as it was, or as it shall be.
    ///
    /// # Errors
    /// [`Error::Taken`] where another program wrote meanwhile; MongoDB failed.
    pub async fn divide(&self, divided: &Divided, into: u16) -> Result<(), Error> {
        let failed = |source| self.store.failed("save", source);
        let former = Share::all(divided.count).filter(|share| share.count() != into);
        let former: Vec<String> = former.map(|share| self.name(share)).collect();
        if !former.is_empty() {
            self.store.may_delete().await.map_err(failed)?;
        }
        for share in Share::all(into) {
            let part = divided.part(&self.name(share));
            self.put(part).await.map_err(failed)?;
        }
        let pipeline = &self.store.config.pipeline;
        let revision = revision(&divided.whole);
        let next = if into == 1 {
            divided.part(pipeline)
        } else {
            whole(pipeline, into, &divided.position, revision)
        };
        let present = doc! { "_id": pipeline, "revision": revision };
        let replaced = self.store.replace(present, next).await;
        if !replaced.map_err(failed)? {
            return Err(Error::Taken {
                name: self.store.name(),
            });
        }
        if !former.is_empty() {
            let former = self.store.delete(doc! { "_id": { "$in": former } });
            former.await.map_err(failed)?;
        }
        Ok(())
    }

    async fn put(&self, part: Document) -> Result<(), mongo::Error> {
        let id = part.get("_id").cloned().unwrap_or(Bson::Null);
        let put = self
            .store
            .collection
            .replace_one(doc! { "_id": id }, part)
            .upsert(true)
            .write_concern(WriteConcern::majority());
        let put = self.store.ask("a checkpoint save", put.into_future());
        put.await.map(|_| ())
    }

    fn name(&self, share: Share) -> String {
        share.name(&self.store.config.pipeline)
    }

    /// The position in the document of a share, or of the pipeline.
    fn position(&self, share: Option<Share>, document: &Document) -> Result<Position, Error> {
        let pipeline = &self.store.config.pipeline;
        let name = share.map_or_else(|| pipeline.clone(), |share| self.name(share));
        if self.store.version_of(&name, document)? == VERSION_WITH_SNAPSHOT {
            let pipeline = pipeline.clone();
            return Err(Error::SnapshotUnderWay { pipeline, share });
        }
        Position::read(document).map_err(|reason| self.store.unreadable_of(&name, reason))
    }
}

/// The one from which nothing is left out that one of the others gives.
fn earliest(positions: Vec<Position>) -> Option<Position> {
    let positions = positions.into_iter();
    positions.reduce(|earliest, one| {
        if earliest.is_beyond(&one) {
            one
        } else {
            earliest
        }
    })
}

impl Divided {
    /// The checkpoint of this name that goes on where all shares have been.
    fn part(&self, name: &str) -> Document {
        let begun = || self.parts.iter().flatten();
        let all = begun().chain([&self.whole]);
        let revision = all.map(revision).max().unwrap_or_default() + 1;
        let mut part = doc! { "_id": name, "version": VERSION, "revision": revision };
        self.position.write(&mut part);
        let sent = begun().filter_map(|part| part.get_timestamp("sent_until").ok());
        part.insert("sent_until", sent.max());
        if let Some(scope) = begun().find_map(|part| part.get("scope")) {
            part.insert("scope", scope.clone());
        }
        if let Some(snapshot) = self.snapshot() {
            part.insert("snapshot", snapshot.clone());
        }
        part.extend(doc! { MOVED: true, "saved_at": DateTime::now(), "writer": ObjectId::new() });
        part
    }

    /// How far snapshots are, where every share has read what there was at the beginning, or none had to.
    fn snapshot(&self) -> Option<&Document> {
        let of = |part: &Option<Document>| part.as_ref()?.get_document("snapshot").ok().cloned();
        let has_begun = |snapshot: Document| snapshot.get_bool("initial").unwrap_or(false);
        let all = self
            .parts
            .iter()
            .all(|part| of(part).is_some_and(has_begun));
        let first = self.parts.first()?.as_ref()?;
        first.get_document("snapshot").ok().filter(|_| all)
    }
}

fn revision(document: &Document) -> i64 {
    document
        .get("revision")
        .and_then(as_integer)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bson::Timestamp;

    use super::*;

    fn at(time: u32) -> Position {
        Position::At(Timestamp { time, increment: 1 })
    }

    fn part(revision: i64, sent: u32, initial: bool) -> Document {
        doc! {
            "_id": "p.0of2", "version": 1, "revision": revision,
            "sent_until": Timestamp { time: sent, increment: 1 },
            "scope": { "database": "d" },
            "snapshot": { "initial": initial },
            "ignored_ids": [1_i64],
        }
    }

    fn divided(parts: Vec<Option<Document>>) -> Divided {
        Divided {
            count: 2,
            position: at(5),
            whole: whole("p", 2, &at(1), 3),
            parts,
        }
    }

    /// At one cluster time: at it, after its first event, and after its last one, in every order.
    #[test]
    fn of_positions_at_one_time_the_one_that_leaves_nothing_out_is_the_earliest() {
        let after = |digits: &str| Position::after_token(digits).unwrap();
        let first = after("82000000050000000146");
        let last = after("82000000050000000147");
        let all = [at(5), first.clone(), last.clone(), at(6)];
        for shift in 0..all.len() {
            let mut positions = all.to_vec();
            positions.rotate_left(shift);
            assert_eq!(earliest(positions.clone()), Some(at(5)));
            positions.reverse();
            assert_eq!(earliest(positions.clone()), Some(at(5)));
            positions.retain(|one| *one != at(5));
            assert_eq!(earliest(positions), Some(first.clone()));
        }
        assert_eq!(earliest(Vec::new()), None);
    }

    #[test]
    fn a_divided_pipeline_is_no_checkpoint_of_an_earlier_release() {
        let document = whole("p", 4, &at(1), 0);
        assert_eq!(shares(&document), 4);
        assert_eq!(document.get_i32("version").ok(), Some(3));
        assert_eq!(shares(&doc! { "_id": "p", "version": 1 }), 1);
    }

    #[test]
    fn a_new_part_goes_on_at_the_earliest_position_and_counts_on() {
        let part = divided(vec![Some(part(7, 20, true)), Some(part(4, 30, true))]).part("p.1of3");
        assert_eq!(Position::read(&part), Ok(at(5)));
        assert_eq!(part.get_i64("revision").ok(), Some(8));
        assert_eq!(part.get_timestamp("sent_until").unwrap().time, 30);
        assert_eq!(
            part.get_document("scope").ok(),
            Some(&doc! { "database": "d" })
        );
        assert!(part.get_bool(MOVED).unwrap() && part.get("ignored_ids").is_none());
    }

    #[test]
    fn what_one_share_has_not_read_is_read_again_by_all() {
        let has_snapshot = |parts| divided(parts).part("p.0of3").contains_key("snapshot");
        assert!(has_snapshot(vec![
            Some(part(1, 1, true)),
            Some(part(1, 1, true))
        ]));
        assert!(!has_snapshot(vec![
            Some(part(1, 1, true)),
            Some(part(1, 1, false))
        ]));
        assert!(!has_snapshot(vec![Some(part(1, 1, true)), None]));
    }
}
