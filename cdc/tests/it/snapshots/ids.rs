//! Every document is read whatever its `_id` and its collection are, also in several ranges and while it changes.

use std::time::Duration;

use bson::{
    Binary, Bson, DateTime, DbPointer, Document, JavaScriptCodeWithScope, RawDocumentBuf,
    Timestamp, doc, oid::ObjectId, spec::BinarySubtype,
};

use super::{Copy, beginning, marks, reads};
use crate::{
    operate::ask,
    support::{Delivery, Scenario, check},
};

/// Time between changes.
const PAUSE: Duration = Duration::from_millis(20);

/// One of each kind that an `_id` may be, and values that stand close to each other in the index.
fn ids(number: i32) -> Vec<Bson> {
    let text = format!("text {number:04}");
    let binary = |subtype| {
        Bson::Binary(Binary {
            subtype,
            bytes: number.to_be_bytes().into(),
        })
    };
    vec![
        number.into(),
        (i64::from(number) + (1 << 40)).into(),
        (f64::from(number) + 0.5).into(),
        format!("{number}.25")
            .parse::<bson::Decimal128>()
            .unwrap()
            .into(),
        text.to_uppercase().into(),
        doc! { "a": number, "b": [1, null] }.into(),
        doc! { "$ref": "games", "$id": number, "$db": "other" }.into(),
        doc! { "b": Bson::MinKey, "a": number }.into(),
        binary(BinarySubtype::Generic),
        binary(BinarySubtype::UserDefined(0x80)),
        ObjectId::new().into(),
        DateTime::from_millis(i64::from(number) * -1_000_000_007).into(),
        Bson::Timestamp(Timestamp {
            time: number.unsigned_abs(),
            increment: 1,
        }),
        Bson::JavaScriptCode(format!("f({number})")),
        Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope {
            code: "f()".to_owned(),
            scope: doc! { "n": number },
        }),
    ]
}

/// Those of which there are few.
fn singles() -> Vec<Bson> {
    vec![
        Bson::MinKey,
        Bson::MaxKey,
        Bson::Null,
        true.into(),
        false.into(),
        f64::NAN.into(),
        f64::INFINITY.into(),
        f64::NEG_INFINITY.into(),
        i64::MIN.into(),
        i64::MAX.into(),
        "".into(),
        doc! {}.into(),
        DateTime::MAX.into(),
        DateTime::MIN.into(),
        Bson::Binary(Binary {
            subtype: BinarySubtype::Generic,
            bytes: Vec::new(),
        }),
    ]
}

async fn fill_with_ids(scenario: &Scenario, collection: &str, count: i32) -> usize {
    let ids = (0..count).flat_map(ids).chain(singles());
    let documents: Vec<Document> = ids.map(|id| doc! { "a": 1, "_id": id }).collect();
    for chunk in documents.chunks(5_000) {
        scenario
            .collection(collection)
            .insert_many(chunk)
            .await
            .unwrap();
    }
    documents.len()
}

/// Each in chunks of a few documents, and in several ranges.
#[tokio::test]
async fn documents_with_ids_of_every_type_are_read_whatever_the_collation_and_the_index() {
    let mut scenario = beginning("ids").await;
    scenario.set("CDC_TEST_RANGE_DOCUMENTS", "200");
    let cluster = doc! { "key": { "_id": 1 }, "unique": true };
    let collation = doc! { "locale": "de", "strength": 2 };
    scenario
        .run_command(doc! { "create": "collated", "collation": collation })
        .await;
    scenario
        .run_command(doc! { "create": "clustered", "clusteredIndex": cluster })
        .await;
    for collection in ["plain", "collated", "clustered"] {
        let count = fill_with_ids(&scenario, collection, 60).await;
        assert_eq!(count, 60 * ids(0).len() + singles().len());
    }
    let engine = scenario.start().await;
    scenario.run_ends("initial").await;
    let deliveries = scenario.take_all().await;
    let copy = Copy::of(&deliveries);
    for collection in ["plain", "collated", "clustered"] {
        copy.is_exact(&scenario, collection).await;
        let of_it = |read: &&&Delivery| read.header("cdc-namespace").ends_with(collection);
        let read = reads(&deliveries);
        let of_it: Vec<_> = read.iter().filter(of_it).collect();
        let ranges = of_it
            .iter()
            .filter(|read| marks(read).contains("range-last"));
        assert!(4 <= ranges.count(), "{collection} was read in ranges");
    }
    assert!(
        copy.reads < 3 * (60 * ids(0).len() + singles().len() + 6),
        "each once"
    );
    check(&engine.stop().await, 0, &[]);
}

