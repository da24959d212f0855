//! How a pipeline's snapshots stand, by its requests and its checkpoint.

use bson::{Bson, DateTime, Document, Timestamp};

use super::{Error, Place, connect, places};
use crate::{
    checkpoint::{Config as Checkpoint, Editor, Record},
    config::Config,
    mongo::Mongo,
    share::Share,
    snapshot::requests::{Error as RequestError, Request, State},
};

/// Asks MongoDB, as often as it is told to.
#[derive(Debug)]
pub struct Standing {
    mongo: Mongo,
    checkpoint: Checkpoint,
    places: Vec<Place>,
}

/// What it found.
#[derive(Debug, Default)]
pub struct Look {
    /// Every run, the first that was asked for first.
    pub runs: Vec<Run>,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The share that takes it, where the pipeline is divided.
    pub share: Option<Share>,
    /// What was asked for, and what the engine told last.
    pub request: Request,
    /// How far it is, where it is under way.
    pub progress: Option<Progress>,
}

/// How far a run is, as of the checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Documents that were published.
    pub documents: u64,
    /// Documents that the collections had when it began, by the server's estimate.
    pub total: u64,
    /// Seconds since it began.
    pub seconds: u64,
    /// The collection that is read.
    pub current: Option<String>,
    /// Collections that are read to their ends.
    pub done: u64,
    /// Collections that are to be read, with the present one.
    pub left: u64,
    /// Whether only some documents are wanted, so that nothing can be said of how many are left.
    is_filtered: bool,
}

impl Standing {
    /// Connects.
    ///
    /// # Errors
    /// MongoDB cannot be used.
    pub async fn open(config: &Config) -> Result<Self, Error> {
        let mongo = connect(config).await?;
        Ok(Self {
            checkpoint: config.checkpoint.clone(),
            places: places(&mongo, config).await?,
            mongo,
        })
    }

    /// Looks at every run, or at the one of this name.
    ///
    /// # Errors
    /// MongoDB cannot be used, or there is no such run.
    pub async fn look(&self, name: Option<&str>) -> Result<Look, Error> {
        let now = self.mongo.preflight().await?;
        let mut runs = Vec::new();
        for (share, requests) in &self.places {
            let record = self.record(*share).await?.0.unwrap_or_default();
            let under_way = record.get_document("snapshot");
            let under_way = under_way.and_then(|all| all.get_document("run")).ok();
            let mut of_place = put_together(requests.list().await?, under_way, now);
            for run in &mut of_place {
                run.share = *share;
            }
            runs.extend(of_place);
        }
        if let Some(name) = name {
            runs.retain(|run| run.request.run == name);
            if runs.is_empty() {
                let run = name.to_owned();
                return Err(RequestError::NotThere { run }.into());
            }
        }
        Ok(Look { runs })
    }

    /// The checkpoint of a share, or of the settings.
    async fn record(&self, share: Option<Share>) -> Result<Record, Error> {
        let mut place = self.checkpoint.clone();
        if let Some(share) = share {
            place.pipeline = share.name(&place.pipeline);
        }
        Ok(Editor::new(&self.mongo, place).read().await?)
    }
}

impl Progress {
    /// What part of it is done, from 0 to 1. The total is an estimate.
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub fn share(&self) -> Option<f64> {
        let is_known = !self.is_filtered && 0 < self.total;
        is_known.then(|| (self.documents as f64 / self.total as f64).min(1.0))
    }

    /// Documents per second since it began, pauses included.
    pub fn rate(&self) -> u64 {
        self.documents / self.seconds.max(1)
    }

    /// Seconds until it ends, if it goes on so.
    pub fn seconds_left(&self) -> Option<u64> {
        let left = self.total.saturating_sub(self.documents);
        let is_known = !self.is_filtered && 0 < self.rate();
        is_known.then(|| left.div_ceil(self.rate()))
    }

    fn read(run: &Document, now: Timestamp) -> Self {
        let started_at = run.get_datetime("started_at").copied();
        let current = run.get_document("current").ok();
        let todo = run.get_array("todo").map_or(0, Vec::len) as u64;
        Self {
            documents: number(run, "documents"),
            total: number(run, "total"),
            seconds: started_at.map_or(0, |time| seconds_since(time, now)),
            current: current.and_then(|current| {
                let text = |name| current.get_str(name).ok();
                Some(format!("{}.{}", text("db")?, text("coll")?))
            }),
            done: number(run, "done"),
            left: todo + u64::from(current.is_some()),
            is_filtered: run
                .get("filter")
                .is_some_and(|filter| *filter != Bson::Null),
        }
    }
}

