//! Compares the copy with what the server says that the collections were at that cluster time.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    rc::Rc,
    time::Duration,
};

use anyhow::{Context, Result};
use bson::{Document, Timestamp, doc};
use mongodb::{Client, Database};
use tokio::time::{Instant, sleep, timeout};

use super::{Content, Mark, View, difference, event::key_of};
use crate::chaos::{ledger::Flaw, record::Record};

/// Longest time in which a server that is back gives an answer; it keeps the past for five minutes.
const LIMIT: Duration = Duration::from_secs(120);
/// Longest wait for one answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// After a failure.
const REST: Duration = Duration::from_millis(500);
/// Between two looks for a marked point.
const POLL: Duration = Duration::from_millis(20);
/// Marked points that wait, at most, before more are left out; those at an end have more room.
const WAITING: usize = 1;
const ENDS_WAITING: usize = 6;
/// Documents in a reply.
const BATCH: i32 = 1_000;

/// The marked points that are to be compared.
#[derive(Debug, Default)]
pub(in crate::chaos) struct Audit {
    marks: RefCell<VecDeque<Mark>>,
    is_busy: Cell<bool>,
    outcome: Cell<Outcome>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::chaos) struct Outcome {
    /// Marked points at which the copy was compared, and those of the end of a collection or a run.
    pub(in crate::chaos) checked: usize,
    pub(in crate::chaos) ends: usize,
    /// Those that were left out, since many came at once, or since no server gave an answer in time.
    pub(in crate::chaos) left_out: usize,
    pub(in crate::chaos) unanswered: usize,
    /// Documents in the end, where the copy was what the collections were.
    pub(in crate::chaos) exact: Option<usize>,
}

impl Audit {
    /// Takes a marked point, or leaves it out where many wait.
    pub(in crate::chaos) fn take(&self, mark: Mark) {
        let most = if mark.is_end { ENDS_WAITING } else { WAITING };
        let mut marks = self.marks.borrow_mut();
        if most <= marks.len() {
            self.note(|outcome| outcome.left_out += 1);
        } else {
            marks.push_back(mark);
        }
    }

    /// Whether nothing waits.
    pub(in crate::chaos) fn is_idle(&self) -> bool {
        !self.is_busy.get() && self.marks.borrow().is_empty()
    }

    pub(in crate::chaos) fn outcome(&self) -> Outcome {
        self.outcome.get()
    }

    fn note(&self, change: impl FnOnce(&mut Outcome)) {
        let mut outcome = self.outcome.get();
        change(&mut outcome);
        self.outcome.set(outcome);
    }

    fn next(&self) -> Option<Mark> {
        let next = self.marks.borrow_mut().pop_front();
        self.is_busy.set(next.is_some());
        next
    }

    /// Compares the copy at a marked point; says how it is not exact there.
    async fn compare_at(&self, database: &Database, mark: Mark) -> Option<String> {
        let Ok(found) = compare(database, Some(mark.time), &mark.views).await else {
            self.note(|outcome| outcome.unanswered += 1);
            return None;
        };
        self.note(|outcome| {
            outcome.checked += 1;
            outcome.ends += usize::from(mark.is_end);
        });
        let (seconds, increment) = mark.time;
        let what = found.difference?;
        Some(format!("{} at {seconds}:{increment}: {what}", mark.name))
    }
}

/// Compares the copy at marked points until the run is over.
pub(in crate::chaos) async fn compare_marks(
    client: Client,
    database: String,
    record: Rc<Record>,
) -> Result<()> {
    let database = client.database(&database);
    while !record.is_over() {
        let Some(mark) = record.audit.next() else {
            sleep(POLL).await;
            continue;
        };
        if let Some(what) = record.audit.compare_at(&database, mark).await {
            record.violation(Flaw::Inexact, what);
        }
    }
    Ok(())
}

/// Compares the whole copy with the collections as they are in the end.
pub(in crate::chaos) async fn compare_at_end(
    client: &Client,
    database: &str,
    record: &Record,
) -> Result<()> {
    let Some(copy) = &record.copy else {
        return Ok(());
    };
    let views = copy.borrow().all();
    let compared = compare(&client.database(database), None, &views).await;
    let found = compared.context("compare the copy with the collections")?;
    match found.difference {
        None => record
            .audit
            .note(|outcome| outcome.exact = Some(found.documents)),
        Some(what) => record.violation(Flaw::Inexact, format!("in the end: {what}")),
    }
    for what in copy.borrow().runs.read_again() {
        record.violation(Flaw::ReadAgain, what);
    }
    for what in copy.borrow().runs.without_end() {
        record.violation(Flaw::Stuck, what);
    }
    Ok(())
}

