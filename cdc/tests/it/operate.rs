//! What an operator asks beside the running engine, and where a first start begins.

mod checkpoint;
mod replay;
mod start;
mod status;

use std::{io::Read as _, process::Command};

use crate::support::{Engine, Finished, Scenario};

/// A command that ended, and what it wrote to standard output.
pub(crate) struct Answer {
    pub(crate) finished: Finished,
    pub(crate) output: String,
}

/// Runs `cdc ARGUMENTS` with the scenario's settings to its end.
pub(crate) async fn ask(scenario: &Scenario, arguments: &[&str]) -> Answer {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let child = Engine::spawn_with(arguments, scenario.given(), |command: &mut Command| {
        command.stdout(writer);
    });
    let read = tokio::task::spawn_blocking(move || {
        let mut output = String::new();
        reader.read_to_string(&mut output).unwrap();
        output
    });
    let finished = child.finish().await;
    Answer {
        finished,
        output: read.await.unwrap(),
    }
}

impl Answer {
    /// Asserts the exit code, and that standard error has all of `parts`.
    pub(crate) fn check(&self, code: i32, parts: &[&str]) {
        crate::support::check(&self.finished, code, parts);
    }

    /// The one JSON value that was written.
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.finished.code, Some(0), "{}", self.finished.log);
        serde_json::from_str(&self.output).unwrap_or_else(|_| panic!("{:?}", self.output))
    }
}

/// A moment as a person would type it.
pub(crate) fn rfc3339(time: bson::Timestamp) -> String {
    let time = bson::DateTime::from_millis(i64::from(time.time) * 1_000);
    time.try_to_rfc3339_string().unwrap()
}

/// Waits until the cluster's clock has left the present second; the time before that.
async fn pause(scenario: &Scenario) -> bson::Timestamp {
    let before = scenario.now().await;
    crate::support::eventually("the next second has begun", async || {
        scenario
            .collection("clock")
            .insert_one(bson::doc! {})
            .await
            .unwrap();
        scenario.now().await.time > before.time
    })
    .await;
    before
}
