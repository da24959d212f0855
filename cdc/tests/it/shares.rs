//! Several engines that divide a pipeline's documents among them: every change is in exactly one share.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bson::{Bson, Document, Timestamp, doc, oid::ObjectId};

use crate::{
    catching_up::alone,
    operate::ask,
    support::{Delivery, Engine, Scenario, check, eventually, time_of},
};

/// Documents of a collection, beside those with an `_id` of another type.
const DOCUMENTS: i32 = 200;

/// A scenario of engines that read the changes of documents and of whole collections.
async fn divided(label: &str) -> Scenario {
    let mut scenario = Scenario::new(label).await;
    scenario.set("CDC_OPERATIONS", "insert,replace,delete,drop");
    scenario
}

/// One engine for each share, each with a queue of its own.
async fn start(scenario: &mut Scenario, count: u16) -> Vec<Engine> {
    let mut engines = Vec::new();
    for index in 0..count {
        engines.push(share(scenario, index, count).start().await);
    }
    engines
}

/// The scenario with the settings of a share.
fn share(scenario: &mut Scenario, index: u16, count: u16) -> &mut Scenario {
    let queue = queue(scenario, index);
    scenario
        .set("CDC_SHARE", format!("{index}/{count}"))
        .set("RABBITMQ_QUEUE_NAME", queue)
}

fn queue(scenario: &Scenario, index: u16) -> String {
    format!("{}.share{index}", scenario.name)
}

/// Keys of every kind that users have: `DOCUMENTS` and eight others.
fn keys() -> Vec<Bson> {
    let numbers = (-DOCUMENTS / 2..DOCUMENTS / 2).map(Bson::Int32);
    let others = [
        Bson::Int64(1 << 40),
        Bson::Double(0.5),
        Bson::Double(f64::NAN),
        Bson::String("word".to_owned()),
        Bson::Null,
        Bson::Boolean(true),
        Bson::Document(doc! { "shop": 1, "order": "a" }),
        Bson::ObjectId(ObjectId::new()),
    ];
    numbers.chain(others).collect()
}

/// Inserts, replaces and deletes a document of each key.
async fn change(scenario: &Scenario, name: &str) {
    let collection = scenario.collection(name);
    for key in keys() {
        let document = |number| doc! { "_id": &key, "n": number };
        collection.insert_one(document(0)).await.unwrap();
        let id = doc! { "_id": &key };
        collection
            .replace_one(id.clone(), document(1))
            .await
            .unwrap();
        collection.delete_one(id).await.unwrap();
    }
}

/// What is in each queue, up to a change of the collection `end`, whose many documents are now inserted: every share has
/// some of them.
async fn take_to(end: &str, scenario: &Scenario, count: u16) -> Vec<Vec<Delivery>> {
    let many = (0..DOCUMENTS).map(|number| doc! { "_id": number });
    scenario.collection(end).insert_many(many).await.unwrap();
    let mut all = Vec::new();
    for index in 0..count {
        let mut is_end = |deliveries: &[Delivery]| {
            let last = deliveries.last();
            last.is_some_and(|last| is_of(last, end))
        };
        all.push(
            scenario
                .take_until(&queue(scenario, index), &mut is_end)
                .await,
        );
    }
    all
}

fn is_of(delivery: &Delivery, collection: &str) -> bool {
    let namespace = delivery.header("cdc-namespace");
    namespace
        .split_once('.')
        .is_some_and(|(_, name)| name == collection)
}

/// The operations of each document of the collection, in order and without repetitions, with its share.
fn by_document(name: &str, deliveries: &[Vec<Delivery>]) -> BTreeMap<String, Vec<(usize, String)>> {
    let mut documents: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
    for (index, share) in deliveries.iter().enumerate() {
        let mut seen = BTreeSet::new();
        let own = share.iter().filter(|one| is_of(one, name));
        for delivery in own.filter(|one| seen.insert(one.message_id())) {
            let operation = delivery.header("cdc-operation");
            if operation == "drop" {
                continue;
            }
            let id = delivery.json()["entry_id"].to_string();
            documents.entry(id).or_default().push((index, operation));
        }
    }
    documents
}

fn drops(share: &[Delivery]) -> usize {
    let is_drop = |one: &&Delivery| one.header("cdc-operation") == "drop";
    share.iter().filter(is_drop).count()
}

