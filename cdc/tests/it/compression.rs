//! Bodies that are compressed: said in a property, readable for others, and counted as they are sent.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use bson::doc;

use crate::{
    support::{Broker, Delivery, Scenario, mongo_uri},
    tail::harness::Tail,
};

/// Reads gzip, and knows nothing of the library that wrote it.
const GUNZIP: &str =
    "import gzip, sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))";

async fn insert_large(scenario: &Scenario, number: i32) {
    let document = doc! { "_id": number, "n": number, "pad": "x".repeat(200_000) };
    let numbers = scenario.collection("numbers");
    numbers.insert_one(document).await.unwrap();
}

fn gunzip(body: &[u8]) -> Vec<u8> {
    let mut python = Command::new("python3")
        .args(["-c", GUNZIP])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    // Less than a pipe holds.
    let mut input = python.stdin.take().unwrap();
    input.write_all(body).unwrap();
    drop(input);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn encoding(delivery: &Delivery) -> Option<&str> {
    let encoding = delivery.properties.content_encoding().as_ref();
    encoding.map(lapin::types::ShortString::as_str)
}

/// The delivery with its body as it was before it was compressed.
fn decompressed(delivery: &Delivery) -> Delivery {
    let body = match encoding(delivery) {
        Some("gzip") => gunzip(&delivery.body),
        Some("zstd") => zstd::stream::decode_all(delivery.body.as_slice()).unwrap(),
        other => panic!("{other:?}"),
    };
    Delivery {
        body,
        ..delivery.clone()
    }
}

#[tokio::test]
async fn large_bodies_are_compressed_and_small_ones_are_not() {
    for algorithm in ["gzip", "zstd"] {
        let mut scenario = Scenario::new("compressed").await;
        scenario
            .set("CDC_COMPRESSION", algorithm)
            .set("CDC_COMPRESSION_MIN_BYTES", "1000");
        let engine = scenario.start().await;
        scenario.insert_numbers(0..5).await;
        insert_large(&scenario, 5).await;
        let deliveries = scenario.take(6).await;
        let (large, small) = deliveries.split_last().unwrap();
        for (number, delivery) in (0..).zip(small) {
            assert_eq!((encoding(delivery), delivery.number()), (None, number));
        }
        assert_eq!(encoding(large), Some(algorithm));
        assert!(large.body.len() < 2_000, "{}", large.body.len());
        assert_eq!(
            large.properties.content_type().as_ref().unwrap().as_str(),
            "application/json"
        );
        let body = decompressed(large).json();
        assert_eq!(
            (body["n"].as_i64(), body["pad"].as_str().unwrap().len()),
            (Some(5), 200_000)
        );
        assert_eq!(engine.stop().await.code, Some(0));
    }
}

#[tokio::test]
async fn what_the_broker_takes_is_compared_with_the_compressed_body() {
    let mut broker = Broker::exclusive().await;
    broker.limit_messages(100_000).await;
    let mut scenario = Scenario::at("compressed_limit", &mongo_uri(), &broker.uri("")).await;
    scenario.set("CDC_COMPRESSION", "zstd");
    let engine = scenario.start().await;
    insert_large(&scenario, 7).await;
    let delivery = scenario.take(1).await.remove(0);
    assert_eq!(decompressed(&delivery).number(), 7);
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
}

#[tokio::test]
async fn tail_shows_what_was_compressed() {
    for algorithm in ["gzip", "zstd"] {
        let mut scenario = Scenario::new("compressed_tail").await;
        scenario
            .set("CDC_COMPRESSION", algorithm)
            .set("CDC_COMPRESSION_MIN_BYTES", "0");
        let engine = scenario.start().await;
        scenario.insert_numbers(0..20).await;
        let numbers = Tail::start(&scenario, &["--count", "20"]).rest().await.0;
        assert_eq!(numbers, (0..20).collect::<Vec<_>>());
        assert_eq!(engine.stop().await.code, Some(0));
    }
}
