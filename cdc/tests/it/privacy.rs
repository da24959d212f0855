//! What a setting takes away or masks is nowhere outside of MongoDB.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bson::{Document, RawDocumentBuf, doc};
use lapin::types::AMQPValue;

use crate::support::{Delivery, Engine, Finished, Scenario, check, run};

/// Begins every value that may be told to nobody.
const SECRET: &str = "hunter2";
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A value like no other.
fn secret(number: u32) -> String {
    format!("{SECRET}-{number:04}")
}

fn game(number: u32) -> Document {
    doc! {
        "_id": "game", "name": format!("game {number}"), "email": secret(number), "card": secret(number + 1),
        "notes": { "deep": [secret(number + 2)] },
        "players": [{ "nick": "ada", "phone": secret(number + 3) }, { "nick": "bob", "phone": secret(number + 4) }],
    }
}

/// A document whose name is not UTF-8.
fn poison() -> RawDocumentBuf {
    let mut document = game(900);
    document.insert("_id", "poison");
    let mut bytes = RawDocumentBuf::try_from(&document).unwrap().into_bytes();
    let place = bytes.windows(4).position(|part| part == b"game").unwrap();
    bytes[place] = 0xff;
    RawDocumentBuf::from_bytes(bytes).unwrap()
}

/// Fails if a secret is in `bytes`: as text, or in the hexadecimal digits of a resume token, or in base64.
#[track_caller]
fn tells_nothing(what: &str, bytes: &[u8]) {
    let digits = SECRET.bytes().map(|byte| format!("{byte:02x}"));
    let digits: String = digits.collect();
    let text = String::from_utf8_lossy(bytes).into_owned();
    let shifted = ["", "x", "xx"].map(|before| STANDARD.encode(format!("{before}{SECRET}")));
    // What does not depend on the bytes around it.
    let base64 = shifted.iter().map(|text| text[4..8].to_owned());
    for form in [SECRET.to_owned(), digits.clone(), digits.to_uppercase()]
        .into_iter()
        .chain(base64)
    {
        assert!(!text.contains(&form), "{what} has {form}: {text}");
    }
}

#[track_caller]
fn message_tells_nothing(delivery: &Delivery) {
    tells_nothing("a body", &delivery.body);
    tells_nothing("a routing key", delivery.routing_key.as_bytes());
    for (name, value) in delivery.properties.headers().as_ref().unwrap() {
        match value {
            AMQPValue::LongString(text) => tells_nothing(name.as_str(), text.as_bytes()),
            AMQPValue::LongLongInt(_) => {}
            other => panic!("{name} is {other:?}"),
        }
    }
}

async fn pages_tell_nothing(engine: &Engine) {
    for page in ["/metrics", "/ready", "/live"] {
        tells_nothing(page, engine.get(page).await.body.as_bytes());
    }
}

#[track_caller]
fn ended_well(finished: &Finished) {
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    tells_nothing("the log", finished.log.as_bytes());
}

async fn masking(label: &str, format: &str) -> Scenario {
    let mut scenario = Scenario::new(label).await;
    scenario
        .set("CDC_OPERATIONS", "all")
        .set("CDC_FULL_DOCUMENT_BEFORE", "when_available")
        .set("CDC_FORMAT", format)
        .set("CDC_FIELDS_EXCLUDE", "notes")
        .set("CDC_FIELDS_MASK", "email=hash,card,players.phone=hash")
        .set("CDC_FIELDS_MASK_SECRET", KEY)
        .set("CDC_ON_POISON", "park")
        .set("RUST_LOG", "trace");
    scenario
}

/// The operations of [`change`].
const OPERATIONS: &str = "create createIndexes modify insert replace update update update update update update update \
                          rename update delete";

/// A collection that keeps documents as they were, and whose descriptions have secrets in them.
async fn describe(scenario: &Scenario) {
    let database = scenario.mongo.database(&scenario.name);
    let validator = |number| doc! { "card": { "$ne": secret(number) } };
    let index = doc! { "key": { "name": 1 }, "name": "by_name", "partialFilterExpression": { "card": secret(401) } };
    for command in [
        doc! { "create": "games", "changeStreamPreAndPostImages": { "enabled": true }, "validator": validator(400) },
        doc! { "createIndexes": "games", "indexes": [index] },
        doc! { "collMod": "games", "validator": validator(402) },
    ] {
        database.run_command(command).await.unwrap();
    }
}

