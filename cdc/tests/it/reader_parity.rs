//! The body in format `document` is the message that the original Python reader sent.
//!
//! Its rule, [`READER`], runs in a real Python with a real `pymongo`, on the same BSON; the two
//! messages are compared as JSON. They differ, on purpose, for what the reader lost or for what was
//! not JSON: it wrote `NaN` and `Infinity` without quotes, code and symbols as strings, code's scope
//! not at all, undefined as null, and failed on dates after 9999.

use std::{
    env,
    io::Write,
    process::{Command, Stdio},
};

use bson::{
    Binary, Bson, DateTime, RawDocumentBuf, Regex, Timestamp, oid::ObjectId, raw::cstr, rawdoc,
    spec::BinarySubtype,
};
use cdc::encode::{JsonMode, document};
use serde_json::Value;

/// Reads a document in hexadecimal digits from each line, and writes its message to a line.
const READER: &str = r#"
import json, sys
import bson
from bson import json_util

for line in sys.stdin:
    document = bson.decode(bytes.fromhex(line))
    entry_id = document.pop("_id")
    message = {**document, "type": "games", "entry_id": str(entry_id)}
    print(json.dumps(message, default=json_util.default))
"#;

/// Checks that our body and the reader's message are the same for each document.
#[track_caller]
fn check(documents: &[RawDocumentBuf]) {
    let messages = reader_messages(documents);
    assert_eq!(
        messages.len(),
        documents.len(),
        "the reader answers every document"
    );
    for (document, message) in documents.iter().zip(messages) {
        let mut body = Vec::new();
        document::write(Some(document), None, "games", JsonMode::Relaxed, &mut body)
            .expect("the document is valid");
        let body: Value = serde_json::from_slice(&body).expect("the body is json");
        assert_eq!(body, message, "ours on the left, the reader's on the right");
    }
}

