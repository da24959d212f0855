use bson::{DateTime, RawDocumentBuf, Timestamp, oid::ObjectId, rawdoc};

use super::*;

fn event(full_document: RawDocumentBuf, key: RawDocumentBuf) -> ChangeEvent {
    let time = Timestamp {
        time: 1,
        increment: 2,
    };
    let raw = rawdoc! {
        "_id": { "_data": "82" }, "operationType": "insert", "clusterTime": time, "documentKey": key,
        "fullDocument": full_document, "ns": { "db": "shop", "coll": "orders.eu" },
    };
    ChangeEvent::parse(raw.into_bytes().into()).unwrap()
}

fn rendered(template: &str, event: &ChangeEvent, values: Values) -> String {
    let mut out = String::new();
    let template = Template::parse(template).unwrap();
    template.render(event, Some(7), values, &mut out).unwrap();
    out
}

#[test]
fn names_in_braces_are_the_changes_own() {
    let document = rawdoc! { "tenant": { "id": 5, "tags": ["a", { "x": "b" }] }, "_id": 1 };
    let event = event(document, rawdoc! { "shard": "s", "_id": "k" });
    for (template, text) in [
        ("", ""),
        ("test_queue", "test_queue"),
        (
            "{database}.{collection}.{operation}",
            "shop.orders.eu.insert",
        ),
        ("{key}-{partition}", "k-7"),
        ("{document.tenant.id}{document._id}", "51"),
        ("{document.tenant.tags.0}{document.tenant.tags.1.x}", "ab"),
        (
            "<{document.tenant.none}{document.none.id}{document.tenant.id.x}>",
            "<>",
        ),
    ] {
        assert_eq!(
            rendered(template, &event, Values::Plain),
            text,
            "{template}"
        );
        assert_eq!(Template::parse(template).unwrap().to_string(), template);
    }
}

#[test]
fn a_value_is_written_as_an_entry_id_is_in_relaxed_mode() {
    let id = ObjectId::from_bytes([0xab; 12]);
    let document = rawdoc! {
        "text": "a\"b\n", "id": id, "int": 1, "long": 1_i64, "double": 1.5, "yes": true, "null": null,
        "date": DateTime::from_millis(0), "list": [1, "x"], "document": { "a": { "b": 1 } },
    };
    let event = event(document, rawdoc! { "_id": 1 });
    for (field, text) in [
        ("text", "a\"b\n"),
        ("id", "abababababababababababab"),
        ("int", "1"),
        ("long", "1"),
        ("double", "1.5"),
        ("yes", "true"),
        ("null", "null"),
        ("date", r#"{"$date":"1970-01-01T00:00:00Z"}"#),
        ("list", r#"[1,"x"]"#),
        ("document", r#"{"a":{"b":1}}"#),
    ] {
        let template = format!("{{document.{field}}}");
        assert_eq!(rendered(&template, &event, Values::Plain), text, "{field}");
    }
}

#[test]
fn a_value_cannot_end_a_word_of_a_topic() {
    let event = event(rawdoc! { "a": "x.y*#%2E" }, rawdoc! { "_id": 1.5 });
    let template = "{document.a}.{key}.{collection}";
    let words = rendered(template, &event, Values::OneWord);
    assert_eq!(words, "x%2Ey%2A%23%252E.1%2E5.orders.eu");
}

#[test]
fn a_change_without_document_and_key_has_empty_values() {
    let raw = rawdoc! {
        "_id": { "_data": "82" }, "operationType": "dropDatabase", "clusterTime": Timestamp { time: 1, increment: 1 },
        "ns": { "db": "shop" },
    };
    let event = ChangeEvent::parse(raw.into_bytes().into()).unwrap();
    let template = "{database}.{collection}.{key}.{document.a}";
    assert_eq!(rendered(template, &event, Values::OneWord), "shop...");
}

#[test]
fn text_that_is_not_utf_8_is_an_error() {
    let mut bytes = rawdoc! { "a": "qXiz" }.into_bytes();
    let place = bytes.iter().position(|byte| *byte == b'X').unwrap();
    bytes[place] = 0xff;
    let event = event(
        RawDocumentBuf::from_bytes(bytes).unwrap(),
        rawdoc! { "_id": 1 },
    );
    let template = Template::parse("{document.a}").unwrap();
    let outcome = template.render(&event, None, Values::Plain, &mut String::new());
    assert!(
        matches!(outcome, Err(extended_json::Error::Utf8 { .. })),
        "{outcome:?}"
    );
}

#[test]
fn templates_that_cannot_work_are_refused() {
    for name in [
        "table",
        "document",
        "document.",
        "document.a..b",
        "",
        "key.a",
    ] {
        assert_eq!(
            Template::parse(&format!("a{{{name}}}b")),
            Err(TemplateError::Unknown(name.to_owned()))
        );
    }
    for text in ["a{b", "a}b", "{database}}"] {
        assert_eq!(Template::parse(text), Err(TemplateError::Unbalanced));
    }
}