/// Changes a game in every way, up to its end.
async fn change(scenario: &Scenario, told: &str) -> Vec<Delivery> {
    describe(scenario).await;
    let (games, id) = (scenario.collection("games"), || doc! { "_id": "game" });
    games.insert_one(game(0)).await.unwrap();
    games.replace_one(id(), game(100)).await.unwrap();
    let player = doc! { "nick": "eve", "phone": secret(201) };
    let updates = [
        doc! { "$set": { "email": secret(200), "name": "new" } },
        doc! { "$set": { "players": [player.clone()], "notes": { "deep": secret(202) } } },
        doc! { "$set": { "players.0.phone": secret(203), "notes.deep": secret(204) } },
        doc! { "$push": { "players": player } },
        doc! { "$set": { "email": { "parts": [secret(205)] }, "players.1": { "phone": secret(206) } } },
        doc! { "$set": { "email.parts.0": secret(207) }, "$unset": { "notes.deep": 1, "card": 1 } },
    ];
    for update in updates {
        games.update_one(id(), update).await.unwrap();
    }
    let first = doc! { "$set": { "players": { "$slice": ["$players", 1] } } };
    games.update_one(id(), vec![first]).await.unwrap();
    let namespaces = ["games", "old"].map(|name| format!("{}.{name}", scenario.name));
    let [from, to] = namespaces;
    let rename = doc! { "renameCollection": from, "to": to };
    let admin = scenario.mongo.database("admin");
    admin.run_command(rename).await.unwrap();
    let old = scenario.collection("old");
    let update = doc! { "$set": { "email": secret(300), "players": [] } };
    old.update_one(id(), update).await.unwrap();
    old.delete_one(id()).await.unwrap();
    let count = told.split_whitespace().count();
    let deliveries = scenario.take_distinct(count).await;
    let operations = deliveries.iter().map(|one| one.header("cdc-operation"));
    let operations: Vec<String> = operations.collect();
    assert_eq!(operations.join(" "), told);
    deliveries
}

#[tokio::test]
async fn a_masked_value_is_in_no_message_no_log_and_no_page() {
    const DOCUMENTS: &str =
        "insert replace update update update update update update update update delete";
    for (format, told) in [
        ("document", OPERATIONS),
        ("event", OPERATIONS),
        ("debezium", DOCUMENTS),
        ("cloudevents", OPERATIONS),
        ("bson", OPERATIONS),
    ] {
        let mut scenario = masking("privacy", format).await;
        if told == DOCUMENTS {
            scenario.set("CDC_OPERATIONS", "insert,update,replace,delete");
        }
        let engine = scenario.start().await;
        let deliveries = change(&scenario, told).await;
        let poisoned = scenario
            .collection("games")
            .clone_with_type::<RawDocumentBuf>();
        poisoned.insert_one(poison()).await.unwrap();
        // What is BSON anyway needs no text that is UTF-8; its collection is told before it.
        let is_parked = format != "bson";
        let (parking, count) = if is_parked { (".parked", 1) } else { ("", 2) };
        let parking = format!("{}{parking}", scenario.name);
        let parked = scenario.take_from(&parking, count).await.remove(count - 1);
        deliveries
            .iter()
            .chain([&parked])
            .for_each(message_tells_nothing);
        let event = RawDocumentBuf::from_bytes(parked.body.clone()).unwrap();
        let document = event.get_document("fullDocument").unwrap();
        assert_eq!(document.get_str("card").unwrap(), "***");
        if is_parked {
            assert_eq!(parked.header("cdc-park-reason"), "poison");
        }
        pages_tell_nothing(&engine).await;
        ended_well(&engine.stop().await);
    }
}

