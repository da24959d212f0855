use super::*;
use crate::bench::{report::Subject, tests::fixture};

/// The line of `changes` that begins with `name`.
fn line(now: &Report, earlier: &Report, name: &str) -> String {
    let text = changes(&Summary::of(now), &Summary::of(earlier));
    let found = text
        .lines()
        .find(|line| line.trim_start().starts_with(name));
    found
        .unwrap_or_else(|| panic!("{name} is not in\n{text}"))
        .to_owned()
}

/// Main runs of the engine take `factor` times as long.
fn slower(factor: f64) -> Report {
    let mut report = fixture::report();
    let runs = report.runs.iter_mut();
    let engine =
        runs.filter(|run| run.key.subject == Subject::Engine && run.key.group == Group::Main);
    engine.for_each(|run| run.seconds *= factor);
    report
}

const RATE: &str = "main, engine, classic, document, 200 k of 400 B: events/s";

#[test]
fn a_change_within_the_spread_is_no_proof() {
    let text = line(&slower(1.25), &fixture::report(), RATE);
    assert!(
        text.contains("-20.0 %") && text.contains("no proof"),
        "{text}"
    );
}

#[test]
fn a_change_beyond_the_spread_is_told_apart() {
    let text = line(&slower(0.5), &fixture::report(), RATE);
    assert!(
        text.contains("+100.0 %") && text.contains("do not overlap"),
        "{text}"
    );
}

#[test]
fn one_sample_proves_nothing() {
    let only = |mut report: Report| {
        report.runs.retain(|run| run.sample == 0);
        report
    };
    let text = line(&only(slower(0.5)), &only(fixture::report()), RATE);
    assert!(text.contains("one sample"), "{text}");
}

#[test]
fn ratios_are_compared_as_well() {
    let text = line(&slower(2.0), &fixture::report(), "engine / fastest Python");
    assert!(text.contains("-50.0 %"), "{text}");
}

#[test]
fn what_makes_the_reports_unlike_is_noted() {
    let (mut now, earlier) = (fixture::report(), fixture::report());
    assert!(!changes(&Summary::of(&now), &Summary::of(&earlier)).contains("note:"));
    now.machine.cores = 64;
    now.versions.insert("mongod".to_owned(), "8.0".to_owned());
    now.starts_ms.clear();
    let text = changes(&Summary::of(&now), &Summary::of(&earlier));
    for note in [
        "another machine",
        "mongod: 6.0.5, now 8.0",
        "only the earlier report has: 1",
    ] {
        assert!(text.contains(note), "{note} is not in\n{text}");
    }
}

#[test]
fn reports_of_other_settings_are_refused() {
    let (now, mut earlier) = (fixture::report(), fixture::report());
    earlier.settings.samples = 1;
    assert!(comparable(&now, &earlier).is_ok());
    earlier.settings.count = 1_000;
    let refused = comparable(&now, &earlier).unwrap_err().to_string();
    assert!(refused.contains("--count 1000 --size 400"), "{refused}");
}

#[test]
fn reports_of_other_formats_are_refused() {
    let refused = |text: &str| {
        let value = serde_json::from_str(text).unwrap();
        same_format(&value).unwrap_err().to_string()
    };
    assert!(refused(r#"{"format": 2}"#).contains("format 2"));
    assert!(refused(r#"{"samples": []}"#).contains("not a bench report"));
    assert!(same_format(&serde_json::json!({ "format": FORMAT })).is_ok());
}
