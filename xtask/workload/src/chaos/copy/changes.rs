//! A client that changes what a snapshot reads, in every way and in transactions over several collections.

use std::{rc::Rc, time::Duration};

use anyhow::Result;
use bson::{Document, doc};
use mongodb::{Client, ClientSession, Database, options::WriteConcern};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::{sleep, timeout};

use super::{
    OWN, names,
    prepare::{document, id, shares},
};
use crate::chaos::record::Record;

/// Longest wait for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// After a failure.
const REST: Duration = Duration::from_millis(100);
/// Between two turns.
const PAUSE: Duration = Duration::from_millis(5);
/// Documents of a collection that come and go, beyond those that were there in the beginning.
const MORE: u32 = 500;

/// Changes the collections that are only copied until the run is over.
///
/// What becomes of a change whose answer is lost is no matter: what the server has is compared, not what was written.
pub(in crate::chaos) async fn change(
    client: Client,
    database: String,
    documents: u32,
    seed: u64,
    record: Rc<Record>,
) -> Result<()> {
    let database = client.database(&database);
    let counts: Vec<u32> = names()
        .zip(shares(documents))
        .filter(|(name, _)| OWN.contains(name))
        .map(|(_, share)| share + MORE)
        .collect();
    let mut rng = StdRng::seed_from_u64(seed ^ 0x00c0_b1e5);
    let mut turn = 0;
    while record.is_running() {
        turn += 1;
        let changing = change_once(&client, &database, &counts, turn, &mut rng);
        let outcome = timeout(ANSWER_LIMIT, changing).await;
        let is_done = matches!(outcome, Ok(Ok(())));
        sleep(if is_done { PAUSE } else { REST }).await;
    }
    Ok(())
}

async fn change_once(
    client: &Client,
    database: &Database,
    counts: &[u32],
    turn: u32,
    rng: &mut StdRng,
) -> Result<()> {
    let mut session = client.start_session().await?;
    // Several changes, now and then of the same document, at one cluster time.
    let count = if rng.random_ratio(1, 4) { 5 } else { 1 };
    if 1 < count {
        let starting = session.start_transaction();
        starting.write_concern(WriteConcern::majority()).await?;
    }
    let mut chosen = choose(counts, rng);
    for _ in 0..count {
        if rng.random_ratio(2, 3) {
            chosen = choose(counts, rng);
        }
        one(database, &mut session, chosen, turn, rng).await?;
    }
    if 1 < count {
        session.commit_transaction().await?;
    }
    Ok(())
}

/// Number of a collection, and of a document in it.
fn choose(counts: &[u32], rng: &mut StdRng) -> (usize, u32) {
    let collection = rng.random_range(0..counts.len());
    (collection, rng.random_range(0..counts[collection]))
}

async fn one(
    database: &Database,
    session: &mut ClientSession,
    (collection, number): (usize, u32),
    turn: u32,
    rng: &mut StdRng,
) -> Result<()> {
    let name = OWN[collection];
    let collection = database.collection::<Document>(name);
    let filter = doc! { "_id": id(name, number) };
    match rng.random_range(0..10) {
        0..5 => {
            let updating = collection.update_one(filter, update(turn, rng));
            updating.session(session).await?;
        }
        5..8 => {
            let document = document(name, number, turn);
            let replacing = collection.replace_one(filter, document);
            replacing.upsert(true).session(session).await?;
        }
        _ => {
            let deleting = collection.delete_one(filter);
            deleting.session(session).await?;
        }
    }
    Ok(())
}

fn update(turn: u32, rng: &mut StdRng) -> Document {
    match rng.random_range(0..5) {
        0 => doc! { "$set": { "turn": turn, "in.b.c": turn } },
        1 => doc! { "$push": { "list": { "deep": turn } } },
        2 => {
            doc! { "$push": { "list": { "$each": [turn], "$slice": -2 } }, "$unset": { "in.a": "" } }
        }
        3 => doc! { "$unset": { "text": "" }, "$set": { "list.0": turn } },
        _ => doc! { "$set": { "text": format!("{turn}\n"), "new": turn } },
    }
}
