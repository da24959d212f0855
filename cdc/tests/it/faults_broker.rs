//! RabbitMQ killed, restarted, closing connections, out of memory and disk: nothing is lost, the order is kept.

use std::time::{Duration, Instant};

use bson::doc;

use crate::support::{
    Broker, Engine, Scenario, Signal, Writer, eventually, first_copies, mongo_uri, setting,
};

/// Far below what any broker needs.
const MEMORY_LIMIT: [&str; 2] = ["set_vm_memory_high_watermark", "0.0001"];

/// Longest wait of the engines for a confirm.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(3);

/// Documents of 1 MiB that are inserted during an alarm, at most.
const BACKLOG: i32 = 500;

/// A scenario on the broker of these tests, its engine and a writer that has begun.
async fn busy(label: &str, broker: &Broker) -> (Scenario, Engine, Writer) {
    let mut scenario = Scenario::at(label, &mongo_uri(), &broker.uri("")).await;
    scenario.set(
        "CDC_CONFIRM_TIMEOUT_MS",
        CONFIRM_TIMEOUT.as_millis().to_string(),
    );
    let engine = scenario.start().await;
    let writer = Writer::start(scenario.collection("numbers"));
    engine.delivers().await;
    (scenario, engine, writer)
}

/// Everything that was acknowledged arrived, the first copies in order, and the engine ends well.
async fn settle(scenario: &Scenario, engine: Engine, writer: Writer) -> String {
    let count = writer.stop().await;
    let deliveries = scenario.take_numbers(usize::try_from(count).unwrap()).await;
    assert_eq!(first_copies(&deliveries), (0..count).collect::<Vec<_>>());
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    finished.log
}

async fn status(engine: &Engine) -> u16 {
    engine.get("/ready").await.status
}

/// The broker goes and comes back under load; whatever its queue held, it holds again.
async fn restart(
    label: &str,
    mut broker: impl std::ops::DerefMut<Target = Broker>,
    is_killed: bool,
) {
    let (mut scenario, engine, writer) = busy(label, &broker).await;
    if is_killed {
        // A moment without answers first.
        broker.signal(Signal::STOP);
        engine.has_in_flight(50).await;
        broker.kill();
    } else {
        broker.stop().await;
    }
    engine.wait_for("rabbitmq lost").await;
    broker.start().await;
    let back = Instant::now();
    // A broker that is killed within two seconds of the queue's declaration may have forgotten it.
    let back_again = ["rabbitmq connected again", "the queue is gone"];
    eventually("the engine is connected again", async || {
        let log = engine.log();
        back_again.iter().any(|line| log.contains(line))
    })
    .await;
    assert!(
        back.elapsed() < Duration::from_secs(5),
        "{:?}",
        back.elapsed()
    );
    engine.delivers().await;
    scenario.reconnect(&broker.uri("")).await;
    settle(&scenario, engine, writer).await;
}

#[tokio::test]
async fn a_broker_that_is_killed_and_started_again_has_every_message_in_order() {
    restart("killed", Broker::exclusive().await, true).await;
}

#[tokio::test]
async fn a_broker_that_is_restarted_gracefully_has_every_message_in_order() {
    restart("graceful", Broker::exclusive().await, false).await;
}

#[tokio::test]
async fn an_operator_who_closes_the_connection_stops_nothing() {
    let broker = Broker::exclusive().await;
    let (scenario, engine, writer) = busy("closed", &broker).await;
    for times in 1..=2 {
        close_connections(&broker, "cdc run").await;
        engine
            .wait_for_times("rabbitmq connected again", times)
            .await;
    }
    let log = settle(&scenario, engine, writer).await;
    assert!(log.contains("CONNECTION_FORCED"), "{log}");
}

/// Closes the engine's connections on the management page, which lists them a moment late.
async fn close_connections(broker: &Broker, name: &str) {
    eventually("a connection is closed", async || {
        let list = broker.manage("GET", "/api/connections").await.json();
        let ours = list
            .as_array()
            .unwrap()
            .iter()
            .filter(|connection| connection["client_properties"]["connection_name"] == name);
        let mut closed = 0;
        for connection in ours {
            let name = connection["name"].as_str().unwrap().replace(' ', "%20");
            let path = format!("/api/connections/{}", name.replace('>', "%3E"));
            closed += usize::from(broker.manage("DELETE", &path).await.status == 204);
        }
        closed > 0
    })
    .await;
}

#[tokio::test]
async fn a_channel_that_dies_in_the_broker_stops_nothing() {
    let broker = Broker::exclusive().await;
    let (mut scenario, engine, writer) = busy("channel", &broker).await;
    let kill = "[exit(Channel, kill) || Channel <- rabbit_channel:list()].";
    broker.control(&["eval", kill]).await;
    engine.wait_for("rabbitmq connected again").await;
    scenario.reconnect(&broker.uri("")).await;
    settle(&scenario, engine, writer).await;
}