async fn stop(engines: Vec<Engine>) {
    for engine in engines {
        check(&engine.stop().await, 0, &[]);
    }
}

/// Of the changes of the collection's documents each is in one share, the same one for a document's whole life.
fn check_changes(name: &str, deliveries: &[Vec<Delivery>]) {
    let documents = by_document(name, deliveries);
    assert_eq!(documents.len(), keys().len());
    let mut loads: HashMap<usize, usize> = HashMap::new();
    for (id, changes) in documents {
        let operations: Vec<&str> = changes.iter().map(|(_, one)| one.as_str()).collect();
        assert_eq!(operations, ["insert", "replace", "delete"], "{id}");
        let shares: BTreeSet<usize> = changes.iter().map(|(share, _)| *share).collect();
        assert_eq!(shares.len(), 1, "{id}");
        *loads.entry(changes[0].0).or_default() += 1;
    }
    // Of a good hash, each has about as many.
    for load in loads.values() {
        assert!(keys().len() / deliveries.len() / 2 < *load, "{loads:?}");
    }
}

#[tokio::test]
async fn every_change_is_in_one_share_and_what_is_about_no_document_in_the_first() {
    let mut scenario = divided("shares").await;
    let engines = start(&mut scenario, 4).await;
    change(&scenario, "words").await;
    scenario.collection("words").drop().await.unwrap();
    let deliveries = take_to("end", &scenario, 4).await;
    check_changes("words", &deliveries);
    let drops: Vec<usize> = deliveries.iter().map(|share| drops(share)).collect();
    assert_eq!(drops, [1, 0, 0, 0]);
    stop(engines).await;
}

#[tokio::test]
async fn a_share_that_starts_late_begins_where_the_first_one_did() {
    let mut scenario = divided("late_share").await;
    let first = share(&mut scenario, 1, 2).start().await;
    change(&scenario, "words").await;
    let late = share(&mut scenario, 0, 2).start().await;
    check_changes("words", &take_to("end", &scenario, 2).await);
    stop(vec![first, late]).await;
}

#[tokio::test]
async fn an_engine_with_another_number_of_shares_is_refused() {
    let mut scenario = divided("other_shares").await;
    let engines = start(&mut scenario, 2).await;
    let finished = share(&mut scenario, 0, 3).spawn().finish().await;
    let fault = format!(
        "the pipeline `{}` is divided into 2 shares, these settings say 3",
        scenario.name
    );
    check(&finished, 1, &[&fault, "cdc checkpoint divide N"]);
    scenario.unset("CDC_SHARE");
    let finished = scenario.spawn().finish().await;
    check(
        &finished,
        1,
        &["is divided into 2 shares, these settings say 1"],
    );
    stop(engines).await;
    // Nor is a pipeline divided that is not.
    let mut scenario = divided("undivided").await;
    scenario.start().await.stop().await;
    let finished = share(&mut scenario, 0, 2).spawn().finish().await;
    check(
        &finished,
        1,
        &["is divided into 1 shares", "leave CDC_SHARE out"],
    );
}

#[tokio::test]
async fn a_pipeline_is_divided_anew_while_no_engine_runs_and_loses_nothing() {
    let mut scenario = divided("divide").await;
    let divide = |count: &'static str| ["checkpoint", "divide", count, "--yes"];
    let engine = share(&mut scenario, 0, 1).start().await;
    let answer = ask(&scenario, &divide("2")).await;
    answer.check(1, &["an engine of the pipeline", "holds the lock"]);
    engine.stop().await;
    change(&scenario, "words").await;
    ask(&scenario, &divide("2")).await.check(0, &["2 shares"]);
    let engines = start(&mut scenario, 2).await;
    let answer = ask(&scenario, &divide("3")).await;
    answer.check(1, &["an engine of the pipeline", ".0of2"]);
    check_changes("words", &take_to("end", &scenario, 2).await);
    stop(engines).await;

    change(&scenario, "more").await;
    ask(&scenario, &divide("3"))
        .await
        .check(0, &["2 shares -> 3 shares"]);
    let engines = start(&mut scenario, 3).await;
    check_changes("more", &take_to("end_of_three", &scenario, 3).await);
    stop(engines).await;

    change(&scenario, "whole").await;
    ask(&scenario, &divide("1"))
        .await
        .check(0, &["3 shares -> one engine"]);
    let engine = share(&mut scenario, 0, 1).start().await;
    check_changes("whole", &take_to("end_of_one", &scenario, 1).await);
    stop(vec![engine]).await;
}