#[tokio::test]
async fn a_message_whose_text_was_mended_is_masked_too() {
    let mut scenario = masking("privacy_mended", "event").await;
    scenario
        .set("CDC_OPERATIONS", "insert")
        .set("CDC_ON_POISON", "replace");
    let engine = scenario.start().await;
    let poisoned = scenario.collection("games");
    let poisoned = poisoned.clone_with_type::<RawDocumentBuf>();
    poisoned.insert_one(poison()).await.unwrap();
    let mended = scenario.take(1).await.remove(0);
    message_tells_nothing(&mended);
    assert_eq!(
        mended.header("cdc-replaced-paths"),
        r#"["fullDocument.name"]"#
    );
    assert_eq!(mended.json()["fullDocument"]["name"], "\u{fffd}ame 900");
    ended_well(&engine.stop().await);
}

#[tokio::test]
async fn what_is_not_masked_arrives_and_equal_values_have_equal_hashes() {
    let scenario = masking("privacy_shape", "event").await;
    let engine = scenario.start().await;
    let bodies = change(&scenario, OPERATIONS).await;
    let bodies: Vec<_> = bodies.iter().map(Delivery::json).collect();
    let index = &bodies[1]["operationDescription"]["indexes"][0];
    assert_eq!(
        index,
        &serde_json::json!({ "v": 2, "key": { "name": 1 }, "name": "by_name" })
    );
    let bodies = &bodies[3..];
    let hash = |value: &serde_json::Value| {
        let text = value.as_str().unwrap().to_owned();
        assert!(
            text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{text}"
        );
        text
    };
    let document = &bodies[0]["fullDocument"];
    assert_eq!(
        (&document["name"], &document["card"]),
        (&"game 0".into(), &"***".into())
    );
    assert!(
        document["notes"].is_null() && document["players"][1]["nick"] == "bob",
        "{document}"
    );
    hash(&document["players"][1]["phone"]);
    let fields = |number: usize| &bodies[number]["updateDescription"]["updatedFields"];
    // The same value within an array, and by itself.
    let pushed = hash(&fields(5)["players.1"]["phone"]);
    assert_eq!(hash(&fields(3)["players"][0]["phone"]), pushed);
    assert_ne!(hash(&fields(4)["players.0.phone"]), pushed);
    assert_eq!(fields(2)["name"], "new");
    assert_eq!(fields(3).as_object().unwrap().len(), 1, "{}", fields(3));
    hash(&fields(6)["email"]["parts"][0]);
    hash(&fields(7)["email.parts.0"]);
    let description = &bodies[7]["updateDescription"];
    assert_eq!(description["removedFields"], serde_json::json!(["card"]));
    let truncated = &bodies[8]["updateDescription"]["truncatedArrays"];
    assert_eq!(
        truncated,
        &serde_json::json!([{ "field": "players", "newSize": 1 }])
    );
    let before = &bodies[11]["fullDocumentBeforeChange"];
    assert_eq!(before["email"], fields(10)["email"]);
    assert_eq!(before["name"], "new");
    assert_eq!(bodies[11]["documentKey"]["_id"], "game");
    assert!(
        bodies[0]["_id"]["_data"].as_str().unwrap().len() > 64,
        "the token of a key that is not masked stays"
    );
    ended_well(&engine.stop().await);
}

#[tokio::test]
async fn only_what_is_included_arrives() {
    let mut scenario = masking("privacy_include", "document").await;
    scenario
        .unset("CDC_FIELDS_EXCLUDE")
        .set("CDC_FIELDS_INCLUDE", "name,players.nick");
    let engine = scenario.start().await;
    let deliveries = change(&scenario, OPERATIONS).await;
    deliveries.iter().for_each(message_tells_nothing);
    let wanted = serde_json::json!({
        "name": "game 0", "players": [{ "nick": "ada" }, { "nick": "bob" }], "type": "games", "entry_id": "game",
    });
    assert_eq!(deliveries[3].json(), wanted);
    ended_well(&engine.stop().await);
}

