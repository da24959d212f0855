//! Several nodes, the addresses of one, and ports where something else answers.

use std::time::{Duration, Instant};

use lapin::types::FieldTable;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::support::{
    Engine, Finished, Scenario, amqp_uri, check, first_copies, mongo_uri, proxy_to, required, run,
};

/// Host and port of the shared broker.
fn broker() -> String {
    amqp_uri().rsplit_once('@').unwrap().1.to_owned()
}

/// How `cdc tail` of an empty queue ends.
async fn tail(scenario: &Scenario, hosts: &str, more: &[(&str, &str)]) -> Finished {
    let settings = [
        ("RABBITMQ_HOST", hosts),
        ("RABBITMQ_QUEUE_NAME", &scenario.name),
    ];
    let settings = settings.iter().chain(more);
    let settings: Vec<_> = settings
        .map(|(variable, value)| ((*variable).to_owned(), (*value).to_owned()))
        .collect();
    Engine::spawn(&["tail", "--no-follow"], &settings)
        .finish()
        .await
}

/// Exit code and words of a look at a queue that is reached.
fn empty(scenario: &Scenario) -> (Option<i32>, String) {
    (Some(0), format!("queue `{}` is empty\n", scenario.name))
}

/// A port that takes connections and never says a word.
async fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// The shared broker at an IPv6 address too.
async fn at_ipv6() -> (JoinHandle<()>, String) {
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let relay = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(broker()).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    (relay, address)
}

#[tokio::test]
async fn a_node_that_is_down_is_passed_over() {
    let mut scenario = Scenario::new("nodes").await;
    scenario.unset("RABBITMQ_URI");
    scenario.set(
        "RABBITMQ_HOST",
        format!("localhost:1,{},127.0.0.1:1", broker()),
    );
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    let deliveries = scenario.take_numbers(10).await;
    assert_eq!(first_copies(&deliveries), (0..10).collect::<Vec<_>>());
    engine.wait_for("connected to rabbitmq").await;
    assert!(engine.log().contains(&broker()), "{}", engine.log());
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn the_engine_goes_on_at_another_node_when_its_own_is_gone() {
    let mut scenario = Scenario::new("next_node").await;
    let nodes = [proxy_to(broker()).await, proxy_to(broker()).await];
    let addresses = nodes.each_ref().map(|node| node.address.to_string());
    let uri = format!("amqp://guest:guest@{}", addresses.join(","));
    scenario.set("RABBITMQ_URI", uri);
    // One that the engine declares may be forgotten, and is filled again.
    let arguments = FieldTable::default();
    scenario.declare(&scenario.name, arguments).await;
    let engine = scenario.start().await;
    for n in 0..3 {
        scenario.insert_numbers(n * 10..n * 10 + 10).await;
        let mut numbers = first_copies(&scenario.take_until_number(n * 10 + 9).await);
        // What was confirmed while the connection was cut comes again.
        numbers.retain(|number| n * 10 <= *number);
        assert_eq!(numbers, (n * 10..n * 10 + 10).collect::<Vec<_>>());
        let log = engine.log();
        let last = log
            .lines()
            .rfind(|line| line.contains("connected to rabbitmq"))
            .unwrap();
        let own = addresses
            .iter()
            .position(|address| last.contains(address.as_str()))
            .unwrap();
        nodes[1 - own].pass();
        nodes[own].down();
        let times = usize::try_from(n).unwrap() + 2;
        engine.wait_for_times("connected to rabbitmq", times).await;
    }
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn nodes_that_swallow_everything_leave_time_for_a_good_one() {
    let scenario = Scenario::new("swallow").await;
    scenario
        .declare(&scenario.name, FieldTable::default())
        .await;
    let (first, second) = (silent().await, silent().await);
    let hosts = [first.1.as_str(), second.1.as_str(), &broker()].join(",");
    for _ in 0..3 {
        let finished = tail(&scenario, &hosts, &[]).await;
        assert_eq!((finished.code, finished.log), empty(&scenario));
    }
}

#[tokio::test]
async fn an_ipv6_address_is_reached_with_brackets_and_without() {
    let scenario = Scenario::new("ipv6").await;
    scenario
        .declare(&scenario.name, FieldTable::default())
        .await;
    let (relay, address) = at_ipv6().await;
    let port = address.rsplit_once(':').unwrap().1;
    for host in ["::1", "[::1]", &address] {
        let finished = tail(&scenario, host, &[("RABBITMQ_PORT", port)]).await;
        assert_eq!((finished.code, finished.log), empty(&scenario), "{host}");
    }
    relay.abort();
}

#[tokio::test]
async fn where_no_node_can_be_used_each_has_its_cause_in_one_line() {
    let scenario = Scenario::new("no_node").await;
    let soon = [("CDC_STARTUP_TIMEOUT_MS", "1000")];
    let finished = tail(&scenario, "127.0.0.1:1", &soon).await;
    let expected =
        "\nerror: rabbitmq at 127.0.0.1:1: connection refused\n\nhint: is RabbitMQ running there";
    check(&finished, 1, &[expected]);
    let finished = tail(&scenario, "127.0.0.1:1,127.0.0.1:2", &soon).await;
    check(
        &finished,
        1,
        &["127.0.0.1:1, 127.0.0.1:2: connection refused\n"],
    );
    let finished = tail(&scenario, "no-such-host.invalid", &soon).await;
    let expected = "error: rabbitmq at no-such-host.invalid:5673: name not found (";
    check(&finished, 1, &[expected, "hint: correct the name"]);
}

#[tokio::test]
async fn another_server_is_named_within_the_time_of_the_start() {
    let scenario = Scenario::new("other").await;
    let uri = mongo_uri();
    let mongo = uri
        .trim_start_matches("mongodb://")
        .split(',')
        .next()
        .unwrap();
    let management = required("CDC_TEST_RABBITMQ_MANAGEMENT");
    let management = management.trim_start_matches("http://");
    for (address, server) in [(mongo, "MongoDB"), (management, "an HTTP server")] {
        let started = Instant::now();
        let finished = tail(&scenario, address, &[("CDC_STARTUP_TIMEOUT_MS", "3000")]).await;
        assert!(
            started.elapsed() < Duration::from_secs(4),
            "{:?}",
            started.elapsed()
        );
        let expected =
            format!("error: rabbitmq at {address}: {server} answers there, not RabbitMQ\n");
        check(&finished, 1, &[&expected, "hint: correct host and port"]);
    }
}

#[tokio::test]
async fn a_mistyped_parameter_of_the_uri_is_a_fault() {
    let uri = format!("{}?hartbeat=7", amqp_uri());
    let finished = run(&[("RABBITMQ_URI", &uri)]).await;
    let expected = "RABBITMQ_URI: it has no parameter `hartbeat`; did you mean heartbeat?";
    check(&finished, 64, &[expected]);
}
