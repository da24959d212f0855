//! What Prometheus' own tool says of the scrape and of the rules. Debian has it in the package `prometheus`.

use std::{
    env,
    ffi::OsString,
    io::Write as _,
    process::{Command, Stdio},
};

use cdc::metrics::Metrics;

use crate::root;

/// The tool; nothing on a machine that need not have it.
fn promtool() -> Option<OsString> {
    let named = env::var_os("CDC_TEST_PROMTOOL");
    let on_path = || {
        let folders = env::var_os("PATH").unwrap_or_default();
        let mut files = env::split_paths(&folders).map(|folder| folder.join("promtool"));
        files.find(|file| file.is_file()).map(OsString::from)
    };
    let found = named.or_else(on_path);
    assert!(
        found.is_some() || env::var_os("CI").is_none(),
        "there is no promtool; install Debian's package prometheus, or name it in CDC_TEST_PROMTOOL"
    );
    found
}

/// Asserts that it finds nothing wrong with `input`.
fn check(arguments: &[&str], input: &str) {
    let Some(promtool) = promtool() else {
        return;
    };
    let mut child = Command::new(promtool)
        .args(arguments)
        .current_dir(root().join("packaging/prometheus"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(
        output.status.success(),
        "promtool {arguments:?}: {}",
        said.concat()
    );
    assert!(!said.concat().contains("FAILED"), "{}", said.concat());
}

/// A scrape in the older format, which is all that the tool reads: there the name of a counter ends with `_total` in every
/// line.
fn in_the_older_format(page: &str) -> String {
    let counters = page.lines().filter_map(|line| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        (kind == "counter").then_some(name)
    });
    let counters: Vec<_> = counters.collect();
    let line = |line: &str| {
        let (begin, rest) = line.split_at(line.len().min("# HELP ".len()));
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let is_of_counter = ["# HELP ", "# TYPE "].contains(&begin) && counters.contains(&name);
        let total = if is_of_counter { "_total" } else { "" };
        format!("{begin}{name}{total} {rest}")
    };
    let lines = page
        .lines()
        .filter(|line| !line.starts_with("# UNIT") && !line.starts_with("# EOF"));
    lines
        .map(|text| line(text).trim_end().to_owned() + "\n")
        .collect()
}

#[test]
fn the_scrape_follows_the_conventions() {
    let metrics = Metrics::new("orders");
    metrics.checkpoint_saved();
    metrics.oplog_window.set(Some(7_200.0));
    metrics.headroom.set(Some(f64::INFINITY));
    for level in ["warning", "critical"] {
        metrics.headroom_threshold.of(level).set(Some(0.0));
    }
    check(
        &["check", "metrics"],
        &in_the_older_format(&metrics.encode()),
    );
}

#[test]
fn the_rules_are_rules() {
    check(&["check", "rules", "cdc-alerts.yml"], "");
}

#[test]
fn each_alert_fires_when_it_should_and_is_silent_when_not() {
    check(&["test", "rules", "cdc-alerts.test.yml"], "");
}