/// A document of each key, all there before a snapshot.
async fn insert_keys(scenario: &Scenario) {
    let documents = keys().into_iter().map(|key| doc! { "_id": key });
    let words = scenario.collection("words");
    words.insert_many(documents).await.unwrap();
}

#[tokio::test]
async fn a_snapshot_of_shares_has_every_document_once() {
    let mut scenario = divided("share_snapshot").await;
    insert_keys(&scenario).await;
    scenario.set("CDC_SNAPSHOT", "initial");
    let engines = start(&mut scenario, 3).await;
    eventually("all documents were read", async || {
        let mut read = 0.0;
        for engine in &engines {
            read += engine.metric("cdc_snapshot_documents_total").await;
        }
        (f64::from(DOCUMENTS) + 8.0) <= read
    })
    .await;
    let mut found = BTreeMap::new();
    for index in 0..3 {
        let queue = queue(&scenario, index);
        let count = scenario.try_ready(&queue).await.unwrap() as usize;
        let deliveries = scenario.take_from(&queue, count).await;
        // The last insert may be a change too.
        let is_read = |one: &&Delivery| one.header("cdc-operation") == "read";
        for delivery in deliveries.iter().filter(is_read) {
            let partial = delivery.header("cdc-snapshot-filtered");
            assert_eq!(partial, "true", "no share has the whole collection");
            let id = delivery.json()["entry_id"].to_string();
            // The last one may come again to be marked.
            let earlier = found.insert(id, index);
            assert!(earlier.is_none_or(|earlier| earlier == index));
        }
    }
    assert_eq!(found.len(), keys().len());
    assert_eq!(found.values().collect::<BTreeSet<_>>().len(), 3);
    stop(engines).await;
}

#[tokio::test]
async fn a_divided_pipeline_shows_where_each_share_is_and_whether_an_engine_has_it() {
    let mut scenario = divided("share_status").await;
    let mut engines = start(&mut scenario, 2).await;
    scenario.unset("CDC_SHARE");
    // Where the shares began, long ago by now.
    let begin = Timestamp {
        time: 1_000,
        increment: 1,
    };
    scenario
        .tamper(
            "",
            doc! { "resume_token": Bson::Null, "cluster_time": begin },
        )
        .await;
    check(&engines.remove(1).stop().await, 0, &[]);
    let status = ask(&scenario, &["status", "--json"]).await.json();
    assert!(status["lag_seconds"].as_u64().unwrap() < 60, "{status}");
    assert!(status["headroom_seconds"].as_i64().unwrap() > 0, "{status}");
    assert_eq!(status["checkpoint"], serde_json::Value::Null);
    assert_eq!(status["has_leader"], false);
    let shares = status["shares"].as_array().unwrap();
    let names: Vec<_> = shares.iter().map(|share| &share["share"]).collect();
    assert_eq!(names, ["0/2", "1/2"]);
    let led: Vec<_> = shares.iter().map(|share| &share["has_leader"]).collect();
    assert_eq!(led, [true, false]);
    assert!(shares[1]["lag_seconds"].as_u64().unwrap() < 60, "{status}");
    let words = ask(&scenario, &["status"]).await.output;
    for part in [
        "that of each of its 2 shares",
        "share 0/2   a",
        ", one engine publishes\n",
        ", no engine\n",
        "1 of 2 shares have one that publishes",
    ] {
        assert!(words.contains(part), "no `{part}` in:\n{words}");
    }
    // One that has not begun begins where all of them did.
    let id = doc! { "_id": format!("{}.1of2", scenario.name) };
    scenario.checkpoints().delete_one(id).await.unwrap();
    let shown = ask(&scenario, &["checkpoint", "show"]).await.output;
    for part in [
        "divided     into 2 shares",
        "share 0/2   a",
        "share 1/2   not begun, begins at 1970",
    ] {
        assert!(shown.contains(part), "no `{part}` in:\n{shown}");
    }
    let shown = ask(&scenario, &["checkpoint", "show", "--json"])
        .await
        .json();
    assert_eq!(shown["checkpoint"], serde_json::Value::Null);
    let of = |index: usize| &shown["shares"][index]["checkpoint"];
    assert!(of(0)["cluster_time"].is_string(), "{shown}");
    assert_eq!(*of(1), serde_json::Value::Null);
    stop(engines).await;
}

