//! `cdc check` finds what would keep the engine from working, and what it says of the mend is true.

mod servers;
mod settings;
mod states;

use crate::{
    streams::native,
    support::{Scenario, output},
};

/// What `cdc check` said.
struct Report {
    code: Option<i32>,
    /// Standard output, then standard error.
    text: String,
}

/// A line, and what stands below it.
struct Found {
    sign: char,
    line: String,
    mend: String,
}

impl Report {
    async fn of(scenario: &Scenario) -> Self {
        let (finished, text) = output(&["check"], &settings(scenario), |_| {}).await;
        Self {
            code: finished.code,
            text: text + &finished.log,
        }
    }

    /// All lines about `what`, such as `rabbitmq: queue`.
    fn about(&self, what: &str) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        let lines = self.text.lines().skip_while(|line| !line.contains(what));
        for line in lines {
            let (first, rest) = line.split_at(line.chars().next().map_or(0, char::len_utf8));
            if rest.starts_with(&format!(" {what}: ")) {
                found.push(Found {
                    sign: first.chars().next().unwrap(),
                    line: rest.to_owned(),
                    mend: String::new(),
                });
            } else if let Some(last) = found.last_mut().filter(|_| first == " ") {
                last.mend.push_str(line.trim());
                last.mend.push('\n');
            } else if !found.is_empty() {
                break;
            }
        }
        assert!(!found.is_empty(), "nothing about {what} in\n{}", self.text);
        found
    }

    /// Asserts that `what` has this sign, with `text` and, below it, `mend`; gives all that is below.
    fn has(&self, sign: char, what: &str, text: &str, mend: &str) -> String {
        let found = self.about(what).into_iter();
        let mut found = found.filter(|one| one.sign == sign && one.line.contains(text));
        let found = found.find(|one| one.mend.contains(mend));
        let expected = format!("{sign} {what}: … {text} … {mend}");
        found
            .unwrap_or_else(|| panic!("no {expected} in\n{}", self.text))
            .mend
    }

    /// Asserts a fault, the exit code for it, and its mend, which it gives.
    fn faults(&self, what: &str, text: &str, mend: &str) -> String {
        assert_eq!(self.code, Some(1), "{}", self.text);
        self.has('✗', what, text, mend)
    }

    /// Asserts a warning, which ends nothing.
    fn warns(&self, what: &str, text: &str, mend: &str) -> String {
        assert_eq!(self.code, Some(0), "{}", self.text);
        self.has('⚠', what, text, mend)
    }

    /// Asserts that all is well about `what`.
    fn ticks(&self, what: &str) {
        let is_well = self.about(what).iter().all(|one| one.sign == '✓');
        assert!(is_well, "{what} in\n{}", self.text);
    }
}

fn settings(scenario: &Scenario) -> Vec<(&str, &str)> {
    let given = scenario.given().iter();
    given
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// A place where everything is as it should be: there is something to watch, and the queue.
async fn healthy(label: &str) -> Scenario {
    let scenario = Scenario::new(label).await;
    scenario.insert_numbers(0..1).await;
    scenario.declare_own().await;
    scenario
}

#[tokio::test]
async fn a_healthy_pipeline_has_ticks_alone_but_for_what_releases_are_known_for() {
    let scenario = healthy("check").await;
    let report = Report::of(&scenario).await;
    assert_eq!(report.code, Some(0), "{}", report.text);
    let lines = report.text.lines().filter(|line| !line.starts_with(' '));
    let (well, others): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with('✓'));
    assert!(well.len() > 14, "{}", report.text);
    let is_known = |line: &&str| line.starts_with('⚠') && line.contains(": version: ");
    assert!(others.iter().all(is_known), "{}", report.text);
    let nothing = scenario.checkpoint().await;
    assert_eq!((nothing, scenario.ready().await), (None, 0));
}

const STREAM: &str = "rabbitmq: stream protocol";

#[tokio::test]
async fn a_stream_is_checked_by_its_own_protocol() {
    let Some(mut scenario) = native("check_stream").await else {
        return;
    };
    scenario.insert_numbers(0..1).await;
    let report = Report::of(&scenario).await;
    report.has('✓', STREAM, "at most 1048576 bytes", "");
    let namespace = format!("in `{}.numbers`", scenario.name);
    report.has('✓', STREAM, &namespace, "");
    scenario.set("RABBITMQ_STREAM_PORT", "1");
    let report = Report::of(&scenario).await;
    report.faults(STREAM, "connection refused", "rabbitmq_stream");
    scenario.set("CDC_STREAM_PROTOCOL", "auto");
    let report = Report::of(&scenario).await;
    report.warns(STREAM, "written by AMQP", "rabbitmq_stream");
}

#[tokio::test]
async fn a_report_for_programs_has_everything_that_one_for_people_has() {
    let mut scenario = healthy("check_json").await;
    scenario.set("RABBITMQ_EXCHANGE", "nowhere");
    let (finished, text) = output(&["check", "--json"], &settings(&scenario), |_| {}).await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["faults"], 1, "{report}");
    let findings = report["findings"].as_array().unwrap();
    let fault = findings.iter().find(|one| one["outcome"] == "fault");
    let fault = fault.unwrap();
    assert_eq!(
        (&fault["place"], &fault["what"]),
        (&"rabbitmq".into(), &"exchange".into())
    );
    let (why, mend) = (fault["text"].as_str(), fault["mend"].as_str());
    assert!(why.unwrap().contains("`nowhere` does not exist"));
    assert!(mend.unwrap().contains("declare the exchange"));
}

#[tokio::test]
async fn a_bad_configuration_is_told_whole_and_no_server_is_asked() {
    let mut scenario = Scenario::new("check_usage").await;
    scenario.set("RABBITMQ_PORT", "0").set("CDC_FORMAT", "xml");
    scenario.unset("RABBITMQ_URI");
    let report = Report::of(&scenario).await;
    assert_eq!(report.code, Some(64), "{}", report.text);
    for variable in ["RABBITMQ_PORT", "CDC_FORMAT"] {
        assert!(report.text.contains(variable), "{}", report.text);
    }
}
