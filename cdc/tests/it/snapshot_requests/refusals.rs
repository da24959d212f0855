//! What is refused before anything is asked for.

use bson::Document;

use crate::{operate::ask, support::Scenario};

/// Option, value, exit code and a part of the error.
const REFUSED: [(&str, &str, i32, &str); 14] = [
    (
        "collections",
        "gmaes",
        1,
        "`gmaes` matches no watched collection; the nearest name is `games`",
    ),
    ("collections", "gmaes", 1, "hint: is `games` meant?"),
    (
        "collections",
        "moves",
        1,
        "`moves` matches no watched collection",
    ),
    (
        "collections",
        "games,x*",
        1,
        "`x*` matches no watched collection",
    ),
    (
        "collections",
        "gains",
        1,
        "`gains` is a view, of which no snapshot is taken",
    ),
    (
        "collections",
        "ticks",
        1,
        "`ticks` is a timeseries, of which",
    ),
    (
        "collections",
        "ga*,log",
        1,
        "log`: it is capped, and mongodb reads no snapshot",
    ),
    (
        "collections",
        "system.views",
        64,
        "--collections: `system.views` is a system collection",
    ),
    ("filter", "[1]", 64, "--filter: not a JSON object"),
    (
        "filter",
        r#"{"$near": 1}"#,
        1,
        "unknown top level operator: $near",
    ),
    (
        "filter",
        r#"{"$text": {"$search": "a"}}"#,
        1,
        "text index required",
    ),
    ("rate", "0", 64, "--rate: `0` is not a whole number from 1"),
    ("name", "a b", 64, "--name: `a b` is not a name"),
    (
        "name",
        "initial",
        64,
        "--name: `initial` is the name of the run",
    ),
];

#[tokio::test]
async fn what_no_snapshot_can_be_taken_of_is_refused_and_nothing_is_asked_for() {
    let mut scenario = Scenario::new("requests_refused").await;
    let none = ask(&scenario, &["snapshot", "start"]).await;
    none.check(
        1,
        &["there is no collection to take a snapshot of", "hint: "],
    );
    scenario.create_all_kinds().await;
    scenario.set("CDC_COLLECTIONS_EXCLUDE", "moves");
    for (option, value, code, part) in REFUSED {
        let option = format!("--{option}");
        let answer = ask(&scenario, &["snapshot", "start", &option, value]).await;
        answer.check(code, &[part, "hint: "]);
    }
    scenario.set("CDC_AGGREGATION", r#"[{"$match": {"a": 1}}]"#);
    let stages = ask(&scenario, &["snapshot", "start"]).await;
    stages.check(
        64,
        &["CDC_AGGREGATION: documents that are read do not pass through the stages"],
    );
    assert_eq!(scenario.stored_requests().await, [] as [Document; 0]);
}
