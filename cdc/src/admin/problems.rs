//! What was in the engine's way lately.

use std::{collections::VecDeque, time::SystemTime};

use crate::health::{Cause, Obstacle, Report};

/// How many that are over are kept.
const PAST: usize = 20;
/// Longest reason that is kept, in bytes.
const REASON_BYTES: usize = 2_000;

/// Something that is or was in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) cause: Cause,
    /// What happened last.
    pub(super) reason: String,
    pub(super) began: SystemTime,
    pub(super) ended: Option<SystemTime>,
}

/// The problems there are, and the last ones that are over. Their number is bounded.
#[derive(Debug, Default)]
pub(super) struct Problems {
    present: Vec<Problem>,
    /// Oldest first.
    past: VecDeque<Problem>,
}

impl Problems {
    /// Takes what is in the way now.
    pub(super) fn note(&mut self, report: &Report, now: SystemTime) {
        let mut before = std::mem::take(&mut self.present);
        for obstacle in &report.obstacles {
            let known = before
                .iter()
                .position(|known| known.cause == obstacle.cause);
            let began = known.map(|index| before.swap_remove(index).began);
            self.present.push(Problem {
                cause: obstacle.cause,
                reason: shortened(&obstacle.reason),
                began: began.unwrap_or_else(|| since(obstacle, now)),
                ended: None,
            });
        }
        for over in before {
            if PAST <= self.past.len() {
                self.past.pop_front();
            }
            self.past.push_back(Problem {
                ended: Some(now),
                ..over
            });
        }
    }

    /// Those that are there, then those that are over, the last one first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Problem> {
        self.present.iter().chain(self.past.iter().rev())
    }
}

fn since(obstacle: &Obstacle, now: SystemTime) -> SystemTime {
    now.checked_sub(obstacle.since.elapsed()).unwrap_or(now)
}

fn shortened(reason: &str) -> String {
    let ends = reason
        .char_indices()
        .map(|(start, letter)| start + letter.len_utf8());
    let end = ends.take_while(|end| *end <= REASON_BYTES).last();
    reason[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::health::Health;

    fn told(problems: &Problems) -> Vec<(Cause, &str, bool)> {
        let all = problems.all();
        all.map(|one| (one.cause, &*one.reason, one.ended.is_some()))
            .collect()
    }

    #[test]
    fn a_problem_is_told_from_its_begin_until_it_is_forgotten() {
        let (health, mut problems) = (Health::default(), Problems::default());
        let begin = SystemTime::now();
        health.add_obstacle(Cause::Rabbitmq, "refused");
        problems.note(&health.report(), begin);
        health.add_obstacle(Cause::Rabbitmq, "timed out");
        health.add_obstacle(Cause::Mongodb, "away");
        problems.note(&health.report(), begin + Duration::from_secs(5));
        let (mongodb, rabbitmq) = (Cause::Mongodb, Cause::Rabbitmq);
        let expected = [(mongodb, "away", false), (rabbitmq, "timed out", false)];
        assert_eq!(told(&problems), expected);
        health.clear(rabbitmq);
        problems.note(&health.report(), begin + Duration::from_secs(9));
        health.clear(mongodb);
        problems.note(&health.report(), begin + Duration::from_secs(11));
        let expected = [(mongodb, "away", true), (rabbitmq, "timed out", true)];
        assert_eq!(told(&problems), expected);
        let over = problems.all().last().unwrap();
        let lasted = over.ended.unwrap().duration_since(over.began).unwrap();
        assert_eq!(lasted.as_secs(), 9);
    }

    #[test]
    fn only_the_last_ones_are_kept_and_no_long_reasons() {
        let (health, mut problems) = (Health::default(), Problems::default());
        for _ in 0..100 {
            health.add_obstacle(Cause::Sink, "é".repeat(REASON_BYTES));
            problems.note(&health.report(), SystemTime::now());
            health.clear(Cause::Sink);
            problems.note(&health.report(), SystemTime::now());
        }
        assert_eq!(problems.all().count(), PAST);
        assert!(problems.all().all(|one| one.reason.len() <= REASON_BYTES));
    }
}