/// Nothing is before the one and behind the other, so no range can end or begin there.
#[tokio::test]
async fn the_least_and_the_greatest_id_are_read_where_they_are_alone() {
    let scenario = beginning("ends").await;
    for (collection, id) in [("least", Bson::MinKey), ("greatest", Bson::MaxKey)] {
        let only = doc! { "_id": id, "n": 1 };
        scenario
            .collection(collection)
            .insert_one(only)
            .await
            .unwrap();
    }
    let engine = scenario.start().await;
    scenario.run_ends("initial").await;
    let start = [
        "snapshot",
        "start",
        "--name",
        "ones",
        "--filter",
        r#"{"n": 1}"#,
    ];
    ask(&scenario, &start).await.check(0, &[]);
    scenario.run_ends("ones").await;
    let deliveries = scenario.take_all().await;
    let copy = Copy::of(&deliveries);
    for run in ["initial", "ones"] {
        let of_it = reads(&deliveries)
            .into_iter()
            .filter(|read| read.header("cdc-snapshot") == run);
        let keys: std::collections::HashSet<_> =
            of_it.map(|read| read.header("cdc-document-key")).collect();
        assert_eq!(keys.len(), 2, "{run}");
    }
    for collection in ["least", "greatest"] {
        assert_eq!(copy.is_exact(&scenario, collection).await, 1);
    }
    check(&engine.stop().await, 0, &[]);
}

/// A collation takes no symbol.
#[tokio::test]
async fn pointers_and_symbols_of_old_drivers_and_large_ids_are_read() {
    let mut scenario = beginning("old_ids").await;
    scenario.set("CDC_SNAPSHOT_RATE", "4");
    let pointers = (0..4).map(|_| Bson::DbPointer(pointer()));
    let pointers = pointers.chain([Bson::Symbol("symbol".to_owned())]);
    let large = (0..4).map(|number| Bson::from(format!("{number}{}", "x".repeat(30_000))));
    let documents = pointers.chain(large).map(|id| doc! { "_id": id });
    let documents: Vec<RawDocumentBuf> = documents
        .map(|one| RawDocumentBuf::try_from(&one).unwrap())
        .collect();
    let database = scenario.mongo.database(&scenario.name);
    let games = database.collection::<RawDocumentBuf>("games");
    games.insert_many(documents).await.unwrap();
    let engine = scenario.start().await;
    scenario.run_ends("initial").await;
    let copy = Copy::of(&scenario.take_all().await);
    assert_eq!(copy.is_exact(&scenario, "games").await, 9);
    check(&engine.stop().await, 0, &[]);
}

fn pointer() -> DbPointer {
    let id = ObjectId::new();
    let json =
        serde_json::json!({ "$dbPointer": { "$ref": "games", "$id": { "$oid": id.to_hex() } } });
    serde_json::from_value(json).unwrap()
}

#[tokio::test]
async fn a_large_collection_that_is_written_to_all_the_time_is_copied_exactly() {
    let mut scenario = beginning("large").await;
    scenario.set("CDC_TEST_RANGE_DOCUMENTS", "10000");
    scenario.fill("games", 0..60_000, 20).await;
    let engine = scenario.start().await;
    let games = scenario.collection("games");
    for round in 0..50 {
        let (low, high) = (round * 1_200, round * 1_200 + 20);
        let some = doc! { "_id": { "$gte": low, "$lt": high } };
        let change = doc! { "$set": { "changed": round } };
        games.update_many(some, change).await.unwrap();
        let few = doc! { "_id": { "$gte": low, "$lt": low + 5 } };
        games.delete_many(few).await.unwrap();
        scenario
            .fill("games", 100_000 + round * 5..100_005 + round * 5, 20)
            .await;
        tokio::time::sleep(PAUSE).await;
    }
    scenario.run_ends("initial").await;
    let deliveries = scenario.take_all().await;
    Copy::of(&deliveries).is_exact(&scenario, "games").await;
    for mark in ["range-first", "range-last"] {
        let read = reads(&deliveries).into_iter();
        let marked = read.filter(|read| marks(read).contains(mark));
        assert!(6 <= marked.count(), "{mark} of each range");
    }
    check(&engine.stop().await, 0, &[]);
}