#[tokio::test]
async fn a_share_is_not_cleared_and_a_divided_pipeline_is_not_copied() {
    let mut scenario = divided("share_edit").await;
    scenario.was_divided().await;
    let other = format!("{}_2", scenario.name);
    let copy = ["checkpoint", "copy", &other, "--yes"];
    let reason = ["is divided into shares", "cdc checkpoint divide 1"];
    ask(&scenario, &copy).await.check(1, &reason);
    let of_share = format!("{other}.0of2");
    let target = ["checkpoint", "copy", &of_share, "--yes"];
    ask(&scenario, &target)
        .await
        .check(64, &["is not the name of another pipeline"]);
    scenario.set("CDC_SHARE", "0/2");
    ask(&scenario, &copy).await.check(1, &reason);
    let before = scenario.checkpoint_of("0of2").await;
    let clear = ask(&scenario, &["checkpoint", "clear", "--yes"]).await;
    clear.check(
        1,
        &["would begin where the shares", "`cdc checkpoint set --now`"],
    );
    assert_eq!(scenario.checkpoint_of("0of2").await, before);
    let copied = doc! { "_id": other };
    assert_eq!(scenario.checkpoints().find_one(copied).await.unwrap(), None);
    // What the hint says works.
    let set = ask(&scenario, &["checkpoint", "set", "--now", "--yes"]).await;
    set.check(0, &[]);
    assert_ne!(scenario.checkpoint_of("0of2").await, before);
}

#[tokio::test]
async fn a_snapshot_of_a_divided_pipeline_is_asked_of_every_share() {
    let mut scenario = divided("share_requests").await;
    let engines = start(&mut scenario, 2).await;
    scenario.unset("CDC_SHARE");
    insert_keys(&scenario).await;
    let start = |name: &'static str| ["snapshot", "start", "--name", name];
    ask(&scenario, &start("all")).await.check(0, &[]);
    let watch = ask(&scenario, &["snapshot", "status", "all", "--watch"]).await;
    watch.check(0, &[]);
    let status = ask(&scenario, &["snapshot", "status", "--json"]).await;
    let status = status.json();
    let runs = status["runs"].as_array().unwrap();
    let of = |field: &str| -> Vec<_> { runs.iter().map(|run| run[field].clone()).collect() };
    assert_eq!(of("share"), ["0/2", "1/2"]);
    assert_eq!(of("state"), ["done", "done"]);
    let read = of("documents")
        .into_iter()
        .map(|count| count.as_u64().unwrap());
    assert_eq!(read.sum::<u64>(), keys().len() as u64);
    let words = ask(&scenario, &["snapshot", "status"]).await.output;
    assert!(words.contains("all  0/2    done"), "{words}");
    ask(&scenario, &start("all"))
        .await
        .check(1, &["there is a snapshot `all` already, which is done"]);
    ask(&scenario, &["snapshot", "cancel", "all"])
        .await
        .check(1, &["the snapshot `all` is over"]);
    stop(engines).await;

    // No engine of another division would take it.
    ask(&scenario, &start("later")).await.check(0, &[]);
    let divide = ["checkpoint", "divide", "3", "--yes"];
    let whose = format!(
        "the snapshot `later` of the share 0/2 of the pipeline `{}` is not over",
        scenario.name
    );
    ask(&scenario, &divide)
        .await
        .check(1, &[&whose, "cdc snapshot cancel"]);
    ask(&scenario, &["snapshot", "cancel"]).await.check(0, &[]);
    ask(&scenario, &divide).await.check(0, &["3 shares"]);
}

#[tokio::test]
async fn a_request_of_a_whole_pipeline_is_not_left_behind_by_a_division() {
    let scenario = divided("whole_request").await;
    scenario.start().await.stop().await;
    scenario
        .collection("words")
        .insert_one(doc! {})
        .await
        .unwrap();
    let start = ["snapshot", "start", "--name", "all"];
    ask(&scenario, &start).await.check(0, &[]);
    let whose = format!(
        "the snapshot `all` of the pipeline `{}` is not over",
        scenario.name
    );
    ask(&scenario, &["checkpoint", "divide", "2", "--yes"])
        .await
        .check(1, &[&whose]);
}