#[tokio::test]
async fn a_masked_key_is_in_no_header_and_no_token_and_the_engine_goes_on_behind_it() {
    let mut scenario = masking("privacy_key", "event").await;
    scenario
        .set("CDC_OPERATIONS", "insert,delete")
        .set("CDC_FIELDS_MASK", "_id=hash");
    let people = scenario.collection("people");
    let engine = scenario.start().await;
    people
        .insert_one(doc! { "_id": secret(1), "n": 1 })
        .await
        .unwrap();
    people.delete_one(doc! { "_id": secret(1) }).await.unwrap();
    let mut deliveries = scenario.take_distinct(2).await;
    ended_well(&engine.stop().await);
    people
        .insert_one(doc! { "_id": secret(1), "n": 2 })
        .await
        .unwrap();
    let engine = scenario.start().await;
    deliveries.extend(scenario.take(1).await);
    deliveries.iter().for_each(message_tells_nothing);
    let keys = deliveries.iter().map(|one| one.header("cdc-document-key"));
    let keys: Vec<String> = keys.collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    for delivery in &deliveries {
        let (body, id) = (delivery.json(), delivery.message_id());
        assert_eq!(body["_id"], serde_json::json!({ "_data": id }));
    }
    assert_eq!(deliveries[2].json()["fullDocument"]["n"], 2);
    assert_ne!(deliveries[0].message_id(), deliveries[2].message_id());
    ended_well(&engine.stop().await);
}

#[tokio::test]
async fn a_masked_key_is_in_no_format() {
    for format in ["document", "debezium", "cloudevents", "bson"] {
        let mut scenario = masking("privacy_keys", format).await;
        scenario
            .set("CDC_OPERATIONS", "insert,update,delete")
            .set("CDC_FIELDS_MASK", "_id=hash");
        let people = scenario.collection("people");
        let (engine, id) = (scenario.start().await, || doc! { "_id": secret(1) });
        people.insert_one(id()).await.unwrap();
        let update = doc! { "$set": { "n": 1 } };
        people.update_one(id(), update).await.unwrap();
        people.delete_one(id()).await.unwrap();
        let deliveries = scenario.take_distinct(3).await;
        deliveries.iter().for_each(message_tells_nothing);
        ended_well(&engine.stop().await);
    }
}

#[tokio::test]
async fn settings_that_would_tell_or_lose_too_much_are_refused() {
    let finished = run(&[
        ("CDC_FIELDS_MASK", "email=hash,_id,players.0.phone"),
        ("CDC_FIELDS_EXCLUDE", "notes,notes..deep"),
        ("CDC_FIELDS_INCLUDE", "notes"),
    ])
    .await;
    let parts = [
        "CDC_FIELDS_MASK_SECRET: not set, and CDC_FIELDS_MASK hashes `email`: set it, or CDC_FIELDS_MASK_SECRET_FILE,",
        "CDC_FIELDS_MASK: `_id`: with a constant, different documents have the same `_id`; write `_id=hash`",
        "CDC_FIELDS_MASK: `players.0.phone`: `0` is a number: leave it out",
        "CDC_FIELDS_EXCLUDE: `notes..deep`: a name is empty: write names with single dots",
        "CDC_FIELDS_INCLUDE: CDC_FIELDS_EXCLUDE takes `notes` away, and `notes` with it; take one of the two paths out",
    ];
    check(&finished, 64, &parts);
    let short = run(&[("CDC_FIELDS_MASK_SECRET", SECRET)]).await;
    check(
        &short,
        64,
        &["CDC_FIELDS_MASK_SECRET: 7 bytes long, at least 16"],
    );
    tells_nothing("the log", short.log.as_bytes());
}

/// What the server says then has the value that it could not convert.
#[tokio::test]
async fn a_stage_of_the_users_own_that_fails_tells_no_value() {
    let mut scenario = masking("privacy_stage", "event").await;
    let stage = r#"[{"$addFields": {"fullDocument.number": {"$toInt": "$fullDocument.email"}}}]"#;
    scenario.set("CDC_AGGREGATION", stage);
    let engine = scenario.start().await;
    let games = scenario.collection("games");
    games.insert_one(game(1)).await.unwrap();
    let finished = engine.finish().await;
    check(
        &finished,
        1,
        &["Failed to parse number", "ConversionFailure"],
    );
    tells_nothing("the log", finished.log.as_bytes());
}
