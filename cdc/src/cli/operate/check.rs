//! `cdc check`: what would keep `cdc run` from working, and the mend of each.

use std::borrow::Cow;

use cdc::{
    config::Given,
    operate::{
        Error,
        check::{Finding, Outcome, all},
    },
    retry::chain,
};
use clap::{ArgMatches, Command as Clap};
use serde_json::{Value, json};

use super::{Exit, block_on, exit, json_switch, print, settings};
use crate::cli::hints::Hint as _;

pub(super) fn command() -> Clap {
    Clap::new("check")
        .about("Look at everything that `cdc run` needs, change nothing, and say what is wrong and how to mend it")
        .arg(json_switch())
        .after_help(
            "Exit codes: 0 nothing is in the way (there may be warnings), 1 a fault, 64 bad configuration.\n\n\
             Example: cdc check --json | jq '.findings[] | select(.outcome == \"fault\")'",
        )
}

pub(super) fn run(given: &Given, matches: &ArgMatches) -> Result<(), Exit> {
    let (config, _) = settings(given)?;
    let findings = block_on(async { Ok(Box::pin(all(&config)).await) })?;
    if matches.get_flag("json") {
        print(&in_json(&findings).to_string());
    } else {
        findings
            .iter()
            .flat_map(in_words)
            .for_each(|line| print(&line));
    }
    let faults: Vec<&Error> = findings.iter().filter_map(fault).collect();
    match faults[..] {
        [] => Ok(()),
        [error] if is_bad_configuration(error) => Err(exit(error)),
        _ => Err(Exit::failure(summary(faults.len()), None)),
    }
}

fn fault(finding: &Finding) -> Option<&Error> {
    match &finding.outcome {
        Outcome::Fault(error) => Some(&**error),
        _ => None,
    }
}

/// What helps a run, which goes on from a checkpoint: a replay helps itself otherwise.
fn mend(error: &Error) -> Option<Cow<'static, str>> {
    match error {
        Error::Source(error) => error.hint(),
        error => error.hint(),
    }
}

fn is_bad_configuration(error: &Error) -> bool {
    matches!(error, Error::Mongo(cause) if cause.is_bad_configuration())
}

fn summary(faults: usize) -> String {
    match faults {
        1 => "1 fault is in the way of `cdc run`".to_owned(),
        many => format!("{many} faults are in the way of `cdc run`"),
    }
}

/// A finding as a sign, a word, why, and the mend.
struct Told {
    sign: char,
    outcome: &'static str,
    text: String,
    mend: Option<String>,
}

impl Told {
    fn of(outcome: &Outcome) -> Self {
        let (sign, outcome, text, mend) = match outcome {
            Outcome::Good(text) => ('✓', "good", text.clone(), None),
            Outcome::Advice(advice) => ('⚠', "advice", chain(advice), advice.hint()),
            Outcome::Fault(error) => ('✗', "fault", chain(error), mend(error)),
            Outcome::Skipped(reason) => ('-', "skipped", format!("not looked at: {reason}"), None),
        };
        Self {
            sign,
            outcome,
            text,
            mend: mend.map(String::from),
        }
    }
}

fn in_words(finding: &Finding) -> Vec<String> {
    let told = Told::of(&finding.outcome);
    let (place, what) = (finding.place, finding.what);
    let first = format!("{} {place}: {what}: {}", told.sign, told.text);
    let mend = told.mend.iter().flat_map(|mend| mend.lines());
    let mend = mend.map(|line| format!("    {}", line.trim_start()));
    std::iter::once(first).chain(mend).collect()
}

fn in_json(findings: &[Finding]) -> Value {
    let count = |wanted: &str| {
        let told = findings.iter().map(|finding| Told::of(&finding.outcome));
        told.filter(|told| told.outcome == wanted).count()
    };
    let each = findings.iter().map(|finding| {
        let told = Told::of(&finding.outcome);
        json!({
            "place": finding.place,
            "what": finding.what,
            "outcome": told.outcome,
            "text": told.text,
            "mend": told.mend,
        })
    });
    json!({
        "faults": count("fault"),
        "advice": count("advice"),
        "findings": each.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mend_stands_below_what_it_mends() {
        let outcome = Outcome::Fault(Box::new(Error::Admin(cdc::admin::Error::Taken(
            ([127, 0, 0, 1], 9464).into(),
        ))));
        let finding = Finding {
            place: "this machine",
            what: "admin port",
            outcome,
        };
        assert_eq!(
            in_words(&finding),
            [
                "✗ this machine: admin port: admin port 127.0.0.1:9464 is taken",
                "    stop the other program, or set CDC_ADMIN_ADDR to another address or `off`",
            ]
        );
        let told = in_json(&[finding]);
        assert_eq!((&told["faults"], &told["advice"]), (&json!(1), &json!(0)));
    }
}
