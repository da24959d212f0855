//! `cdc tail`: shows messages, and loses none, whatever ends it.

pub(crate) mod harness;
mod peek;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use lapin::{
    BasicProperties,
    options::{BasicConsumeOptions, BasicPublishOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable},
};

use crate::support::{Engine, Scenario, Signal, amqp_uri, eventually, proxy_to};

use self::harness::{Tail, fill, holds, ordered, settings};

const KINDS: [&str; 2] = ["classic", "quorum"];

#[tokio::test]
async fn count_takes_as_many_and_leaves_the_rest_in_its_order() {
    for kind in KINDS {
        let scenario = Scenario::new("tail_count").await;
        fill(&scenario, kind, 0..300).await;
        let mut next = 0;
        for count in [1, 7, 100] {
            let tail = Tail::start(&scenario, &["--count", &count.to_string()]);
            let (numbers, finished) = tail.rest().await;
            assert_eq!(numbers, ordered(next..next + count), "{kind}");
            assert_eq!((finished.code, finished.log.as_str()), (Some(0), ""));
            next += count;
        }
        let touched = holds(&scenario, next..300).await;
        assert_eq!(touched, 0, "{kind}: no more are taken than are wanted");
    }
}

#[tokio::test]
async fn no_follow_ends_when_the_queue_is_empty() {
    for kind in KINDS {
        let scenario = Scenario::new("tail_no_follow").await;
        fill(&scenario, kind, 0..5_000).await;
        let (numbers, finished) = Tail::start(&scenario, &["--no-follow"]).rest().await;
        assert_eq!(numbers, ordered(0..5_000), "{kind}");
        assert_eq!((finished.code, finished.log.as_str()), (Some(0), ""));
        let (numbers, finished) = Tail::start(&scenario, &["--no-follow"]).rest().await;
        let told = format!("queue `{}` is empty\n", scenario.name);
        assert_eq!((numbers.len(), finished.code), (0, Some(0)));
        assert_eq!(finished.log, told, "an empty queue");
    }
}

#[tokio::test]
async fn a_message_is_shown_as_soon_as_it_comes() {
    let scenario = Scenario::new("tail_follow").await;
    fill(&scenario, "classic", 0..1).await;
    let mut tail = Tail::start(&scenario, &[]);
    assert_eq!(tail.number().await, 0);
    let mut late = Vec::new();
    for n in 1..20 {
        fill(&scenario, "classic", n..n + 1).await;
        let published = Instant::now();
        assert_eq!(tail.number().await, n);
        late.push(published.elapsed());
    }
    // Most of them: the machine may be busy.
    late.sort();
    assert!(late[10] < Duration::from_millis(50), "{late:?}");
    tail.child.signal(Signal::INT);
    let (numbers, finished) = tail.rest().await;
    assert_eq!(
        (numbers.len(), finished.code, finished.log.as_str()),
        (0, Some(0), "")
    );
    // What was not acknowledged comes back a moment after its consumer is gone.
    tokio::time::sleep(Duration::from_millis(200)).await;
    scenario.is_empty().await;
}

#[tokio::test]
async fn a_closed_pipe_loses_nothing_that_was_not_read() {
    for kind in KINDS {
        let scenario = Scenario::new("tail_head").await;
        fill(&scenario, kind, 0..1_000).await;
        let mut next = 0;
        for count in [1, 3, 20, 200] {
            let mut tail = Tail::start(&scenario, &[]);
            assert_eq!(
                tail.numbers(count).await,
                ordered(next..next + count),
                "{kind}"
            );
            let finished = tail.close().await;
            assert_eq!((finished.code, finished.log.as_str()), (Some(0), ""));
            scenario.unread().await;
            next += count;
        }
        holds(&scenario, next..1_000).await;
    }
}

#[tokio::test]
async fn a_pipe_that_is_closed_while_nothing_comes_is_an_end() {
    let scenario = Scenario::new("tail_idle").await;
    fill(&scenario, "classic", 0..1).await;
    let mut tail = Tail::start(&scenario, &[]);
    assert_eq!(tail.number().await, 0);
    assert_eq!(tail.close().await.code, Some(0));
}

#[tokio::test]
async fn a_message_is_acknowledged_only_after_its_line_was_read() {
    let scenario = Scenario::new("tail_unread").await;
    fill(&scenario, "classic", 0..10).await;
    let tail = Tail::start(&scenario, &[]);
    // Nobody reads. All messages are on their way, none is gone.
    eventually("messages are given out", async || {
        scenario.ready().await < 10
    })
    .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    tail.child.signal(Signal::TERM);
    let finished = tail.child.finish().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    holds(&scenario, 0..10).await;
}