#[tokio::test]
async fn an_exchange_that_is_gone_stops_the_engine_by_its_name_and_loses_nothing() {
    let broker = Broker::exclusive().await;
    let mut scenario = Scenario::at("exchange", &mongo_uri(), &broker.uri("")).await;
    let exchange = format!("{}_exchange", scenario.name);
    scenario.declare_own().await;
    scenario.set("RABBITMQ_EXCHANGE", &exchange);
    scenario.declare_exchange(&exchange).await;
    scenario.bind(&scenario.name, &exchange, "#").await;
    let engine = scenario.start().await;
    let writer = Writer::start(scenario.collection("numbers"));
    engine.delivers().await;
    scenario.delete_exchange(&exchange).await;
    let finished = engine.finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    let text = format!("exchange `{exchange}` does not exist on virtual host `/`");
    for part in [text.as_str(), "hint: declare the exchange"] {
        assert!(finished.log.contains(part), "{}", finished.log);
    }
    scenario.declare_exchange(&exchange).await;
    scenario.bind(&scenario.name, &exchange, "#").await;
    let engine = scenario.start().await;
    settle(&scenario, engine, writer).await;
}

/// The memory or disk alarm goes on and off under load.
async fn alarm(label: &str, limit: &[&str]) {
    let mut broker = Broker::exclusive().await;
    let (scenario, engine, writer) = busy(label, &broker).await;
    eventually("the engine is ready", async || status(&engine).await == 200).await;
    broker.limit(limit).await;
    engine
        .wait_for("rabbitmq has blocked this connection")
        .await;
    eventually("it is not ready", async || status(&engine).await == 503).await;
    let report = engine.get("/ready").await.json();
    assert_eq!(report["obstacles"][0]["cause"], "blocked", "{report}");
    let series = format!("cdc_blocked{{pipeline=\"{}\"}} 1\n", scenario.name);
    let page = engine.get("/metrics").await.body;
    assert!(page.contains(&series), "{page}");
    // Longer than the wait for a confirm: an alarm is no lost connection.
    tokio::time::sleep(CONFIRM_TIMEOUT * 5 / 4).await;
    broker.end_alarms().await;
    eventually("it is ready again", async || status(&engine).await == 200).await;
    let log = settle(&scenario, engine, writer).await;
    for once in ["rabbitmq has blocked this", "rabbitmq has unblocked this"] {
        assert_eq!(log.matches(once).count(), 1, "{log}");
    }
    assert!(!log.contains("rabbitmq lost"), "{log}");
}

#[tokio::test]
async fn a_memory_alarm_is_said_once_and_waited_out() {
    alarm("memory_alarm", &MEMORY_LIMIT).await;
}

#[tokio::test]
async fn a_disk_alarm_is_said_once_and_waited_out() {
    alarm("disk_alarm", &["set_disk_free_limit", "900000GB"]).await;
}

/// `CDC_TEST_ALARM_SECONDS=60` is the long form.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_stays_flat_while_an_alarm_holds_up_documents_of_a_megabyte() {
    let seconds: u64 = setting("CDC_TEST_ALARM_SECONDS").map_or(6, |text| text.parse().unwrap());
    let mut broker = Broker::exclusive().await;
    let scenario = Scenario::at("megabytes", &mongo_uri(), &broker.uri("")).await;
    let engine = scenario.start().await;
    let insert = async |number: i32| {
        let document = doc! { "_id": number, "n": number, "pad": "x".repeat(1 << 20) };
        let numbers = scenario.collection("numbers");
        numbers.insert_one(document).await.unwrap();
    };
    for number in 0..40 {
        insert(number).await;
    }
    scenario.take_numbers(40).await;
    let before = engine.peak_memory_kib();
    broker.limit(&MEMORY_LIMIT).await;
    // The broker blocks a connection when it next publishes.
    insert(40).await;
    engine
        .wait_for("rabbitmq has blocked this connection")
        .await;
    let (alarm, mut count) = (Instant::now(), 41);
    let mut at_half = 0;
    while alarm.elapsed() < Duration::from_secs(seconds) {
        // Always far more than the engine may hold, and less than the oplog does.
        if count < BACKLOG {
            insert(count).await;
            count += 1;
        } else {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if at_half == 0 && alarm.elapsed() > Duration::from_secs(seconds / 2) {
            at_half = engine.peak_memory_kib();
        }
    }
    let after = engine.peak_memory_kib();
    let figures = format!(
        "{count} documents of 1 MiB, {seconds} s of alarm; peak memory in KiB: {before} before, {at_half} at half \
         time, {after} after"
    );
    report(&figures);
    assert!(after < 64 * 1024, "{figures}");
    // The kernel's count is a little behind and may go down.
    assert!(after < at_half + 4 * 1024, "{figures}");
    broker.end_alarms().await;
    let deliveries = scenario
        .take_numbers(usize::try_from(count - 40).unwrap())
        .await;
    assert_eq!(first_copies(&deliveries), (40..count).collect::<Vec<_>>());
    let peak = engine.peak_memory_kib();
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    // At full speed the driver's batches of 16 MB come faster than the allocator gives back those before: one more of
    // them than usual on a busy machine.
    assert!(peak < 128 * 1024, "{figures}, {peak} at the end");
}

#[expect(clippy::print_stdout, reason = "a measurement, shown with --nocapture")]
fn report(figures: &str) {
    println!("{figures}");
}
