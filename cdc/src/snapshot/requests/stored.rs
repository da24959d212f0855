//! A request as a document.

use bson::{Array, Bson, DateTime, Document, doc};

use super::{Filter, Report, Request, State, Wanted};

/// Version of the document's format that this program writes, and the newest that it reads.
pub(super) const VERSION: i32 = 1;

/// What the document is known by.
pub(super) struct Id<'d> {
    pub(super) run: Option<&'d str>,
}

impl<'d> Id<'d> {
    pub(super) fn of(document: &'d Document) -> Self {
        let id = document.get_document("_id").ok();
        Self {
            run: id.and_then(|id| id.get_str("run").ok()),
        }
    }
}

/// # Errors
/// The version, where it is newer.
pub(super) fn check_version(document: &Document) -> Result<(), String> {
    match integer(document, "version") {
        Some(version) if i64::from(VERSION) < version => Err(version.to_string()),
        _ => Ok(()),
    }
}

impl Request {
    /// One that waits for its turn.
    pub fn new(run: impl Into<String>) -> Self {
        Self {
            run: run.into(),
            collections: None,
            filter: None,
            rate: None,
            requested_at: DateTime::now(),
            wanted: Wanted::Run,
            state: State::Waiting,
            reason: None,
            started_at: None,
            ended_at: None,
            documents: 0,
            bytes: 0,
            skipped: Vec::new(),
        }
    }

    /// What the engine tells of it.
    fn report(&self) -> Report {
        Report {
            state: self.state,
            reason: self.reason.clone(),
            started_at: self.started_at,
            ended_at: self.ended_at,
            documents: self.documents,
            bytes: self.bytes,
            skipped: self.skipped.clone(),
        }
    }

    pub(super) fn document(&self, id: Document) -> Document {
        let mut document = doc! {
            "_id": id,
            "version": VERSION,
            "collections": self.collections.clone(),
            "filter": self.filter.as_ref().map(Filter::text),
            "rate": self.rate.map(i64::from),
            "requested_at": self.requested_at,
            "wanted": self.wanted.name(),
        };
        document.extend(self.report().document());
        document
    }

    /// # Errors
    /// The first thing that is wrong.
    pub(super) fn read(document: &Document) -> Result<Self, &'static str> {
        let text = |name| document.get_str(name).ok();
        let time = |name| document.get_datetime(name).ok().copied();
        let number = |name| integer(document, name).and_then(|number| u64::try_from(number).ok());
        let collections = document.get_array("collections").ok();
        let collections = collections.map(|texts| texts.iter().filter_map(Bson::as_str));
        let rate = integer(document, "rate");
        let filter = text("filter").map(Filter::parse).transpose();
        Ok(Self {
            run: Id::of(document).run.ok_or("`_id` has no `run`")?.to_owned(),
            collections: collections.map(|texts| texts.map(str::to_owned).collect()),
            filter: filter.map_err(|_| "`filter` is not a JSON object")?,
            rate: rate
                .map(u32::try_from)
                .transpose()
                .map_err(|_| "`rate` is out of range")?,
            requested_at: time("requested_at").ok_or("`requested_at` is not a date")?,
            wanted: Wanted::named(text("wanted")).ok_or("`wanted` is not known")?,
            state: State::named(text("state")).ok_or("`state` is not known")?,
            reason: text("reason").map(str::to_owned),
            started_at: time("started_at"),
            ended_at: time("ended_at"),
            documents: number("documents").unwrap_or(0),
            bytes: number("bytes").unwrap_or(0),
            skipped: skipped(document),
        })
    }
}

impl Report {
    pub(super) fn document(&self) -> Document {
        let skipped = self.skipped.iter().map(|(collection, reason)| {
            Bson::from(doc! { "collection": collection, "reason": reason })
        });
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        doc! {
            "state": self.state.name(),
            "reason": self.reason.clone(),
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "documents": signed(self.documents),
            "bytes": signed(self.bytes),
            "skipped": skipped.collect::<Array>(),
        }
    }
}

impl Wanted {
    const NAMES: [(&'static str, Self); 3] = [
        ("run", Self::Run),
        ("pause", Self::Pause),
        ("cancel", Self::Cancel),
    ];

    /// Its name, as it is stored.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, one)| *one == self);
        found.map_or("", |(name, _)| name)
    }

    fn named(name: Option<&str>) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(one, _)| Some(*one) == name);
        found.map(|(_, wanted)| *wanted)
    }
}

impl State {
    const NAMES: [(&'static str, Self); 6] = [
        ("waiting", Self::Waiting),
        ("running", Self::Running),
        ("paused", Self::Paused),
        ("done", Self::Done),
        ("cancelled", Self::Cancelled),
        ("failed", Self::Failed),
    ];

    /// Its name, as it is stored and shown.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, one)| *one == self);
        found.map_or("", |(name, _)| name)
    }

    /// Whether the run is over.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Failed)
    }

    /// The names of those in which a run is over.
    pub(super) fn ended() -> Vec<&'static str> {
        let ended = Self::NAMES.iter().filter(|(_, state)| state.is_ended());
        ended.map(|(name, _)| *name).collect()
    }

    fn named(name: Option<&str>) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(one, _)| Some(*one) == name);
        found.map(|(_, state)| *state)
    }
}

fn integer(document: &Document, name: &str) -> Option<i64> {
    match document.get(name)? {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        _ => None,
    }
}

fn skipped(document: &Document) -> Vec<(String, String)> {
    let all = document.get_array("skipped").into_iter().flatten();
    let all = all.filter_map(Bson::as_document).map(|one| {
        let text = |name| one.get_str(name).unwrap_or_default().to_owned();
        (text("collection"), text("reason"))
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Document {
        doc! { "pipeline": "p", "run": "r" }
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let mut request = Request::new("r");
        assert_eq!(Request::read(&request.document(id())), Ok(request.clone()));
        request.collections = Some(vec!["games".to_owned(), "mo*".to_owned()]);
        request.filter = Filter::parse(r#"{"n": {"$gt": 3}}"#).ok();
        request.rate = Some(u32::MAX);
        (request.wanted, request.state) = (Wanted::Cancel, State::Failed);
        request.reason = Some("why".to_owned());
        request.started_at = Some(request.requested_at);
        request.ended_at = Some(request.requested_at);
        (request.documents, request.bytes) = (7, 70);
        request.skipped = vec![("d.c".to_owned(), "capped".to_owned())];
        assert_eq!(Request::read(&request.document(id())), Ok(request));
    }

    #[test]
    fn what_is_wrong_in_a_document_is_named() {
        let good = Request::new("r").document(id());
        for (field, value, reason) in [
            ("_id", Bson::Int32(1), "`_id` has no `run`"),
            ("filter", "[]".into(), "`filter` is not a JSON object"),
            ("rate", Bson::Int64(-1), "`rate` is out of range"),
            ("requested_at", "now".into(), "`requested_at` is not a date"),
            ("wanted", "fly".into(), "`wanted` is not known"),
            ("state", Bson::Null, "`state` is not known"),
        ] {
            let mut bad = good.clone();
            bad.insert(field, value);
            assert_eq!(Request::read(&bad), Err(reason));
        }
        let mut newer = good.clone();
        newer.insert("version", 2_i64);
        assert_eq!(check_version(&newer), Err("2".to_owned()));
        assert_eq!(check_version(&good), Ok(()));
    }

    #[test]
    fn a_run_is_over_in_three_states() {
        assert_eq!(State::ended(), ["done", "cancelled", "failed"]);
    }
}
