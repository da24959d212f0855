use super::{option::take, *};

fn faults(text: &str) -> Vec<(usize, String)> {
    file::parse(text, config::unknown).unwrap_err()
}

fn check(text: &str, line: usize, part: &str) {
    let faults = faults(text);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].0, line, "{text:?}: {faults:?}");
    assert!(faults[0].1.contains(part), "{text:?}: {faults:?}");
}

fn good(text: &str) -> Vec<(String, String, usize)> {
    file::parse(text, config::unknown).unwrap()
}

#[test]
fn byte_order_marks_carriage_returns_and_export_do_no_harm() {
    let text = "\u{feff}CDC_FORMAT=event\r\n# note\r\n\r\nexport CDC_PIPELINE='two words'\r\n";
    let expected = [("CDC_FORMAT", "event", 1), ("CDC_PIPELINE", "two words", 4)];
    assert_eq!(
        good(text),
        expected.map(|(name, value, line)| (name.to_owned(), value.to_owned(), line))
    );
}

#[test]
fn a_bad_line_is_counted_past_everything_before_it() {
    let bad = "not NAME=value";
    check("no equals sign\n", 1, bad);
    check("CDC_FORMAT=event\nCDC_PIPELINE=two words\n", 2, bad);
    check("CDC_FORMAT=event\n\n# it's\n\nB\nCDC_PIPELINE=2\n", 5, bad);
    check("CDC_FORMAT=event\r\nCDC_PIPELINE=two words\r\n", 2, bad);
    check("CDC_PIPELINE='one\ntwo'\nB\n", 3, bad);
    check("CDC_FORMAT=a\nCDC_PIPELINE='never\nclosed\nB=2\n", 2, bad);
    let long = "x".repeat(100_000);
    check(&format!("CDC_PIPELINE={long}\nB\n"), 2, bad);
}

#[test]
fn every_fault_is_told() {
    let text = "CDC_COLLECTION=games\nB\nCDC_FORMAT=event\nCDC_FORMAT=document\n";
    let expected = [
        "CDC_COLLECTION is not a setting; did you mean CDC_COLLECTIONS?",
        "the line is not NAME=value, or a quote is not closed",
        "",
        "CDC_FORMAT is set a second time, first on line 3",
    ];
    let expected = expected.into_iter().enumerate();
    let expected = expected.filter(|(_, text)| !text.is_empty());
    let expected: Vec<_> = expected
        .map(|(at, text)| (at + 1, text.to_owned()))
        .collect();
    assert_eq!(faults(text), expected);
}

#[test]
fn a_dollar_that_would_be_replaced_is_told_and_a_quoted_one_stays() {
    for value in ["gu$est", "\"gu$est\"", "a\"b'c$d\"", "${CDC_NOT_SET}", "$"] {
        check(
            &format!("RABBITMQ_DEFAULT_PASSWORD={value}\n"),
            1,
            "a `$` outside of single quotes",
        );
    }
    for (value, meant) in [
        ("'gu$est'", "gu$est"),
        ("gu\\$est", "gu$est"),
        ("\"it's \\$5\"", "it's $5"),
        ("guest # costs $5", "guest"),
        ("${CDC_PIPELINE}", "p"),
    ] {
        let text = format!("CDC_PIPELINE=p\nRABBITMQ_DEFAULT_PASSWORD={value}\n");
        assert_eq!(good(&text)[1].1, meant);
    }
}

fn split(arguments: &[&str]) -> (Vec<String>, Vec<String>) {
    let (files, rest) = take(arguments.iter().map(Into::into));
    let rest = rest.into_iter().map(|text| text.into_string().unwrap());
    (files, rest.collect())
}

#[test]
fn the_file_is_named_anywhere_in_either_form() {
    for arguments in [
        &["cdc", "--env-file", "a b.env", "run", "--format", "event"][..],
        &["cdc", "run", "--format", "event", "--env-file=a b.env"],
        &["cdc", "run", "--env-file=a b.env", "--format", "event"],
    ] {
        let (files, rest) = split(arguments);
        assert_eq!(files, ["a b.env"]);
        assert_eq!(rest, ["cdc", "run", "--format", "event"]);
    }
}

#[test]
fn only_what_names_a_file_is_taken_from_the_command_line() {
    for arguments in [
        &["cdc", "--env-file"][..],
        &["cdc", "--env-file", "--help"],
        &["cdc", "--env-files=x", "--env-filex"],
        &["cdc", "--", "--env-file", "x"],
        &["cdc", "--", "--env-file=x"],
    ] {
        let (files, rest) = split(arguments);
        assert!(files.is_empty(), "{files:?}");
        assert_eq!(rest, arguments);
    }
    assert_eq!(
        split(&["cdc", "--env-file=a=b", "--env-file", "c"]).0,
        ["a=b", "c"]
    );
}
