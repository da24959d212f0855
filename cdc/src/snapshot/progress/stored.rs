//! Progress as a document, which the checkpoint has in its field `snapshot`.

use bson::{Array, Binary, Bson, DateTime, Document, doc, spec::BinarySubtype};

use super::{Collection, Ended, Name, Origin, Progress, Range, Run, Wish};
use crate::snapshot::Key;

impl Progress {
    /// The document; none where there is nothing to keep.
    pub fn document(&self) -> Option<Document> {
        let run = self.run.as_ref().map(Run::document);
        let pending = self.pending.iter().map(|wish| Bson::from(wish.document()));
        let pending: Array = pending.collect();
        let ended = self.ended.as_ref().map(Ended::document);
        (*self != Self::default()).then(|| {
            doc! {
                "initial": self.has_begun_initial, "run": run, "pending": pending, "ended": ended,
            }
        })
    }

    /// What [`Progress::document`] gave.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(document: &Document) -> Result<Self, &'static str> {
        let run = document.get_document("run").ok();
        let pending = documents(document, "pending").map(Wish::read);
        Ok(Self {
            has_begun_initial: document.get_bool("initial").unwrap_or(false),
            run: run.map(Run::of_document).transpose()?,
            pending: pending.collect::<Result<_, _>>()?,
            ended: document.get_document("ended").ok().map(Ended::read),
        })
    }
}

impl Origin {
    const NAMES: [(&'static str, Self); 4] = [
        ("initial", Self::Initial),
        ("request", Self::Request),
        ("rename", Self::Rename),
        ("recovery", Self::Recovery),
    ];

    fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, origin)| *origin == self);
        found.map_or("request", |(name, _)| name)
    }
}

impl Wish {
    fn document(&self) -> Document {
        // As bytes, since the names of a query begin with a dollar sign.
        let bytes = |filter: &Document| {
            let bytes = filter.to_vec().unwrap_or_default();
            Binary {
                subtype: BinarySubtype::Generic,
                bytes,
            }
        };
        doc! {
            "name": &self.name,
            "origin": self.origin.name(),
            "collections": self.collections.clone(),
            "filter": self.filter.as_ref().map(bytes),
            "rate": self.rate.map(i64::from),
        }
    }

    fn read(document: &Document) -> Result<Self, &'static str> {
        let text = |name| document.get_str(name);
        let origin = text("origin").unwrap_or_default();
        let origin = Origin::NAMES.iter().find(|(name, _)| *name == origin);
        let collections = document.get_array("collections").ok().map(|texts| {
            let texts = texts.iter().filter_map(Bson::as_str);
            texts.map(str::to_owned).collect()
        });
        let rate = document.get_i64("rate").ok();
        let filter = document.get_binary_generic("filter").ok();
        Ok(Self {
            name: text("name")
                .map_err(|_| "a snapshot has no `name`")?
                .to_owned(),
            origin: origin.ok_or("the `origin` of a snapshot is not known")?.1,
            collections,
            filter: filter.map(|bytes| read_filter(bytes)).transpose()?,
            rate: rate.and_then(|rate| rate.try_into().ok()),
        })
    }
}

fn read_filter(bytes: &[u8]) -> Result<Document, &'static str> {
    Document::from_reader(bytes).map_err(|_| "the `filter` of a snapshot is no document")
}

impl Run {
    fn document(&self) -> Document {
        let todo = self.todo.iter().map(|name| Bson::from(name.document()));
        let mut document = self.wish.document();
        document.extend(doc! {
            "started_at": self.started_at,
            "documents": signed(self.documents),
            "bytes": signed(self.bytes),
            "total": signed(self.total),
            "done": signed(self.done),
            "todo": todo.collect::<Array>(),
            "current": self.current.as_ref().map(Collection::document),
            "last": self.last.as_ref().map(Name::document),
            "skipped": skipped_documents(&self.skipped),
        });
        document
    }

    fn of_document(document: &Document) -> Result<Self, &'static str> {
        let number = |name| unsigned(document, name);
        let named = |name| document.get_document(name).ok();
        let todo = documents(document, "todo").map(Name::read);
        let started_at = document.get_datetime("started_at").copied();
        Ok(Self {
            wish: Wish::read(document)?,
            started_at: started_at.unwrap_or(DateTime::MIN),
            documents: number("documents"),
            bytes: number("bytes"),
            total: number("total"),
            done: number("done"),
            todo: todo.collect::<Result<_, _>>()?,
            current: named("current").map(Collection::read).transpose()?,
            last: named("last").map(Name::read).transpose()?,
            skipped: read_skipped(document),
        })
    }
}