/// The requests, and the run of the checkpoint, which may be the engine's own.
fn put_together(requests: Vec<Request>, under_way: Option<&Document>, now: Timestamp) -> Vec<Run> {
    let mut runs: Vec<Run> = requests.into_iter().map(Run::from).collect();
    let Some(document) = under_way else {
        return runs;
    };
    let name = document.get_str("name").unwrap_or_default();
    let progress = Progress::read(document, now);
    let place = runs.iter().position(|run| run.request.run == name);
    let place = place.unwrap_or_else(|| {
        let mut own = Request::new(name);
        own.state = State::Running;
        own.started_at = document.get_datetime("started_at").ok().copied();
        own.requested_at = own.started_at.unwrap_or(own.requested_at);
        runs.insert(0, own.into());
        0
    });
    let run = &mut runs[place];
    run.request.documents = run.request.documents.max(progress.documents);
    run.request.bytes = run.request.bytes.max(number(document, "bytes"));
    run.progress = (!run.request.state.is_ended()).then_some(progress);
    runs
}

impl From<Request> for Run {
    fn from(request: Request) -> Self {
        Self {
            share: None,
            request,
            progress: None,
        }
    }
}

/// By the cluster's clock, since the engine may run elsewhere.
fn seconds_since(time: DateTime, now: Timestamp) -> u64 {
    let seconds = i64::from(now.time) - time.timestamp_millis() / 1_000;
    u64::try_from(seconds).unwrap_or(0)
}

fn number(document: &Document, name: &str) -> u64 {
    let number = match document.get(name) {
        Some(Bson::Int32(number)) => i64::from(*number),
        Some(Bson::Int64(number)) => *number,
        _ => 0,
    };
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    const NOW: Timestamp = Timestamp {
        time: 1_100,
        increment: 1,
    };

    fn under_way(name: &str) -> Document {
        doc! {
            "name": name, "origin": "request", "filter": null, "started_at": DateTime::from_millis(1_000_000),
            "documents": 500_i64, "bytes": 5_000_i64, "total": 2_000_i64, "done": 1_i64,
            "todo": [{ "db": "shop", "coll": "c" }], "current": { "db": "shop", "coll": "b" },
        }
    }

    #[test]
    fn the_run_under_way_is_found_by_its_name() {
        let requests = vec![Request::new("a"), Request::new("b")];
        let runs = put_together(requests, Some(&under_way("b")), NOW);
        assert_eq!(runs[0].progress, None);
        let progress = runs[1].progress.as_ref().unwrap();
        assert_eq!(
            (progress.done, progress.left, progress.seconds),
            (1, 2, 100)
        );
        assert_eq!(progress.current.as_deref(), Some("shop.b"));
        assert_eq!((progress.rate(), progress.share()), (5, Some(0.25)));
        assert_eq!(progress.seconds_left(), Some(300));
        assert_eq!(runs[1].request.documents, 500);
    }

    #[test]
    fn a_run_that_nobody_asked_for_is_shown_too() {
        let runs = put_together(Vec::new(), Some(&under_way("initial")), NOW);
        assert_eq!(runs[0].request.run, "initial");
        assert_eq!(runs[0].request.state, State::Running);
        assert!(runs[0].progress.is_some());
    }

    #[test]
    fn nothing_is_said_of_what_is_left_where_it_is_not_known() {
        let mut filtered = under_way("a");
        filtered.insert(
            "filter",
            Bson::Binary(bson::Binary {
                subtype: bson::spec::BinarySubtype::Generic,
                bytes: Vec::new(),
            }),
        );
        let progress = Progress::read(&filtered, NOW);
        assert_eq!((progress.share(), progress.seconds_left()), (None, None));
        let progress = Progress::read(&doc! { "name": "a" }, NOW);
        assert_eq!((progress.share(), progress.seconds_left()), (None, None));
        assert_eq!((progress.left, progress.current), (0, None));
    }

    #[test]
    fn a_run_that_is_over_has_no_progress() {
        let mut over = Request::new("a");
        over.state = State::Done;
        let runs = put_together(vec![over], Some(&under_way("a")), NOW);
        assert_eq!(runs[0].progress, None);
    }
}