/// What a comparison found.
#[derive(Debug)]
struct Found {
    documents: usize,
    difference: Option<String>,
}

/// Tries until a server answers.
async fn compare(database: &Database, time: Option<(u32, u32)>, views: &[View]) -> Result<Found> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let error = match compare_once(database, time, views).await {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        if deadline < Instant::now() {
            return Err(error);
        }
        sleep(REST).await;
    }
}

async fn compare_once(
    database: &Database,
    time: Option<(u32, u32)>,
    views: &[View],
) -> Result<Found> {
    let mut found = Found {
        documents: 0,
        difference: None,
    };
    for view in views {
        let there = read(database, view.collection, time).await?;
        found.documents += there.len();
        let difference = view.differs_from(&there);
        found.difference = found
            .difference
            .or(difference.map(|what| format!("{}: {what}", view.collection)));
    }
    Ok(found)
}

impl View {
    /// How the copy is not what is there.
    fn differs_from(&self, there: &HashMap<Vec<u8>, Document>) -> Option<String> {
        for (key, document) in there {
            match self.documents.get(key) {
                None if self.is_whole => {
                    return Some(format!("the copy lacks {}", name_of(document)));
                }
                None => {}
                Some(held) if Content::new(document.clone()).bytes == held.bytes => {}
                Some(held) => {
                    let difference = difference(document, &held.document);
                    return Some(format!(
                        "in the copy of {}: {difference}",
                        name_of(document)
                    ));
                }
            }
        }
        let mut held = self.documents.iter();
        let (_, extra) = held.find(|(key, _)| !there.contains_key(*key))?;
        Some(format!(
            "the copy has {}, which is not there",
            name_of(&extra.document)
        ))
    }
}

fn name_of(document: &Document) -> String {
    document
        .get("_id")
        .map_or(String::new(), ToString::to_string)
}

/// All documents of a collection at a cluster time, or now.
async fn read(
    database: &Database,
    collection: &str,
    time: Option<(u32, u32)>,
) -> Result<HashMap<Vec<u8>, Document>> {
    let concern = match time {
        None => doc! { "level": "majority" },
        Some((time, increment)) => {
            doc! { "level": "snapshot", "atClusterTime": Timestamp { time, increment } }
        }
    };
    let find = doc! { "find": collection, "batchSize": BATCH, "readConcern": concern };
    let mut documents = HashMap::new();
    let mut cursor = timeout(
        ANSWER_LIMIT,
        database.run_cursor_command(find).into_future(),
    )
    .await
    .context("no answer")??;
    while timeout(ANSWER_LIMIT, cursor.advance())
        .await
        .context("no answer")??
    {
        let document = Document::try_from(cursor.current())?;
        let key = document.get("_id").map(key_of).unwrap_or_default();
        documents.insert(key, document);
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(is_whole: bool, documents: &[Document]) -> View {
        let documents = documents.iter();
        let documents = documents.map(|document| {
            let key = key_of(&document["_id"]);
            (key, Content::new(document.clone()))
        });
        View {
            collection: "games",
            is_whole,
            documents: documents.collect(),
        }
    }

    #[test]
    fn each_difference_is_found() {
        let there = [doc! { "_id": 1, "a": 1 }, doc! { "_id": 2_i64 }];
        let map = |documents: &[Document]| {
            let documents = documents.iter();
            let pair = |document: &Document| (key_of(&document["_id"]), document.clone());
            documents.map(pair).collect::<HashMap<_, _>>()
        };
        assert_eq!(view(true, &there).differs_from(&map(&there)), None);
        assert_eq!(view(false, &there[..1]).differs_from(&map(&there)), None);
        for (copy, text) in [
            (&there[..1], "the copy lacks 2"),
            (&[there[0].clone(), doc! { "_id": 2 }], "the copy lacks 2"),
            (
                &[doc! { "_id": 1, "a": 1_i64 }, there[1].clone()],
                "in the copy of 1: a is 1, expected is 1",
            ),
        ] {
            let difference = view(true, copy).differs_from(&map(&there));
            assert_eq!(difference.as_deref(), Some(text));
        }
        let extra = view(false, &there).differs_from(&map(&there[1..]));
        assert_eq!(extra.as_deref(), Some("the copy has 1, which is not there"));
    }
}
