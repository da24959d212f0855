//! Where a pipeline without a checkpoint begins.

use super::{pause, rfc3339};
use crate::{
    resume::forgetful,
    support::{MongoServer, Scenario, check, first_copies},
};

#[tokio::test]
async fn a_first_start_begins_at_the_time_that_was_chosen_and_a_later_one_at_the_checkpoint() {
    let mut scenario = Scenario::new("start_time").await;
    scenario.set("CDC_COLLECTIONS", "numbers");
    scenario.insert_numbers(0..10).await;
    pause(&scenario).await;
    let begin = scenario.now().await;
    scenario.insert_numbers(10..20).await;
    scenario.set("CDC_START", rfc3339(begin));
    let engine = scenario.start().await;
    let numbers = first_copies(&scenario.take(10).await);
    assert_eq!(numbers, (10..20).collect::<Vec<_>>());
    assert_eq!(engine.stop().await.code, Some(0));
    scenario.set("CDC_START", "earliest");
    scenario.insert_numbers(20..30).await;
    let engine = scenario.start().await;
    let numbers = first_copies(&scenario.take_until_number(29).await);
    assert!(numbers.iter().all(|number| 10 <= *number), "{numbers:?}");
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_first_start_begins_with_the_oldest_change_that_the_server_has() {
    let server = MongoServer::start(&["--replSet", "earliest"]).await;
    server.initiate("earliest").await;
    let uri = server.uri("replicaSet=earliest");
    let mut scenario = Scenario::at("start_earliest", &uri, &crate::support::amqp_uri()).await;
    scenario.insert_numbers(0..50).await;
    scenario.set("CDC_START", "earliest");
    let engine = scenario.start().await;
    let numbers = first_copies(&scenario.take_numbers(50).await);
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_time_that_cannot_be_read_from_is_refused_and_leaves_no_checkpoint() {
    let (_server, mut scenario) = forgetful("start_refused").await;
    let begin = rfc3339(pause(&scenario).await);
    scenario.forget("foreign", "writes").await;
    let lost = format!("mongodb's oplog does not reach back to {begin}: it begins at 20");
    let cases = [
        (begin.as_str(), 1, lost.as_str()),
        (
            "2091-01-01T00:00:00+02:00",
            1,
            "2090-12-31T22:00:00Z is in the future",
        ),
        (
            "yesterday",
            64,
            "CDC_START: `yesterday` is not a time such as",
        ),
    ];
    for (start, code, text) in cases {
        scenario.set("CDC_START", start);
        let finished = scenario.spawn().finish().await;
        check(&finished, code, &[text, "hint: "]);
        assert_eq!(scenario.checkpoint().await, None, "{start}");
    }
}

#[tokio::test]
async fn the_privilege_that_the_oplogs_begin_takes_is_named_and_a_time_takes_none() {
    let server = MongoServer::guarded("start_guarded").await;
    server.create_user("root", "pw", "root").await;
    server
        .create_user("cdc", "pw", "readWriteAnyDatabase")
        .await;
    let uri = server.uri_of("root", "pw");
    let mut scenario = Scenario::at("start_guarded", &uri, &crate::support::amqp_uri()).await;
    scenario.set("MONGO_DATABASE_HOST", server.uri_of("cdc", "pw"));
    scenario.set("CDC_START", "earliest");
    let finished = scenario.spawn().finish().await;
    let parts = [
        "how far mongodb's oplog reaches back cannot be read",
        "db: \"local\"",
    ];
    check(&finished, 1, &parts);
    let begin = scenario.now().await;
    scenario.insert_numbers(0..10).await;
    scenario.set("CDC_START", rfc3339(begin));
    let engine = scenario.start().await;
    let numbers = first_copies(&scenario.take_numbers(10).await);
    assert_eq!(numbers, (0..10).collect::<Vec<_>>());
    assert_eq!(engine.stop().await.code, Some(0));
}
