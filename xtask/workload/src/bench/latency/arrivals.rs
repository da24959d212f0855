//! When each document has arrived.

use std::time::Instant;

use super::load::Load;

/// The moment of each document's first arrival.
#[derive(Debug)]
pub(super) struct Arrivals {
    moments: Vec<Option<Instant>>,
    left: usize,
}

impl Arrivals {
    pub(super) fn new(load: &Load) -> Self {
        Self {
            moments: vec![None; load.count()],
            left: load.count(),
        }
    }

    /// Document `number` is there now.
    pub(super) fn note(&mut self, number: usize, moment: Instant) {
        if let Some(place @ None) = self.moments.get_mut(number) {
            *place = Some(moment);
            self.left -= 1;
        }
    }

    /// Documents that have not arrived.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// From the moment when each was due, in microseconds; those that never arrived are left out.
    pub(super) fn micros(&self, load: &Load, start: Instant) -> Vec<u64> {
        let moments = self.moments.iter().enumerate();
        let latency = |(number, moment): (usize, &Option<Instant>)| {
            let due = start + load.due(number);
            let latency = (*moment)?.saturating_duration_since(due);
            u64::try_from(latency.as_micros()).ok()
        };
        moments.filter_map(latency).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_latency_counts_from_the_moment_when_the_document_was_due() {
        let load = Load {
            per_second: 2,
            seconds: 0,
            size: 400,
        };
        let start = Instant::now();
        let mut arrivals = Arrivals::new(&load);
        arrivals.note(1, start + Duration::from_millis(507));
        arrivals.note(1, start + Duration::from_millis(900));
        assert_eq!(arrivals.left(), 1);
        arrivals.note(0, start + Duration::from_millis(3));
        assert_eq!(arrivals.left(), 0);
        assert_eq!(arrivals.micros(&load, start), [3_000, 7_000]);
    }
}