#[tokio::test]
async fn what_a_newer_release_wrote_of_a_division_is_refused_and_a_snapshots_share_is_named() {
    let mut scenario = divided("share_versions").await;
    scenario.was_divided().await;
    let divide = ["checkpoint", "divide", "3", "--yes"];
    scenario.tamper(".1of2", doc! { "version": 2 }).await;
    let whose = format!(
        "a snapshot of the share 1/2 of the pipeline `{}` is under way",
        scenario.name
    );
    ask(&scenario, &divide).await.check(1, &[&whose]);
    scenario.set("CDC_SHARE", "1/2");
    let set = ["checkpoint", "set", "--now", "--yes"];
    ask(&scenario, &set).await.check(1, &[&whose]);
    scenario.unset("CDC_SHARE");
    scenario.tamper(".1of2", doc! { "version": 4 }).await;
    let newer = ["1of2", "has format version 4, this release reads up to 3"];
    ask(&scenario, &divide).await.check(1, &newer);
    scenario.tamper(".1of2", doc! { "version": 1 }).await;

    scenario.tamper("", doc! { "version": 4 }).await;
    let newer = [
        &format!("`_id: \"{}\"`", scenario.name),
        "has format version 4, this release reads up to 3",
    ];
    ask(&scenario, &divide).await.check(1, &newer);
    let other = format!("{}_2", scenario.name);
    let copy = ["checkpoint", "copy", &other, "--yes"];
    ask(&scenario, &copy).await.check(1, &newer);
    let finished = share(&mut scenario, 0, 2).spawn().finish().await;
    check(&finished, 1, &newer);
}

/// A share among whose changes hardly any is of its own learns how far it has come, from single changes of others that it
/// does not publish.
#[tokio::test]
async fn a_long_way_of_other_shares_changes_is_read_in_steps_and_none_is_published() {
    let (_server, mut scenario) = alone("share_skims").await;
    scenario.set("CDC_OPERATIONS", "insert,update");
    let busy = scenario.collection("busy");
    let many = (0..20_000).map(|number| doc! { "_id": number, "n": 0 });
    busy.insert_many(many).await.unwrap();
    let engine = share(&mut scenario, 0, 2).start().await;
    check(&engine.stop().await, 0, &[]);
    let before = scenario.try_ready(&queue(&scenario, 0)).await.unwrap();
    let start = scenario.time_of("0of2").await;
    // As the server hashes, so that the test shares no code with the engine.
    let hash = doc! { "$abs": { "$mod": [{ "$toHashedIndexKey": "$_id" }, 2] } };
    let own = doc! { "$expr": { "$eq": [hash, 0] } };
    let of_others = doc! { "$nor": [own.clone()] };
    let update = doc! { "$inc": { "n": 1 } };
    for _ in 0..120 {
        let update = busy.update_many(of_others.clone(), update.clone());
        update.await.unwrap();
    }
    let end = scenario.now().await;
    let last = busy.find_one(own).await.unwrap().unwrap();
    busy.update_one(last, update).await.unwrap();
    let engine = scenario.start().await;
    let mut steps = BTreeSet::new();
    eventually("the share has read all", async || {
        steps.insert(scenario.time_of("0of2").await);
        steps.last() > Some(&end)
    })
    .await;
    let between = steps.iter().filter(|time| start < **time && **time < end);
    assert!(between.count() > 0, "{steps:?}");
    check(&engine.stop().await, 0, &["skimming"]);
    let after = scenario.try_ready(&queue(&scenario, 0)).await;
    assert_eq!(after, Some(before + 1));
}

impl Scenario {
    /// The position of a share, by its cluster time.
    async fn time_of(&self, share: &str) -> Timestamp {
        time_of(&self.checkpoint_of(share).await.unwrap())
    }

    async fn checkpoint_of(&self, share: &str) -> Option<Document> {
        let id = doc! { "_id": format!("{}.{share}", self.name) };
        self.checkpoints().find_one(id).await.unwrap()
    }

    /// Changes the document of a share, or, without its name, of the pipeline.
    async fn tamper(&self, share: &str, change: Document) {
        let name = [&self.name, share].concat();
        let checkpoints = self.checkpoints();
        let change = checkpoints.update_one(doc! { "_id": name }, doc! { "$set": change });
        assert_eq!(change.await.unwrap().matched_count, 1);
    }

    /// The engines of two shares have begun and ended.
    async fn was_divided(&mut self) {
        stop(start(self, 2).await).await;
        self.unset("CDC_SHARE");
    }
}
