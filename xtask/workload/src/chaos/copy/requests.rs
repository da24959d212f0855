//! Asks for one run after the other, and notices when another session of an engine begins.

use std::{rc::Rc, time::Duration};

use anyhow::Result;
use bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use mongodb::{Client, Database, options::WriteConcern};
use tokio::time::{sleep, timeout};

use crate::chaos::{record::Record, setup::Names};

/// Between two looks.
const POLL: Duration = Duration::from_millis(50);
/// Longest wait for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Name of the run that `CDC_SNAPSHOT=initial` makes.
const INITIAL: &str = "initial";

/// Has a run under way all the time, until no more faults happen.
pub(in crate::chaos) async fn request_runs(
    client: Client,
    names: Names,
    rate: u32,
    record: Rc<Record>,
) -> Result<()> {
    let Some(copy) = &record.copy else {
        return Ok(());
    };
    let database = client.database(&names.checkpoints);
    let mut writer = None;
    copy.borrow_mut().runs.asked_for(INITIAL);
    while !record.is_over() {
        let found = timeout(ANSWER_LIMIT, writer_of(&database, &names.queue)).await;
        if let Ok(found) = found
            && found.is_some()
            && found != writer
        {
            copy.borrow_mut().runs.session_begun();
            writer = found;
        }
        let all_done = copy.borrow().runs.all_done();
        if all_done && record.is_running() {
            let run = format!("run-{}", copy.borrow().runs.count() + 1);
            let asking = timeout(ANSWER_LIMIT, ask(&database, &names.queue, &run, rate));
            if asking.await.is_ok_and(|outcome| outcome.is_ok()) {
                record.tell(&format!("    asked for {run}"));
                copy.borrow_mut().runs.asked_for(&run);
            }
        }
        sleep(POLL).await;
    }
    Ok(())
}

/// Which session of an engine wrote the checkpoint last.
async fn writer_of(database: &Database, pipeline: &str) -> Option<ObjectId> {
    let checkpoints = database.collection::<Document>("checkpoints");
    let checkpoint = checkpoints.find_one(doc! { "_id": pipeline }).await;
    checkpoint.ok()??.get_object_id("writer").ok()
}

/// As `cdc snapshot start` does. What was asked for already, though its answer was lost, is fine.
async fn ask(database: &Database, pipeline: &str, run: &str, rate: u32) -> Result<()> {
    let request = doc! {
        "_id": { "pipeline": pipeline, "run": run }, "version": 1,
        "collections": null, "filter": null, "rate": i64::from(rate), "requested_at": DateTime::now(),
        "wanted": "run", "state": "waiting", "reason": null, "started_at": null, "ended_at": null,
        "documents": 0_i64, "bytes": 0_i64, "skipped": Bson::Array(Vec::new()),
    };
    let requests = database.collection::<Document>("snapshots");
    let upserting = requests.update_one(
        doc! { "_id": request.get_document("_id")? },
        doc! { "$setOnInsert": without_id(&request) },
    );
    let upserting = upserting.upsert(true);
    upserting.write_concern(WriteConcern::majority()).await?;
    Ok(())
}

fn without_id(request: &Document) -> Document {
    let fields = request.iter().filter(|(name, _)| *name != "_id");
    fields
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
