use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};

use super::*;

/// 2023-11-14T22:13:20.123Z.
const WALL_TIME: i64 = 1_700_000_000_123;

fn delivery(body: impl AsRef<[u8]>) -> Delivery {
    let mut headers = FieldTable::default();
    headers.insert(
        "cdc-operation".into(),
        AMQPValue::LongString("insert".into()),
    );
    headers.insert(
        "cdc-namespace".into(),
        AMQPValue::LongString("scrabble.moves".into()),
    );
    headers.insert("cdc-wall-time-ms".into(), AMQPValue::LongLongInt(WALL_TIME));
    let mut delivery = Delivery::mock(1, "".into(), "q".into(), false, body.as_ref().to_vec());
    delivery.properties = BasicProperties::default()
        .with_message_id("0123456789abcdef0123456789abcdef".into())
        .with_headers(headers);
    delivery
}

fn line(delivery: &Delivery, width: usize, colour: bool) -> String {
    let mut out = Vec::new();
    write(delivery, WALL_TIME + 12, Look { width, colour }, &mut out);
    String::from_utf8(out).unwrap()
}

/// Checks what is shown of a body in a row that has 20 cells for it.
fn check_body(body: impl AsRef<[u8]>, expected: &str) {
    let head = "22:13:20.123 insert  scrabble.moves 01234…abcdef 12ms  ";
    let width = head.chars().count() + 20;
    assert_eq!(
        line(&delivery(body), width, false),
        format!("{head}{expected}\n")
    );
}

