//! `cdc snapshot`: what is refused before anything is asked for, and what becomes of a run.

mod refusals;
mod status;

use bson::{Bson, DateTime, Document, doc};
use cdc::{
    mongo::Mongo,
    snapshot::requests::{Error, Report, Request, Requests, State, Wanted},
};

use crate::{
    operate::ask,
    support::{Scenario, mongo_uri},
};

impl Scenario {
    /// The documents of this pipeline's requests.
    async fn stored_requests(&self) -> Vec<Document> {
        let requests = self.mongo.database("cdc_test");
        let requests = requests.collection::<Document>("snapshots");
        let mut found = requests
            .find(doc! { "_id.pipeline": &self.name })
            .await
            .unwrap();
        let mut all = Vec::new();
        while found.advance().await.unwrap() {
            all.push(found.deserialize_current().unwrap());
        }
        all
    }

    /// The same as the engine sees them.
    async fn requests(&self) -> Requests {
        let mongo = Mongo::new(&mongo_uri()).await.unwrap();
        Requests::new(&mongo, "cdc_test", &self.name)
    }

    /// Two collections, and one of each kind that has no snapshot.
    pub(crate) async fn create_all_kinds(&self) {
        let database = self.mongo.database(&self.name);
        for command in [
            doc! { "create": "games" },
            doc! { "create": "moves" },
            doc! { "create": "log", "capped": true, "size": 4096 },
            doc! { "create": "gains", "viewOn": "games", "pipeline": [] },
            doc! { "create": "ticks", "timeseries": { "timeField": "at" } },
        ] {
            database.run_command(command).await.unwrap();
        }
        self.collection("games")
            .insert_one(doc! { "n": 1 })
            .await
            .unwrap();
        self.collection("log")
            .insert_one(doc! { "n": 1 })
            .await
            .unwrap();
    }
}

fn report(state: State) -> Report {
    Report {
        state,
        reason: None,
        started_at: Some(DateTime::from_millis(1_000)),
        ended_at: state.is_ended().then(|| DateTime::from_millis(2_000)),
        documents: 7,
        bytes: 70,
        skipped: vec![("d.log".to_owned(), "it is capped".to_owned())],
    }
}

#[tokio::test]
async fn a_snapshot_is_asked_for_and_what_cannot_be_read_is_left_out_with_the_reason() {
    let scenario = Scenario::new("requests_start").await;
    scenario.create_all_kinds().await;
    let name = |collection: &str| format!("{}.{collection}", scenario.name);
    let all = ask(&scenario, &["snapshot", "start", "--json"])
        .await
        .json();
    let collections = [name("games"), name("moves")];
    assert_eq!(all["collections"], serde_json::json!(collections));
    let left_out = all["left_out"].to_string();
    for (collection, reason) in [
        ("gains", "it is a view"),
        ("ticks", "it is a timeseries"),
        ("log", "it is capped"),
    ] {
        assert!(left_out.contains(&name(collection)), "{left_out}");
        assert!(left_out.contains(reason), "{left_out}");
    }

    let arguments = [
        "snapshot",
        "start",
        "--name",
        "some",
        "--collections",
        "ga*,moves",
        "--filter",
        r#"{"n": {"$gte": {"$numberLong": "1"}}}"#,
        "--rate",
        "2000",
    ];
    let some = ask(&scenario, &arguments).await;
    some.check(0, &["left out: `", "gains`: it is a view"]);
    assert!(some.output.starts_with("snapshot `some` of `"));
    let stored = scenario.stored_requests().await;
    let mut second = stored[1].clone();
    assert!(second.remove("requested_at").unwrap().as_datetime() > None);
    let expected = doc! {
        "_id": { "pipeline": &scenario.name, "run": "some" }, "version": 1,
        "collections": ["moves", "ga*"], "filter": r#"{"n": {"$gte": {"$numberLong": "1"}}}"#, "rate": 2000_i64,
        "wanted": "run", "state": "waiting", "reason": null, "started_at": null, "ended_at": null,
        "documents": 0_i64, "bytes": 0_i64, "skipped": [],
    };
    assert_eq!(second, expected);
    assert_eq!(stored[0].get("collections"), Some(&Bson::Null));
}

#[tokio::test]
async fn runs_take_turns_by_the_time_they_were_asked_for_and_the_engine_tells_of_them() {
    let scenario = Scenario::new("requests_engine").await;
    let requests = scenario.requests().await;
    assert_eq!(requests.active().await.unwrap(), []);
    for (run, time) in [("late", 3_000), ("early", 1_000), ("between", 2_000)] {
        let mut request = Request::new(run);
        request.requested_at = DateTime::from_millis(time);
        requests.submit(&request).await.unwrap();
    }
    let names = async || {
        let active = requests.active().await.unwrap().into_iter();
        active.map(|request| request.run).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["early", "between", "late"]);
    requests.set_wanted("early", Wanted::Pause).await.unwrap();
    for state in [State::Running, State::Paused, State::Failed] {
        assert!(requests.report("early", &report(state)).await.unwrap());
        let early = requests.get("early").await.unwrap().unwrap();
        assert_eq!((early.state, early.wanted), (state, Wanted::Pause));
        assert_eq!((early.documents, early.bytes), (7, 70));
        assert_eq!(early.skipped, report(state).skipped);
    }
    assert_eq!(names().await, ["between", "late"]);
    assert_eq!(requests.list().await.unwrap().len(), 3);
    let ended = requests.set_wanted("early", Wanted::Run).await;
    assert!(matches!(
        ended,
        Err(Error::Ended {
            state: State::Failed,
            ..
        })
    ));
    assert!(!requests.report("none", &report(State::Done)).await.unwrap());

    requests.announce(&Request::new("initial")).await.unwrap();
    requests
        .report("initial", &report(State::Running))
        .await
        .unwrap();
    requests.announce(&Request::new("initial")).await.unwrap();
    let initial = requests.get("initial").await.unwrap().unwrap();
    assert_eq!(initial.state, State::Running);
    let exists = requests.submit(&Request::new("initial")).await;
    assert!(matches!(
        exists,
        Err(Error::Exists {
            state: State::Running,
            ..
        })
    ));
}

#[tokio::test]
async fn a_request_of_a_newer_release_is_refused_and_those_of_other_pipelines_are_not_seen() {
    let scenario = Scenario::new("requests_newer").await;
    let requests = scenario.requests().await;
    requests.submit(&Request::new("a")).await.unwrap();
    let mongo = Mongo::new(&mongo_uri()).await.unwrap();
    for other in [format!("{}0", scenario.name), String::new()] {
        let other = Requests::new(&mongo, "cdc_test", &other);
        assert!(!other.list().await.unwrap().iter().any(|one| one.run == "a"));
    }
    let stored = scenario.mongo.database("cdc_test");
    let stored = stored.collection::<Document>("snapshots");
    let id = doc! { "_id": { "pipeline": &scenario.name, "run": "a" } };
    let newer = doc! { "$set": { "version": 2 } };
    stored.update_one(id, newer).await.unwrap();
    let status = ask(&scenario, &["snapshot", "status"]).await;
    status.check(
        1,
        &[
            "has format version 2, this release reads up to 1",
            "hint: run the release that wrote it",
        ],
    );
    assert!(matches!(requests.active().await, Err(Error::Newer { .. })));
    assert!(requests.set_wanted("a", Wanted::Cancel).await.is_err());
}