fn reader_messages(documents: &[RawDocumentBuf]) -> Vec<Value> {
    let path = env::var_os("CDC_TEST_PYTHONPATH").unwrap_or_else(|| {
        panic!(
            "CDC_TEST_PYTHONPATH is not set\n\n\
             hint: python3 -m pip install --target target/python pymongo, and set it to that folder"
        )
    });
    let mut python = Command::new("python3")
        .args(["-c", READER])
        .env("PYTHONPATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    let lines: String = documents
        .iter()
        .map(|document| hex(document.as_bytes()) + "\n")
        .collect();
    // The reader answers at the end of its input or line by line: less than a pipe holds, so that
    // nobody waits for the other.
    python
        .stdin
        .take()
        .expect("a pipe")
        .write_all(lines.as_bytes())
        .expect("python3 reads");
    let output = python.wait_with_output().expect("python3 ends");
    assert!(
        output.status.success(),
        "the reader failed, see its message above"
    );
    let text = String::from_utf8(output.stdout).expect("json is utf-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).expect("half a byte is one digit"))
        .collect()
}

fn id() -> ObjectId {
    ObjectId::parse_str("57e193d7a9cc81b4027498b5").expect("24 digits")
}

#[test]
fn a_scrabble_game_is_the_same() {
    check(&[rawdoc! {
        "_id": id(),
        "players": [
            { "name": "Ærøskøbing Ødegård", "rating": 1843.75, "games": 12_i64 },
            { "name": "名前 \"Q\"", "rating": 1200.0, "games": 0_i64 },
        ],
        "moves": [
            { "word": "QUIXOTRY", "score": 365, "row": 7, "column": 4, "across": true, "at": DateTime::from_millis(1_356_351_330_501) },
            { "word": "ÉTÉ", "score": -1, "row": 0, "column": 14, "across": false, "at": DateTime::from_millis(1_356_351_331_000) },
        ],
        "board": [[0, 1, 2], [], [3]],
        "opponent": id(),
        "winner": null,
        "note": "",
    }]);
}

#[test]
fn identities_are_the_same() {
    check(&[
        rawdoc! { "_id": id() },
        rawdoc! { "_id": "a \"quoted\" é\n" },
        rawdoc! { "_id": 7 },
        rawdoc! { "_id": -9_007_199_254_740_993_i64 },
        rawdoc! { "_id": 1.5 },
    ]);
}

#[test]
fn dates_are_the_same() {
    let dates = [
        0,
        1,
        999,
        1000,
        1_356_351_330_500,
        951_782_400_000,
        4_107_542_399_999,
        253_402_300_799_999,
        -1,
        -284_643_869_500,
        -62_135_596_800_000,
    ];
    check(&dates.map(|date| rawdoc! { "_id": 1, "at": DateTime::from_millis(date) }));
}

#[test]
fn numbers_are_the_same() {
    let doubles = [
        0.0,
        -0.0,
        1.0,
        0.1,
        -1.5,
        1e16,
        1e22,
        123_456_789.125,
        5e-324,
        f64::MAX,
    ];
    check(&doubles.map(|double| rawdoc! { "_id": 1, "double": double }));
    let integers = [
        0,
        1,
        -1,
        1 << 31,
        1 << 53,
        (1 << 53) + 1,
        i64::MIN,
        i64::MAX,
    ];
    check(&integers.map(|integer| rawdoc! { "_id": 1, "long": integer, "list": [integer] }));
    check(&[i32::MIN, i32::MAX].map(|integer| rawdoc! { "_id": 1, "int": integer }));
}

#[test]
fn texts_are_the_same() {
    let texts = [
        "",
        "plain",
        "é ☆ 𝄞 名前",
        "\"\\/\u{8}\u{c}\n\r\t",
        "\0\u{1}\u{1f}\u{7f}\u{80}\u{2028}\u{feff}",
        "<script>&amp;</script>",
    ];
    check(&texts.map(|text| rawdoc! { "_id": 1, "text": text, "list": [text, [text]] }));
}

#[test]
fn names_are_the_same() {
    check(&[
        rawdoc! { "_id": 1, "": 1, "a.b": 2, "$c": 3, "é": 4, "\"": 5, "\n": 6 },
        rawdoc! { "_id": 1, "type": "old", "a": 1, "entry_id": { "old": true } },
        rawdoc! { "a": { "_id": 2, "type": 3 }, "_id": 1 },
    ]);
}

#[test]
fn the_types_of_mongodb_are_the_same() {
    let binary = |subtype, bytes: &[u8]| {
        Bson::Binary(Binary {
            subtype,
            bytes: bytes.to_vec(),
        })
    };
    let decimals = ["1.10", "-0", "1E+3", "NaN", "-Infinity"]
        .map(|text| text.parse::<bson::Decimal128>().unwrap());
    let regex = Regex {
        pattern: cstr!("a\"b/c").to_owned(),
        options: cstr!("imx").to_owned(),
    };
    let document = bson::doc! {
        "_id": id(),
        "generic": binary(BinarySubtype::Generic, b"\x00\xff\x10"),
        "old": binary(BinarySubtype::BinaryOld, b"abc"),
        "uuid": binary(BinarySubtype::Uuid, &[7; 16]),
        "own": binary(BinarySubtype::UserDefined(0x80), b"a"),
        "decimals": decimals.to_vec(),
        "regex": regex,
        "timestamp": Timestamp { time: u32::MAX, increment: 1 },
        "least": Bson::MinKey,
        "greatest": Bson::MaxKey,
        "reference": { "$ref": "players", "$id": id(), "$db": "scrabble" },
        "yes": true,
        "nothing": null,
    };
    check(&[RawDocumentBuf::try_from(&document).unwrap()]);
}

#[test]
fn deep_documents_are_the_same() {
    let mut document = rawdoc! { "a": 1 };
    for _ in 0..60 {
        document = rawdoc! { "a": document, "b": [{}] };
    }
    document.append(cstr!("_id"), 1);
    check(&[document]);
}