#[tokio::test]
async fn a_kill_in_the_middle_loses_nothing() {
    for kind in KINDS {
        let scenario = Scenario::new("tail_kill").await;
        fill(&scenario, kind, 0..5_000).await;
        let mut tail = Tail::start(&scenario, &[]);
        let read = 1_234;
        tail.numbers(read).await;
        tail.child.kill().await;
        let (numbers, _) = Tail::start(&scenario, &["--no-follow"]).rest().await;
        let first = numbers[0];
        assert!(
            first <= read,
            "{kind}: {first} comes after the {read} that were read"
        );
        assert_eq!(numbers, ordered(first..5_000), "{kind}");
    }
}

#[tokio::test]
async fn a_signal_puts_back_what_was_not_shown() {
    for kind in KINDS {
        let scenario = Scenario::new("tail_signal").await;
        fill(&scenario, kind, 0..1_000).await;
        let mut tail = Tail::start(&scenario, &[]);
        assert_eq!(tail.numbers(10).await, ordered(0..10));
        tail.child.signal(Signal::TERM);
        // Each line that is read makes room for the next, until the signal has been looked at.
        let (more, finished) = tail.rest().await;
        assert_eq!((finished.code, finished.log.as_str()), (Some(0), ""));
        assert!(more.len() < 100, "{more:?}");
        let (numbers, _) = Tail::start(&scenario, &["--no-follow"]).rest().await;
        assert!(
            (0..=10 + more.len()).contains(&usize::try_from(numbers[0]).unwrap()),
            "{kind}: {}",
            numbers[0]
        );
        assert_eq!(numbers, ordered(numbers[0]..1_000), "{kind}");
    }
}

#[tokio::test]
async fn a_lost_connection_is_said_and_shows_nothing_twice() {
    for arguments in [&["--peek"][..], &[]] {
        let scenario = Scenario::new("tail_cut").await;
        fill(&scenario, "classic", 0..100).await;
        let uri = amqp_uri();
        let (_, address) = uri.rsplit_once('@').unwrap();
        let (address, _) = address.split_once('/').unwrap_or((address, ""));
        let proxy = proxy_to(address.to_owned()).await;
        let uri = uri.replace(address, &proxy.address.to_string());
        let mut tail = Tail::start_with(&settings(&scenario, uri), arguments);
        assert_eq!(tail.numbers(100).await, ordered(0..100));
        proxy.cut();
        tail.child.wait_for("connected again").await;
        fill(&scenario, "classic", 100..110).await;
        assert_eq!(tail.numbers(10).await, ordered(100..110), "{arguments:?}");
        tail.child.signal(Signal::TERM);
        let (more, finished) = tail.rest().await;
        assert_eq!(
            (more.len(), finished.code),
            (0, Some(0)),
            "{}",
            finished.log
        );
        assert!(
            finished.log.contains("connecting again"),
            "{}",
            finished.log
        );
    }
}

#[tokio::test]
async fn another_consumer_is_said() {
    let scenario = Scenario::new("tail_other").await;
    fill(&scenario, "classic", 0..1).await;
    let mut first = Tail::start(&scenario, &["--peek"]);
    assert_eq!(first.number().await, 0);
    let (numbers, finished) = Tail::start(&scenario, &["--peek", "--no-follow"])
        .rest()
        .await;
    assert_eq!((numbers.len(), finished.code), (0, Some(0)));
    assert!(
        finished.log.contains("has another consumer"),
        "{}",
        finished.log
    );
}

#[tokio::test]
async fn a_queue_that_gives_nothing_out_holds_up_no_signal() {
    let scenario = Scenario::new("tail_single").await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    scenario.declare(&scenario.name, arguments).await;
    let name = scenario.name.as_str();
    let channel = scenario.channel().await;
    channel
        .basic_qos(1, BasicQosOptions::default())
        .await
        .unwrap();
    let options = BasicConsumeOptions::default();
    let _active = channel
        .basic_consume(name.into(), "active".into(), options, FieldTable::default())
        .await
        .unwrap();
    for _ in 0..5 {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        channel
            .basic_publish("".into(), name.into(), options, b"{}", properties)
            .await
            .unwrap();
    }
    let tail = Tail::start(&scenario, &[]);
    tail.child.wait_for("has another consumer").await;
    tail.child.signal(Signal::TERM);
    let signalled = Instant::now();
    let (numbers, finished) = tail.rest().await;
    assert_eq!((numbers.len(), finished.code), (0, Some(0)));
    assert!(
        signalled.elapsed() < Duration::from_secs(10),
        "{:?}",
        signalled.elapsed()
    );
}