impl Ended {
    fn document(&self) -> Document {
        doc! {
            "name": &self.name,
            "cancelled": self.is_cancelled,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "documents": signed(self.documents),
            "bytes": signed(self.bytes),
            "collections": signed(self.collections),
            "skipped": skipped_documents(&self.skipped),
        }
    }

    fn read(document: &Document) -> Self {
        let time = |name| {
            document
                .get_datetime(name)
                .copied()
                .unwrap_or(DateTime::MIN)
        };
        Self {
            name: document.get_str("name").unwrap_or_default().to_owned(),
            is_cancelled: document.get_bool("cancelled").unwrap_or(false),
            started_at: time("started_at"),
            ended_at: time("ended_at"),
            documents: unsigned(document, "documents"),
            bytes: unsigned(document, "bytes"),
            collections: unsigned(document, "collections"),
            skipped: read_skipped(document),
        }
    }
}

impl Name {
    fn document(&self) -> Document {
        doc! { "db": &self.database, "coll": &self.collection }
    }

    fn read(document: &Document) -> Result<Self, &'static str> {
        let text = |name| document.get_str(name).map(str::to_owned);
        match (text("db"), text("coll")) {
            (Ok(database), Ok(collection)) => Ok(Self {
                database,
                collection,
            }),
            _ => Err("a collection of a snapshot has no `db` or no `coll`"),
        }
    }
}

impl Collection {
    fn document(&self) -> Document {
        let ranges = self.ranges.iter().map(|range| Bson::from(range.document()));
        let mut document = self.name.document();
        document.extend(doc! {
            "estimate": signed(self.estimate),
            "documents": signed(self.documents),
            "ranges": ranges.collect::<Array>(),
        });
        document
    }

    fn read(document: &Document) -> Result<Self, &'static str> {
        let ranges = documents(document, "ranges").map(Range::read);
        Ok(Self {
            name: Name::read(document)?,
            estimate: unsigned(document, "estimate"),
            documents: unsigned(document, "documents"),
            ranges: ranges.collect::<Result<_, _>>()?,
        })
    }
}

impl Range {
    fn document(&self) -> Document {
        let key = |key: &Option<Key>| {
            let key = key.as_ref().map(Key::document);
            key.and_then(|key| Document::try_from(&*key).ok())
        };
        doc! {
            "from": key(&self.from), "to": key(&self.to), "after": key(&self.after),
            "single": self.is_single, "documents": signed(self.documents), "done": self.is_done,
        }
    }

    fn read(document: &Document) -> Result<Self, &'static str> {
        let key = |name| match document.get(name) {
            None | Some(Bson::Null) => Ok(None),
            Some(Bson::Document(key)) => match Key::read(key) {
                Some(key) => Ok(Some(key)),
                None => Err("a key of a snapshot has no `_id`"),
            },
            Some(_) => Err("a key of a snapshot is no document"),
        };
        Ok(Self {
            from: key("from")?,
            to: key("to")?,
            after: key("after")?,
            is_single: document.get_bool("single").unwrap_or(false),
            documents: unsigned(document, "documents"),
            is_done: document.get_bool("done").unwrap_or(false),
        })
    }
}

fn skipped_documents(skipped: &[(String, String)]) -> Array {
    let skipped = skipped.iter().map(|(collection, reason)| {
        Bson::from(doc! { "collection": collection, "reason": reason })
    });
    skipped.collect()
}

fn read_skipped(document: &Document) -> Vec<(String, String)> {
    let skipped = documents(document, "skipped").map(|one| {
        let text = |name| one.get_str(name).unwrap_or_default().to_owned();
        (text("collection"), text("reason"))
    });
    skipped.collect()
}

fn documents<'d>(document: &'d Document, name: &str) -> impl Iterator<Item = &'d Document> {
    let all = document.get_array(name).into_iter().flatten();
    all.filter_map(Bson::as_document)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(document: &Document, name: &str) -> u64 {
    let number = document.get_i64(name).unwrap_or_default();
    u64::try_from(number).unwrap_or_default()
}
