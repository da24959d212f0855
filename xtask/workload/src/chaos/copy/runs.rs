//! Counts what each run of a snapshot read, and how much of it again.

use std::collections::HashSet;

use super::{Key, event::Reading};

/// Most documents that one session of an engine may leave to the next one to read again.
const CHUNK: usize = 5_000;

/// All runs, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(in crate::chaos) struct Runs {
    all: Vec<Run>,
    /// Sessions of engines that have begun so far.
    sessions: usize,
    /// Messages of documents that were read.
    pub(in crate::chaos) reads: usize,
    /// Those of a document that the same run had read before.
    pub(in crate::chaos) repeated: usize,
}

#[derive(Debug)]
struct Run {
    name: String,
    /// Sessions that had begun when it was asked for.
    sessions_before: usize,
    keys: HashSet<(usize, Key)>,
    repeated: usize,
    is_done: bool,
}

impl Runs {
    /// Notes that a run is asked for, if that is new.
    pub(in crate::chaos) fn asked_for(&mut self, name: &str) {
        if self.all.iter().any(|run| run.name == name) {
            return;
        }
        self.all.push(Run {
            name: name.to_owned(),
            sessions_before: self.sessions,
            keys: HashSet::new(),
            repeated: 0,
            is_done: false,
        });
    }

    /// Notes that a session of an engine has begun.
    pub(in crate::chaos) fn session_begun(&mut self) {
        self.sessions += 1;
    }

    /// Whether every run that was asked for was read to its end.
    pub(in crate::chaos) fn all_done(&self) -> bool {
        self.all.iter().all(|run| run.is_done)
    }

    /// How many were read to their end.
    pub(in crate::chaos) fn completed(&self) -> usize {
        self.all.iter().filter(|run| run.is_done).count()
    }

    /// How many there are.
    pub(in crate::chaos) fn count(&self) -> usize {
        self.all.len()
    }

    pub(super) fn read(&mut self, reading: &Reading, collection: usize, key: &Key) {
        self.reads += 1;
        self.asked_for(&reading.run);
        let mut runs = self.all.iter_mut();
        if let Some(run) = runs.find(|run| run.name == reading.run) {
            let is_new = run.keys.insert((collection, key.clone()));
            // The last document of something may come once more, only to be marked.
            if !is_new && !reading.marks.iter().any(|mark| mark.ends_with("-last")) {
                run.repeated += 1;
                self.repeated += 1;
            }
            run.is_done |= reading.has("run-last");
        }
    }

    /// The runs that have no end, in words.
    pub(in crate::chaos) fn without_end(&self) -> Vec<String> {
        let runs = self.all.iter().filter(|run| !run.is_done);
        runs.map(|run| {
            let (name, count) = (&run.name, run.keys.len());
            format!("run {name} has no end, {count} documents were read")
        })
        .collect()
    }

    /// The runs that read more again than a chunk for each new session, in words.
    pub(in crate::chaos) fn read_again(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (run, sessions) in self.all.iter().zip(self.begun_after()) {
            let sessions = sessions - run.sessions_before;
            if CHUNK * sessions < run.repeated {
                let (name, repeated) = (&run.name, run.repeated);
                found.push(format!(
                    "run {name} read {repeated} documents again over {sessions} new sessions"
                ));
            }
        }
        found
    }

    /// The sessions that had begun at the end of each run, which is when the next one was asked for.
    fn begun_after(&self) -> impl Iterator<Item = usize> {
        let next = self.all.iter().skip(1).map(|run| run.sessions_before);
        next.chain([self.sessions])
    }
}

#[cfg(test)]
mod tests {
    use bson::Document;

    use super::*;

    fn read(runs: &mut Runs, keys: std::ops::Range<u32>, marks: &[&str]) {
        for key in keys {
            let reading = Reading {
                run: "r".to_owned(),
                marks: marks.iter().map(|mark| (*mark).to_owned()).collect(),
                document: Document::new(),
            };
            runs.read(&reading, 0, &key.to_le_bytes().into());
        }
    }

    #[test]
    fn a_chunk_may_be_repeated_for_each_session() {
        let mut runs = Runs::default();
        runs.session_begun();
        runs.asked_for("r");
        read(&mut runs, 0..6_000, &[]);
        assert!(!runs.all_done());
        runs.session_begun();
        read(&mut runs, 1_000..6_000, &[]);
        read(&mut runs, 6_000..6_001, &["range-last", "run-last"]);
        assert!(runs.all_done());
        assert_eq!((runs.reads, runs.repeated), (11_001, 5_000));
        assert!(runs.read_again().is_empty() && runs.without_end().is_empty());
        read(&mut runs, 0..1, &[]);
        let told = "run r read 5001 documents again over 1 new sessions";
        assert_eq!(runs.read_again(), [told]);
    }

    #[test]
    fn a_run_without_an_end_is_said() {
        let mut runs = Runs::default();
        runs.asked_for("r");
        read(&mut runs, 0..3, &[]);
        assert_eq!(
            runs.without_end(),
            ["run r has no end, 3 documents were read"]
        );
    }
}