#[tokio::test]
async fn a_stream_is_shown_from_its_begin_every_time() {
    let scenario = Scenario::new("tail_stream").await;
    fill(&scenario, "stream", 0..500).await;
    let mut settings = settings(&scenario, amqp_uri());
    settings.push(("CDC_QUEUE_TYPE".to_owned(), "stream".to_owned()));
    for (arguments, count) in [
        (&["--no-follow"][..], 500),
        (&["--peek", "--count", "7"], 7),
        (&["--no-follow"], 500),
    ] {
        let (numbers, finished) = Tail::start_with(&settings, arguments).rest().await;
        assert_eq!(numbers, ordered(0..count), "{arguments:?}");
        assert_eq!(finished.code, Some(0));
    }
}

#[tokio::test]
async fn a_stream_is_shown_from_where_one_wants() {
    let scenario = Scenario::new("tail_from").await;
    fill(&scenario, "stream", 0..500).await;
    let mut settings = settings(&scenario, amqp_uri());
    let classic = Tail::start_with(&settings, &["--from", "3"]).rest().await;
    assert_eq!(classic.1.code, Some(64));
    assert!(
        classic.1.log.contains("--from: it is for streams"),
        "{}",
        classic.1.log
    );
    settings.push(("CDC_QUEUE_TYPE".to_owned(), "stream".to_owned()));
    for (from, first) in [("first", 0), ("490", 490), ("2020-01-01T00:00:00Z", 0)] {
        let arguments = ["--no-follow", "--from", from];
        let (numbers, finished) = Tail::start_with(&settings, &arguments).rest().await;
        assert_eq!(numbers, ordered(first..500), "{from}");
        assert_eq!(finished.code, Some(0));
    }
    let last = Tail::start_with(&settings, &["--no-follow", "--from", "last"]);
    let (numbers, _) = last.rest().await;
    assert!(
        numbers.len() < 500 && numbers.ends_with(&[499]),
        "{numbers:?}"
    );
    let next = Tail::start_with(&settings, &["--no-follow", "--from", "next"]);
    assert_eq!(next.rest().await.0, ordered(0..0));
}

#[tokio::test]
async fn a_missing_queue_is_an_error_and_stays_missing() {
    let scenario = Scenario::new("tail_missing").await;
    for _ in 0..2 {
        let (numbers, finished) = Tail::start(&scenario, &[]).rest().await;
        assert_eq!((numbers.len(), finished.code), (0, Some(1)));
        let expected = format!(
            "error: queue `{}` does not exist on virtual host `/`\n\nhint: ",
            scenario.name
        );
        assert!(finished.log.starts_with(&expected), "{}", finished.log);
    }
}

#[tokio::test]
async fn a_broker_that_is_away_is_waited_for_and_then_named() {
    let scenario = Scenario::new("tail_away").await;
    let mut settings = settings(&scenario, "amqp://guest:guest@127.0.0.1:1".to_owned());
    settings.push(("CDC_STARTUP_TIMEOUT_MS".to_owned(), "600".to_owned()));
    let started = Instant::now();
    let (_, finished) = Tail::start_with(&settings, &[]).rest().await;
    assert!(started.elapsed() >= Duration::from_millis(600));
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.log.contains("\nerror: rabbitmq at 127.0.0.1:1"),
        "{}",
        finished.log
    );
    assert!(
        finished.log.contains("hint: is RabbitMQ running there"),
        "{}",
        finished.log
    );
}

#[tokio::test]
async fn every_fault_of_the_configuration_is_named_at_once() {
    let scenario = Scenario::new("tail_faults").await;
    let mut settings = settings(&scenario, "http://guest:secret@nowhere".to_owned());
    settings.push(("CDC_QUEUE_TYPE".to_owned(), "heap".to_owned()));
    let (_, finished) = Tail::start_with(&settings, &["--count", "none"])
        .rest()
        .await;
    assert_eq!(finished.code, Some(64));
    for part in [
        "RABBITMQ_URI: ",
        "CDC_QUEUE_TYPE: `heap`",
        "--count: `none`",
    ] {
        assert!(finished.log.contains(part), "{part} in {}", finished.log);
    }
    assert!(!finished.log.contains("secret"), "{}", finished.log);
}

#[tokio::test]
async fn an_output_that_cannot_be_written_to_is_an_error_and_loses_nothing() {
    let scenario = Scenario::new("tail_full").await;
    fill(&scenario, "classic", 0..100).await;
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let redirect = |command: &mut Command| {
        command.stdout(full);
    };
    let tail = Engine::spawn_with(&["tail"], &settings(&scenario, amqp_uri()), redirect);
    let finished = tail.finish().await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .log
            .starts_with("error: write to standard output: No space left"),
        "{}",
        finished.log
    );
    holds(&scenario, 0..100).await;
}
