//! `cdc tail --peek`: looks, and takes nothing.

use super::*;

#[tokio::test]
async fn peek_leaves_every_message_in_its_place() {
    for kind in KINDS {
        let scenario = Scenario::new("tail_peek").await;
        fill(&scenario, kind, 0..2_000).await;
        // The second look meets messages that came back, the third takes fewer than those.
        for (arguments, count) in [
            (&["--no-follow"][..], 2_000),
            (&["--count", "50"], 50),
            (&["--count", "3"], 3),
        ] {
            let arguments = [&["--peek"], arguments].concat();
            let (numbers, finished) = Tail::start(&scenario, &arguments).rest().await;
            assert_eq!(numbers, ordered(0..count), "{kind} {arguments:?}");
            assert_eq!(finished.code, Some(0));
            let warned = finished.log.contains("counts every look as a delivery");
            assert_eq!(
                warned,
                kind == "quorum" && count < 2_000,
                "{}",
                finished.log
            );
        }
        holds(&scenario, 0..2_000).await;
    }
}

#[tokio::test]
async fn peek_ends_before_it_wears_messages_out() {
    let scenario = Scenario::new("tail_worn").await;
    fill(&scenario, "quorum", 0..30).await;
    for look in 0..17 {
        let (numbers, finished) = Tail::start(&scenario, &["--peek", "--count", "1"])
            .rest()
            .await;
        assert_eq!(numbers, [0]);
        let code = i32::from(look >= 15);
        assert_eq!(finished.code, Some(code), "look {look}: {}", finished.log);
        let told = finished
            .log
            .contains(&format!("was given out {look} times before"));
        assert_eq!(told, look >= 15, "{}", finished.log);
        scenario.unread().await;
    }
    holds(&scenario, 0..30).await;
}

#[tokio::test]
async fn peek_that_is_killed_leaves_every_message_in_its_place() {
    for kind in KINDS {
        let scenario = Scenario::new("tail_peek_kill").await;
        fill(&scenario, kind, 0..2_000).await;
        let mut tail = Tail::start(&scenario, &["--peek"]);
        tail.numbers(1_000).await;
        tail.child.kill().await;
        holds(&scenario, 0..2_000).await;
    }
}
