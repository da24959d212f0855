use lapin::{
    BasicProperties,
    types::{ByteArray, DecimalValue, FieldArray},
};

use super::*;

fn line(delivery: &Delivery) -> String {
    let mut out = Vec::new();
    write(delivery, &mut out);
    String::from_utf8(out).unwrap()
}

fn delivery(body: &[u8]) -> Delivery {
    Delivery::mock(1, "".into(), "q".into(), false, body.to_vec())
}

/// Checks what becomes of a body.
fn check_body(body: impl AsRef<[u8]>, expected: &str) {
    let line = line(&delivery(body.as_ref()));
    let (_, written) = line.split_once(r#","body":"#).unwrap();
    assert_eq!(written, format!("{expected}}}\n"));
    serde_json::from_str::<serde_json::Value>(&line).unwrap();
}

/// Checks what becomes of a header's value.
fn check_header(value: AMQPValue, expected: &str) {
    let mut headers = FieldTable::default();
    headers.insert("h".into(), value);
    let mut delivery = delivery(b"");
    delivery.properties = BasicProperties::default().with_headers(headers);
    let line = line(&delivery);
    let expected = format!(r#""headers":{{"h":{expected}}},"#);
    assert!(line.contains(&expected), "{expected} in {line}");
    serde_json::from_str::<serde_json::Value>(&line).unwrap();
}

fn table(entries: impl IntoIterator<Item = (&'static str, AMQPValue)>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(name.into(), value);
    }
    table
}

#[test]
fn a_whole_message_is_one_line() {
    let mut delivery = Delivery::mock(7, "ex".into(), "moves".into(), true, b"{\"n\":1}".to_vec());
    let headers = table([
        (
            "cdc-namespace",
            AMQPValue::LongString("scrabble.moves".into()),
        ),
        (
            "cdc-wall-time-ms",
            AMQPValue::LongLongInt(1_700_000_000_123),
        ),
    ]);
    delivery.properties = BasicProperties::default()
        .with_message_id("0a1b".into())
        .with_type("insert".into())
        .with_app_id("cdc".into())
        .with_content_type("application/json".into())
        .with_timestamp(1_700_000_000)
        .with_delivery_mode(2)
        .with_priority(3)
        .with_headers(headers);
    let properties = concat!(
        r#"{"message_id":"0a1b","type":"insert","app_id":"cdc","content_type":"application/json","#,
        r#""timestamp":1700000000,"delivery_mode":2,"priority":3,"exchange":"ex","routing_key":"moves","#,
        r#""redelivered":true}"#
    );
    let headers = r#"{"cdc-namespace":"scrabble.moves","cdc-wall-time-ms":1700000000123}"#;
    assert_eq!(
        line(&delivery),
        format!("{{\"properties\":{properties},\"headers\":{headers},\"body\":{{\"n\":1}}}}\n")
    );
}

#[test]
fn a_message_without_properties_has_those_of_its_delivery() {
    assert_eq!(
        line(&delivery(b"")),
        "{\"properties\":{\"exchange\":\"\",\"routing_key\":\"q\",\"redelivered\":false},\"headers\":{},\"body\":\"\"}\n"
    );
}

#[test]
fn a_json_body_keeps_its_order_its_numbers_and_its_repeated_fields() {
    for body in [
        r#"{"z":1,"a":1.0,"big":123456789012345678901234567890,"tiny":1e-400,"z":2}"#,
        r"[1, 2,	3]",
        "null",
        "-0",
        r#""日本語 \u00e9""#,
    ] {
        check_body(body, body);
    }
}

#[test]
fn line_breaks_in_a_json_body_become_spaces() {
    check_body("\n{\"a\":\r\n  1}\n", "{\"a\":    1}");
}

#[test]
fn a_body_that_is_not_json_is_a_string() {
    check_body("word: quiz\n", r#""word: quiz\n""#);
    check_body("{\"a\":NaN}", r#""{\"a\":NaN}""#);
    check_body("{} {}", r#""{} {}""#);
}

#[test]
fn a_body_that_is_not_utf_8_is_in_base64() {
    check_body(b"\xff\x00", r#"{"base64":"/wA="}"#);
    check_body(b"\"\xff\"", r#"{"base64":"Iv8i"}"#);
}

#[test]
fn no_control_character_reaches_the_terminal() {
    check_body("\u{1b}[2J\u{7f}\u{9b}", r#""\u001b[2J\u007f\u009b""#);
    check_body("{\"a\u{7f}\":\"\u{9b}31m\"}", r#"{"a\u007f":"\u009b31m"}"#);
}

#[test]
fn a_deeply_nested_body_is_no_trouble() {
    let body = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let line = line(&delivery(body.as_bytes()));
    assert!(line.ends_with(&format!(",\"body\":{body}}}\n")));
}

#[test]
fn headers_of_all_types_are_printable() {
    check_header(AMQPValue::Boolean(true), "true");
    check_header(AMQPValue::ShortShortInt(-8), "-8");
    check_header(AMQPValue::ShortShortUInt(8), "8");
    check_header(AMQPValue::ShortInt(-16), "-16");
    check_header(AMQPValue::ShortUInt(16), "16");
    check_header(AMQPValue::LongInt(-32), "-32");
    check_header(AMQPValue::LongUInt(32), "32");
    check_header(AMQPValue::LongLongInt(i64::MIN), "-9223372036854775808");
    check_header(AMQPValue::Timestamp(u64::MAX), "18446744073709551615");
    check_header(AMQPValue::Float(1.5), "1.5");
    check_header(AMQPValue::Double(0.1), "0.1");
    check_header(AMQPValue::Double(f64::NAN), r#""NaN""#);
    check_header(AMQPValue::Float(f32::NEG_INFINITY), r#""-inf""#);
    let decimal = DecimalValue {
        scale: 2,
        value: 1250,
    };
    check_header(AMQPValue::DecimalValue(decimal), "1250e-2");
    check_header(AMQPValue::ShortString("a\"b".into()), r#""a\"b""#);
    check_header(AMQPValue::LongString("tab\t".into()), r#""tab\t""#);
    check_header(
        AMQPValue::LongString(vec![0xff].into()),
        r#"{"base64":"/w=="}"#,
    );
    check_header(
        AMQPValue::ByteArray(ByteArray::from(vec![1, 2])),
        r#"{"base64":"AQI="}"#,
    );
    check_header(AMQPValue::Void, "null");
    let items = vec![AMQPValue::Boolean(false), AMQPValue::Void];
    check_header(
        AMQPValue::FieldArray(FieldArray::from(items)),
        "[false,null]",
    );
    let inner = table([("x", AMQPValue::LongInt(1)), ("y", AMQPValue::Void)]);
    check_header(AMQPValue::FieldTable(inner), r#"{"x":1,"y":null}"#);
}
