//! Whatever a document holds, a consumer gets it: random documents through real servers.

#[path = "../../src/encode/extended_json/tests/reader.rs"]
mod reader;
#[path = "../../src/encode/extended_json/tests/tree.rs"]
mod tree;

use std::collections::BTreeMap;

use bson::{Bson, Document, RawDocumentBuf, doc};
use proptest::{
    prelude::any,
    strategy::{Strategy, ValueTree as _},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use self::tree::{Fields, Node, documents, encode_fields};
use crate::support::{Delivery, Scenario, check, repetitions};

/// A document with the given elements.
fn document(elements: &[u8]) -> Vec<u8> {
    let length = u32::try_from(elements.len() + 5).unwrap();
    [length.to_le_bytes().as_slice(), elements, &[0]].concat()
}

/// The bytes that hexadecimal digits stand for.
fn bytes(hex: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.as_bytes().chunks(2).map(byte).collect()
}

/// Random values, the same for the same `FAITHFUL_SEED`.
struct Draw(TestRunner);

impl Draw {
    #[expect(clippy::print_stderr, reason = "a failure shows it")]
    fn new() -> Self {
        let seed = std::env::var("FAITHFUL_SEED").map(|text| text.parse().unwrap());
        let seed: u64 = seed.unwrap_or_else(|_| rand::random());
        eprintln!("FAITHFUL_SEED={seed} repeats this");
        let state = [seed, !seed].map(u64::to_le_bytes);
        let rng = TestRng::from_seed(RngAlgorithm::XorShift, state.as_flattened());
        Self(TestRunner::new_with_rng(Config::default(), rng))
    }

    fn one<T: std::fmt::Debug>(&mut self, strategy: &impl Strategy<Value = T>) -> T {
        strategy.new_tree(&mut self.0).unwrap().current()
    }
}

/// A document that a server stores as it is: with one `_id`, and no timestamp of zero, which stands for the present.
fn storable(id: i32, fields: Fields) -> Fields {
    let others = fields.into_iter().filter(|(name, _)| name != "_id");
    let others = others.filter(|(_, value)| !matches!(value, Node::Timestamp(0, 0)));
    let id = ("_id".to_owned(), Node::Int32(id));
    std::iter::once(id).chain(others).collect()
}

#[tokio::test]
async fn a_consumer_reads_every_document_bit_for_bit() {
    let mut scenario = Scenario::new("faithful").await;
    scenario
        .set("CDC_JSON_MODE", "canonical")
        .set("CDC_FORMAT", "event");
    let engine = scenario.start().await;
    let mut draw = Draw::new();
    let strategy = documents();
    let games = scenario
        .collection("games")
        .clone_with_type::<RawDocumentBuf>();
    let mut stored: Vec<Vec<u8>> = Vec::new();
    for id in 0..repetitions(300) {
        let bytes = encode_fields(&storable(id, draw.one(&strategy)));
        let game = RawDocumentBuf::from_bytes(bytes.clone()).unwrap();
        games.insert_one(game).await.unwrap();
        stored.push(bytes);
    }
    let deliveries = scenario.take(stored.len()).await;
    for (delivery, stored) in deliveries.iter().zip(&stored) {
        let text = std::str::from_utf8(&delivery.body).unwrap();
        let event = reader::read(text);
        let mut documents = event.iter().filter(|(name, _)| name == "fullDocument");
        let Some((_, Node::Document(fields))) = documents.next() else {
            panic!("no document in {text}")
        };
        assert_eq!(&encode_fields(fields), stored, "{text}");
    }
    check(&engine.stop().await, 0, &[]);
}

/// The names of a document whose changes can be told by paths without doubt.
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Gives every document below plain names, each once.
fn plainly_named(fields: Fields) -> Fields {
    let named = NAMES.iter().zip(fields).map(|(name, (_, value))| {
        let value = match value {
            Node::Document(fields) => Node::Document(plainly_named(fields)),
            Node::Array(values) => Node::Array(values.into_iter().map(plain).collect()),
            // The server's diff and a path know no scope.
            Node::CodeWithScope(code, _) => Node::Code(code),
            // The server's stages do not keep this old type whole.
            Node::DbPointer(_, id) => Node::ObjectId(id),
            other => other,
        };
        ((*name).to_owned(), value)
    });
    named.collect()
}

fn plain(value: Node) -> Node {
    match plainly_named(vec![(String::new(), value)]).pop() {
        Some((_, value)) => value,
        None => Node::Null,
    }
}

/// `before` with some of its fields as in `other`, added, or taken away, at every depth.
fn changed(before: &Fields, other: &Fields, draw: &mut Draw) -> Fields {
    let find = |fields: &Fields, name: &str| {
        let mut fields = fields.iter();
        fields
            .find(|(one, _)| one == name)
            .map(|(_, value)| value.clone())
    };
    let names = NAMES.iter().filter_map(|name| {
        let value = match (find(before, name), find(other, name)) {
            (Some(before), other) => match draw.one(&(0..3)) {
                0 => other,
                1 => Some(changed_value(before, other, draw)),
                _ => Some(before),
            },
            (None, other) => other.filter(|_| draw.one(&any::<bool>())),
        };
        value.map(|value| ((*name).to_owned(), value))
    });
    names.collect()
}

fn changed_value(before: Node, other: Option<Node>, draw: &mut Draw) -> Node {
    match (before, other) {
        (Node::Document(before), Some(Node::Document(other))) => {
            Node::Document(changed(&before, &other, draw))
        }
        (Node::Array(mut values), other) => {
            match other {
                Some(Node::Array(more)) => values.extend(more),
                Some(value) if !values.is_empty() => {
                    let place = draw.one(&(0..values.len()));
                    values[place] = value;
                }
                _ => values.truncate(values.len() / 2),
            }
            Node::Array(values)
        }
        (before, _) => before,
    }
}

/// A document that is large beside its changes, which a server would not tell as an update otherwise.
fn large(id: i32, fields: &Fields) -> RawDocumentBuf {
    let filler = ("z".to_owned(), Node::String("z".repeat(8_000)));
    let fields = fields.iter().cloned().chain([filler]).collect();
    RawDocumentBuf::from_bytes(encode_fields(&storable(id, fields))).unwrap()
}

/// Puts `value` at `path`, or takes away what is there. A number leads into an array.
fn put(at: &mut Bson, path: &[&str], value: Option<&Bson>) {
    let [name, rest @ ..] = path else {
        *at = value.cloned().unwrap_or(Bson::Null);
        return;
    };
    match at {
        Bson::Array(values) => {
            let index: usize = name.parse().unwrap();
            values.resize(values.len().max(index + 1), Bson::Null);
            put(&mut values[index], rest, value);
        }
        Bson::Document(document) if rest.is_empty() && value.is_none() => {
            document.remove(name);
        }
        Bson::Document(document) => {
            let inside = document.entry((*name).to_owned()).or_insert(Bson::Null);
            put(inside, rest, value);
        }
        other => panic!("{path:?} leads into {other}"),
    }
}

/// What a consumer does with an update: `before`, with what the description says.
fn updated(before: Bson, description: &Document) -> Bson {
    let mut after = before;
    for cut in description.get_array("truncatedArrays").unwrap() {
        let cut = cut.as_document().unwrap();
        let size = usize::try_from(cut.get_i32("newSize").unwrap()).unwrap();
        let path: Vec<&str> = cut.get_str("field").unwrap().split('.').collect();
        let mut at = &mut after;
        for name in path {
            at = match at {
                Bson::Document(document) => document.get_mut(name).unwrap(),
                Bson::Array(values) => &mut values[name.parse::<usize>().unwrap()],
                other => panic!("{name} leads into {other}"),
            };
        }
        at.as_array_mut().unwrap().truncate(size);
    }
    for removed in description.get_array("removedFields").unwrap() {
        let path: Vec<&str> = removed.as_str().unwrap().split('.').collect();
        put(&mut after, &path, None);
    }
    for (path, value) in description.get_document("updatedFields").unwrap() {
        let path: Vec<&str> = path.split('.').collect();
        put(&mut after, &path, Some(value));
    }
    after
}

/// `value` with the fields of each document in alphabetical order, which a description does not tell.
fn sorted(value: &Bson) -> Bson {
    match value {
        Bson::Document(document) => {
            let fields = document.iter().map(|(name, value)| (name, sorted(value)));
            let fields: BTreeMap<_, _> = fields.collect();
            Bson::Document(
                fields
                    .into_iter()
                    .map(|(name, value)| (name.clone(), value))
                    .collect(),
            )
        }
        Bson::Array(values) => Bson::Array(values.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn event_of(delivery: &Delivery) -> Document {
    serde_json::from_slice(&delivery.body).unwrap()
}

#[tokio::test]
async fn the_document_before_and_the_description_of_an_update_make_the_document_after_it() {
    let mut scenario = Scenario::new("descriptions").await;
    scenario
        .set("CDC_JSON_MODE", "canonical")
        .set("CDC_FORMAT", "event")
        .set("CDC_OPERATIONS", "update,replace")
        .set("CDC_FULL_DOCUMENT", "required")
        .set("CDC_FULL_DOCUMENT_BEFORE", "required");
    let database = scenario.mongo.database(&scenario.name);
    let create = doc! { "create": "games", "changeStreamPreAndPostImages": { "enabled": true } };
    database.run_command(create).await.unwrap();
    let engine = scenario.start().await;
    let mut draw = Draw::new();
    let strategy = documents();
    let games = scenario.collection("games");
    let raw_games = games.clone_with_type::<RawDocumentBuf>();
    let (mut count, documents) = (0, repetitions(150));
    for id in 0..documents {
        let mut fields = plainly_named(draw.one(&strategy));
        raw_games.insert_one(large(id, &fields)).await.unwrap();
        for _ in 0..3 {
            let other = plainly_named(draw.one(&strategy));
            fields = changed(&fields, &other, &mut draw);
            let after = Document::try_from(large(id, &fields)).unwrap();
            let becomes = [doc! { "$replaceWith": { "$literal": after } }];
            let updated = games.update_one(doc! { "_id": id }, becomes.to_vec()).await;
            count += usize::try_from(updated.unwrap().modified_count).unwrap();
        }
    }
    let deliveries = scenario.take(count).await;
    let mut updates = 0;
    for event in deliveries.iter().map(event_of) {
        let Ok(description) = event.get_document("updateDescription") else {
            continue;
        };
        let [before, after] =
            ["fullDocumentBeforeChange", "fullDocument"].map(|field| event.get(field).unwrap());
        let made = updated(before.clone(), description);
        assert_eq!(
            sorted(&made).to_string(),
            sorted(after).to_string(),
            "{event}"
        );
        updates += 1;
    }
    assert!(count / 2 < updates, "{updates} of {count} are updates");
    check(&engine.stop().await, 0, &[]);
}