#[test]
fn a_row_has_time_operation_namespace_id_lag_and_body() {
    let delivery = delivery(r#"{"n":1,"type":"moves","entry_id":"65a1f0c2deadbeef00000001"}"#);
    assert_eq!(
        line(&delivery, 140, false),
        "22:13:20.123 insert  scrabble.moves 65a1f0c2deadbeef00000001 12ms  \
         {\"n\":1,\"type\":\"moves\",\"entry_id\":\"65a1f0c2deadbeef00000001\"}\n"
    );
    assert_eq!(
        line(&delivery, 60, false),
        "22:13:20.123 insert  scrabble.moves 65a1f…000001 12ms  {\"n\"…\n"
    );
}

#[test]
fn a_document_that_a_snapshot_read_has_its_time_and_where_the_run_begins_and_ends() {
    let mut delivery = delivery("{}");
    let mut headers = FieldTable::default();
    for (name, text) in [
        ("cdc-operation", "read"),
        ("cdc-namespace", "scrabble.moves"),
        ("cdc-cluster-time", "1700000000:7"),
        ("cdc-document-key", r#"{"_id":"a"}"#),
        ("cdc-snapshot", "initial"),
    ] {
        headers.insert(name.into(), AMQPValue::LongString(text.into()));
    }
    delivery.properties = delivery.properties.with_headers(headers.clone());
    let head = "22:13:20.000 read    scrabble.moves a 135ms";
    assert_eq!(line(&delivery, 100, false), format!("{head} {{}}\n"));
    let marks = "run-first,range-first";
    headers.insert(
        "cdc-snapshot-mark".into(),
        AMQPValue::LongString(marks.into()),
    );
    delivery.properties = delivery.properties.with_headers(headers);
    let expected = format!("{head} {marks} {{}}\n");
    assert_eq!(line(&delivery, 100, false), expected);
    let coloured = line(&delivery, 100, true);
    assert!(coloured.contains("\x1b[34mread\x1b[0m"), "{coloured:?}");
}

#[test]
fn a_message_of_another_program_is_shown_as_well() {
    let delivery = Delivery::mock(1, "".into(), "q".into(), false, b"hello".to_vec());
    assert_eq!(
        line(&delivery, 80, false),
        "-            -       - - -     hello\n"
    );
}

#[test]
fn colours_are_there_only_when_wanted_and_end_before_the_body() {
    let coloured = line(&delivery("body"), 80, true);
    assert!(coloured.contains("\x1b[32minsert\x1b[0m"), "{coloured:?}");
    assert!(coloured.ends_with("\x1b[0m  body\n"), "{coloured:?}");
    assert!(!line(&delivery("body"), 80, false).contains('\x1b'));
}

#[test]
fn a_body_is_cut_to_the_width() {
    check_body("12345678901234567890", "12345678901234567890");
    check_body("123456789012345678901", "1234567890123456789…");
    check_body("x".repeat(16 << 20), "xxxxxxxxxxxxxxxxxxx…");
}

#[test]
fn wide_characters_take_two_cells_and_are_never_halved() {
    check_body("日本語日本語日本語日", "日本語日本語日本語日");
    check_body("日本語日本語日本語日本", "日本語日本語日本語…");
    check_body("x日本語日本語日本語日本", "x日本語日本語日本語…");
    check_body("éééééééééééééééééééé", "éééééééééééééééééééé");
}

#[test]
fn what_acts_on_a_terminal_is_shown_escaped() {
    check_body("\x1b[2J", r"\u{1b}[2J");
    check_body("a\nb\r\tc", r"a\nb\r\tc");
    check_body("\u{9b}1m\u{7f}", r"\u{9b}1m\u{7f}");
    check_body("\u{202e}abc", r"\u{202e}abc");
    check_body(b"\xff\x00\xc3", r"\xff\u{0}\xc3");
    // An escape is cut as a whole.
    check_body("12345678901234567\x1b", "12345678901234567…");
}

#[test]
fn nothing_in_the_headers_acts_on_a_terminal() {
    let mut delivery = delivery("");
    let mut headers = FieldTable::default();
    headers.insert(
        "cdc-namespace".into(),
        AMQPValue::LongString("a\x1b]0;x\x07".into()),
    );
    delivery.properties = BasicProperties::default()
        .with_type("\x1b[31m".into())
        .with_message_id("\r\n".into())
        .with_headers(headers);
    let line = line(&delivery, 200, false);
    let acting: Vec<char> = line
        .trim_end_matches('\n')
        .chars()
        .filter(|c| c.is_control())
        .collect();
    assert!(acting.is_empty(), "{line:?}");
}

#[test]
fn no_row_is_wider_than_the_terminal() {
    let cells = |c: char| if c < '\u{2e80}' { 1 } else { 2 };
    for width in 0..120 {
        let line = line(
            &delivery("日本語 and more of it, and more of it"),
            width,
            false,
        );
        let cells: usize = line.trim_end_matches('\n').chars().map(cells).sum();
        assert!(cells <= width, "{width}: {line:?}");
    }
}

#[test]
fn an_id_is_found_in_the_body_or_else_is_the_messages_own() {
    let check = |body: &str, expected: &str| {
        let found = id(&delivery(body), body.as_bytes());
        assert_eq!(found.unwrap(), expected);
    };
    check(r#"{"n":1,"entry_id":"a\"b"}"#, "a\"b");
    check(r#"{"entry_id":null}"#, "0123456789abcdef0123456789abcdef");
    check(r#"{"entry_id":7}"#, "0123456789abcdef0123456789abcdef");
    check("[1]", "0123456789abcdef0123456789abcdef");
    check("no json", "0123456789abcdef0123456789abcdef");
}

#[test]
fn an_id_is_found_in_the_documents_key_whatever_the_body() {
    for (key, expected) in [
        (
            r#"{"_id":{"$oid":"65a1f0c2deadbeef00000001"}}"#,
            "65a1f0c2deadbeef00000001",
        ),
        (r#"{"shard":"eu","_id":{"$numberInt":"7"}}"#, "7"),
        (r#"{"_id":"a\"b"}"#, "a\"b"),
        (r#"{"_id":{"a":"x","b":"y"}}"#, r#"{"a":"x","b":"y"}"#),
        (r#"{"_id":true}"#, "true"),
        ("no json", "0123456789abcdef0123456789abcdef"),
    ] {
        let mut delivery = delivery("");
        let mut headers = FieldTable::default();
        headers.insert("cdc-document-key".into(), AMQPValue::LongString(key.into()));
        delivery.properties = delivery.properties.with_headers(headers);
        assert_eq!(id(&delivery, b"{}").unwrap(), expected, "{key}");
    }
}

#[test]
fn a_long_id_keeps_its_begin_and_its_end() {
    assert_eq!(shortened("123456789012", 12), "123456789012");
    assert_eq!(shortened("1234567890123", 12), "12345…890123");
    assert_eq!(shortened("ééééééé", 6), "éé…ééé");
}

#[test]
fn a_lag_is_told_in_the_units_that_matter() {
    let check = |millis, expected| assert_eq!(human(Duration::from_millis(millis)), expected);
    check(0, "0ms");
    check(999, "999ms");
    check(1_000, "1.0s");
    check(3_499, "3.4s");
    check(59_999, "59.9s");
    check(60_000, "1m00s");
    check(312_000, "5m12s");
    check(11_220_000, "3h07m");
    check(183_600_000, "2d03h");
}

#[test]
fn a_clock_that_is_behind_makes_no_negative_lag() {
    let mut out = Vec::new();
    let look = Look {
        width: 80,
        colour: false,
    };
    write(&delivery("{}"), WALL_TIME - 5_000, look, &mut out);
    assert!(String::from_utf8(out).unwrap().contains(" 0ms "));
}

#[test]
fn times_before_1970_have_a_clock_too() {
    assert_eq!(clock(-1), "23:59:59.999");
}
