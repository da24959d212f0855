//! The admin port: counts, liveness, and readiness that tells what is in the way.

mod load;

use std::{collections::BTreeMap, time::Duration};

use harness::{http, port};
use lapin::types::{AMQPValue, FieldTable};

use crate::{
    operate::ask,
    support::{Engine, Scenario, Signal, amqp_uri, check, eventually, proxy_to, run},
};

/// Longest wait for one answer.
const LIMIT: Duration = Duration::from_millis(500);

/// The value of the series of a pipeline.
fn value(page: &str, name: &str, pipeline: &str) -> f64 {
    let series = format!("{name}{{pipeline=\"{pipeline}\"}} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&series));
    line.unwrap_or_else(|| panic!("no {series} in\n{page}"))
        .parse()
        .unwrap()
}

#[tokio::test]
async fn metrics_count_what_was_read_published_confirmed_and_saved() {
    let scenario = Scenario::new("metrics").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..1_234).await;
    scenario.take_numbers(1_234).await;
    engine.has_confirmed(1_234).await;
    eventually("the checkpoint is saved", async || {
        let page = engine.get("/metrics").await.body;
        value(&page, "cdc_messages_in_flight", &scenario.name) == 0.0
            // The first one is at the start.
            && value(&page, "cdc_checkpoint_saves_total", &scenario.name) >= 2.0
    })
    .await;
    let reply = engine.get("/metrics").await;
    assert_eq!(reply.status, 200);
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(reply.head.contains(kind), "{}", reply.head);
    let value = |name: &str| value(&reply.body, name, &scenario.name);
    for counter in ["events_read", "messages_published", "messages_confirmed"] {
        let name = format!("cdc_{counter}_total");
        assert!((value(&name) - 1_234.0).abs() < 0.5, "{}", reply.body);
    }
    let bodies = value("cdc_bytes_published_total");
    assert!(
        (200.0 * 1_234.0..600.0 * 1_234.0).contains(&bodies),
        "{bodies}"
    );
    assert!(value("cdc_leader") > 0.5, "{}", reply.body);
    assert!(value("cdc_checkpoint_age_seconds") < 10.0, "{}", reply.body);
    assert!(value("cdc_lag_seconds") < 10.0, "{}", reply.body);
    for clean in ["messages_retried", "messages_nacked", "messages_returned"] {
        assert!(value(&format!("cdc_{clean}_total")) < 0.5, "{}", reply.body);
    }
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn what_was_on_its_way_at_the_last_save_counts_as_replayed_after_a_crash() {
    let window: u32 = 200;
    let mut scenario = Scenario::new("replayed").await;
    scenario
        .set("CDC_WINDOW_EVENTS", window.to_string())
        .set("CDC_CHECKPOINT_INTERVAL_MS", "20");
    scenario.start().await.stop().await;
    scenario.insert_numbers(0..20_000).await;
    scenario.set("CDC_TEST_CRASH_AT", "during-save:3");
    assert_eq!(scenario.spawn().finish().await.code, None, "it crashes");
    scenario.unset("CDC_TEST_CRASH_AT");
    let engine = scenario.start().await;
    let deliveries = scenario.take_until_number(19_999).await;
    let page = engine.get("/metrics").await.body;
    let counted = value(&page, "cdc_messages_replayed_total", &scenario.name);
    let replayed = u32::try_from(deliveries.len() - 20_000).unwrap();
    // The crash may have come before the last of them had left the process.
    assert!(
        0.0 < counted && counted <= f64::from(replayed + window),
        "{counted} of {replayed}"
    );
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn readiness_goes_while_the_broker_is_away_and_comes_back_with_it() {
    let mut scenario = Scenario::new("ready").await;
    let proxy = scenario.behind_a_proxy("").await;
    let engine = scenario.start().await;
    let ready = async || engine.get("/ready").await;
    eventually("the engine is ready", async || ready().await.status == 200).await;
    let at_ease = serde_json::json!({
        "ready": true, "role": "leader", "obstacles": [], "catching_up": null, "notice": null
    });
    // A busy machine may be some seconds behind for a moment.
    eventually("nothing is in the way", async || {
        ready().await.json() == at_ease
    })
    .await;
    proxy.down();
    let mut reply = ready().await;
    eventually("the broker is in the way", async || {
        reply = ready().await;
        reply.json()["obstacles"][0]["cause"] == "rabbitmq"
    })
    .await;
    let report = reply.json();
    assert_eq!(
        (reply.status, &report["ready"], &report["role"]),
        (503, &false.into(), &"leader".into())
    );
    let obstacle = &report["obstacles"][0];
    let reason = obstacle["reason"].as_str().unwrap();
    assert!(reason.contains(&proxy.address.to_string()), "{reason}");
    assert!(obstacle["for_seconds"].as_u64().unwrap() < 60, "{report}");
    assert!(!report.to_string().contains("guest:guest"), "{report}");
    assert_eq!(engine.get("/live").await.status, 200);
    proxy.pass();
    eventually("it is ready again", async || ready().await.status == 200).await;
    let page = engine.get("/metrics").await.body;
    let series = format!(
        "cdc_reconnects_total{{pipeline=\"{}\",server=\"rabbitmq\"}} 1",
        scenario.name
    );
    assert!(page.contains(&series), "{page}");
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn readiness_tells_of_a_mongodb_that_is_away_at_the_start_and_later() {
    let mut scenario = Scenario::new("ready_mongo").await;
    let primary = scenario.primary().await;
    let proxy = proxy_to(primary).await;
    let uri = format!("mongodb://{}/?directConnection=true", proxy.address);
    scenario.set("MONGO_DATABASE_HOST", uri + "&serverSelectionTimeoutMS=500");
    let away = async |engine: &Engine, role: &str| {
        eventually("mongodb is in the way", async || {
            let reply = engine.get("/ready").await;
            let report = reply.json();
            reply.status == 503
                && report["role"] == role
                && report["obstacles"][0]["cause"] == "mongodb"
        })
        .await;
    };
    proxy.down();
    let engine = scenario.spawn();
    let ready = async || engine.get("/ready").await.status == 200;
    away(&engine, "starting").await;
    proxy.pass();
    eventually("the engine is ready", ready).await;
    proxy.down();
    away(&engine, "leader").await;
    proxy.pass();
    eventually("it is ready again", ready).await;
    let page = engine.get("/metrics").await.body;
    let pipeline = &scenario.name;
    let series = format!("cdc_reconnects_total{{pipeline=\"{pipeline}\",server=\"mongodb\"}} 1\n");
    assert!(page.contains(&series), "{page}");
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_leader_that_lost_its_lead_is_a_standby_like_any_other() {
    let mut scenario = Scenario::new("ready_standby").await;
    // A queue that is soon full, so that something is in the leader's way when its time is over.
    let exchange = format!("{}_exchange", scenario.name);
    let limits = [
        ("x-max-length", AMQPValue::LongInt(500)),
        ("x-overflow", AMQPValue::LongString("reject-publish".into())),
    ];
    let limits = limits.map(|(name, value)| (name.into(), value));
    let limits = FieldTable::from(BTreeMap::from(limits));
    scenario.declare_exchange(&exchange).await;
    scenario.declare(&scenario.name, limits).await;
    scenario.bind(&scenario.name, &exchange, "#").await;
    scenario
        .set("RABBITMQ_EXCHANGE", &exchange)
        .set("RABBITMQ_URI", format!("{}/%2f?heartbeat=1", amqp_uri()));
    let first = scenario.start().await;
    let mut second = scenario.spawn();
    let role = async |engine: &Engine| {
        let reply = engine.get("/ready").await;
        let role = reply.json()["role"].as_str().unwrap().to_owned();
        (reply.status, role)
    };
    eventually("the second one stands by, ready", async || {
        role(&second).await == (200, "standby".to_owned())
    })
    .await;
    scenario.insert_numbers(0..2_000).await;
    first.wait_for("rabbitmq refused a message").await;
    first.signal(Signal::STOP);
    second.leads().await;
    first.signal(Signal::CONT);
    eventually("the first one stands by, ready", async || {
        role(&first).await == (200, "standby".to_owned())
    })
    .await;
    let page = first.get("/metrics").await.body;
    for gauge in ["leader", "blocked", "messages_in_flight", "bytes_in_flight"] {
        let zero = value(&page, &format!("cdc_{gauge}"), &scenario.name).abs() < 0.5;
        assert!(zero, "cdc_{gauge} in\n{page}");
    }
    let page = second.get("/metrics").await.body;
    assert!(value(&page, "cdc_leader", &scenario.name) > 0.5, "{page}");
    scenario.take_numbers(2_000).await;
    assert_eq!(first.stop().await.code, Some(0));
    assert_eq!(second.stop().await.code, Some(0));
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_and_silent_clients_keep_nobody_out() {
    let scenario = Scenario::new("http").await;
    let engine = scenario.start().await;
    let address = engine.admin().to_owned();
    assert_eq!(engine.get("/live").await.status, 200);
    assert_eq!(engine.get("/nowhere").await.status, 404);
    assert_eq!(
        http::request(&address, ("POST", "/metrics"), "", LIMIT)
            .await
            .unwrap()
            .status,
        405
    );
    let mut silent = Vec::new();
    for index in 1..=1_500 {
        silent.push(tokio::net::TcpStream::connect(&address).await.unwrap());
        if index % 100 == 0 {
            let asking = http::request(&address, ("GET", "/metrics"), "", LIMIT);
            assert_eq!(asking.await.unwrap().status, 200);
        }
    }
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_taken_admin_port_is_said_before_anything_else_and_a_wrong_one_is_a_fault() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    // No server listens on port 1: the engine must not even try.
    let settings = |address: &str| {
        [
            ("MONGO_DATABASE_HOST", "mongodb://127.0.0.1:1"),
            ("RABBITMQ_URI", "amqp://guest:guest@127.0.0.1:1"),
            ("CDC_ADMIN_ADDR", address),
        ]
        .map(|(variable, value)| (variable.to_owned(), value.to_owned()))
    };
    let finished = Engine::spawn(&[], &settings(&address)).finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    let text = format!(
        "error: admin port {address} is taken\n\nhint: stop the other program, or set CDC_ADMIN_ADDR to another \
         address or `off`\n"
    );
    assert_eq!(finished.log, text);
    let finished = Engine::spawn(&[], &settings("localhost")).finish().await;
    assert_eq!(finished.code, Some(64), "{}", finished.log);
    let fault = "CDC_ADMIN_ADDR: `localhost` is not an address and a port such as 127.0.0.1:9464";
    assert!(finished.log.contains(fault), "{}", finished.log);
}

#[tokio::test]
async fn other_machines_are_let_in_with_a_token_or_where_a_setting_says_so() {
    let open = ("CDC_ADMIN_ADDR", "0.0.0.0:0");
    let finished = run(&[open]).await;
    let names = [
        "CDC_ADMIN_ADDR: ",
        "CDC_ADMIN_TOKEN",
        "CDC_ADMIN_ALLOW_ANYONE=on",
    ];
    check(&finished, 64, &names);

    let mut scenario = Scenario::new("token").await;
    let address = format!("0.0.0.0:{}", port::free());
    scenario
        .set("CDC_ADMIN_ADDR", &address)
        .set("CDC_ADMIN_TOKEN", "hunter2-and-16-bytes");
    let engine = scenario.spawn();
    eventually("`cdc health` shows the token", async || {
        let health = ask(&scenario, &["health"]).await;
        health.output == "ready: leader\n"
    })
    .await;
    let address = address.replace("0.0.0.0", "127.0.0.1");
    let get = async |path, headers: &str| {
        let asking = http::request(&address, ("GET", path), headers, LIMIT);
        asking.await.unwrap()
    };
    for path in ["/metrics", "/status.json"] {
        assert_eq!(get(path, "").await.status, 401);
        let shown = "Authorization: Bearer hunter2-and-16-bytes\r\n";
        assert_eq!(get(path, shown).await.status, 200);
        assert_eq!(get(path, &shown.replace("16", "17")).await.status, 401);
    }
    let ready = get("/ready", "").await;
    assert_eq!(
        (ready.status, ready.body.as_str()),
        (200, "{\"ready\":true}\n")
    );
    scenario.unset("CDC_ADMIN_TOKEN");
    scenario.set("CDC_ADMIN_ALLOW_ANYONE", "on");
    assert_eq!(engine.stop().await.code, Some(0));
    let engine = scenario.spawn();
    eventually("anyone may ask", async || {
        let asking = http::request(&address, ("GET", "/metrics"), "", LIMIT);
        asking.await.is_ok_and(|reply| reply.status == 200)
    })
    .await;
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn the_status_tells_of_the_flow_and_of_the_settings_without_a_secret() {
    let mut scenario = Scenario::new("status_json").await;
    scenario
        .set("CDC_ADMIN_TOKEN", "hunter2-token-of-this-test")
        .set("CDC_FIELDS_MASK", "pad=hash")
        .set("CDC_FIELDS_MASK_SECRET", "hunter2-secret-of-this-test");
    let engine = scenario.spawn();
    let shown = "Authorization: Bearer hunter2-token-of-this-test\r\n";
    let status = async || {
        let asking = http::request(engine.admin(), ("GET", "/status.json"), shown, LIMIT);
        asking
            .await
            .map_or_else(|_| String::new(), |reply| reply.body)
    };
    let field = async |path: &str| {
        let status: serde_json::Value = serde_json::from_str(&status().await).unwrap_or_default();
        status.pointer(path).cloned().unwrap_or_default()
    };
    eventually("changes would flow", async || {
        field("/state").await == "streaming"
    })
    .await;
    scenario.insert_numbers(0..500).await;
    scenario.take_numbers(500).await;
    eventually("all of it is told", async || {
        field("/sink/confirmed").await == 500
            && field("/sink/per_second").await.as_f64() > Some(0.0)
            && field("/checkpoint/age_seconds").await.is_number()
    })
    .await;
    assert_eq!(field("/pipeline").await, scenario.name.as_str());
    eventually("a sample of history is there", async || {
        field("/history/confirmed_per_second/0").await.is_number()
    })
    .await;
    let text = status().await;
    assert!(text.contains("CDC_FIELDS_MASK_SECRET"), "{text}");
    for secret in ["hunter2", "guest:guest"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert_eq!(engine.stop().await.code, Some(0));
}
