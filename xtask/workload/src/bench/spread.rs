//! The samples of one figure.

use super::number;

/// Median, smallest and largest of some samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub(super) median: f64,
    /// The smallest.
    pub(super) min: f64,
    /// The largest.
    pub(super) max: f64,
    /// How many there are.
    pub(super) count: usize,
}

impl Spread {
    /// Of `samples`; none of no samples.
    pub(super) fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let count = sorted.len();
        let median = f64::midpoint(sorted[(count - 1) / 2], sorted[count / 2]);
        Some(Self {
            median,
            min,
            max,
            count,
        })
    }

    /// Every figure times `factor`, which is above 0.
    pub(super) fn times(self, factor: f64) -> Self {
        Self {
            median: self.median * factor,
            min: self.min * factor,
            max: self.max * factor,
            count: self.count,
        }
    }

    /// Whether a sample of one could be a sample of the other.
    pub(super) fn overlaps(self, other: Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }

    /// The median, then smallest and largest where they differ.
    pub(super) fn text(self, number: fn(f64) -> String) -> String {
        let (median, min, max) = (number(self.median), number(self.min), number(self.max));
        if min == max {
            median
        } else {
            format!("{median} ({min}–{max})")
        }
    }

    /// As [`Self::text`], with about three digits.
    pub(super) fn short(self) -> String {
        self.text(number::short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(samples: &[f64]) -> Spread {
        Spread::of(samples.iter().copied()).unwrap()
    }

    #[test]
    fn the_median_is_the_middle_one_whatever_the_order() {
        let odd = spread(&[5.0, 1.0, 100.0]);
        assert_eq!((odd.median, odd.min, odd.max), (5.0, 1.0, 100.0));
        let even = spread(&[4.0, 1.0, 2.0, 100.0]);
        assert_eq!((even.median, even.count), (3.0, 4));
        assert_eq!(spread(&[7.0]).text(|value| value.to_string()), "7");
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn spreads_that_touch_overlap() {
        let (low, high) = (spread(&[1.0, 2.0]), spread(&[3.0, 4.0]));
        assert!(!low.overlaps(high) && !high.overlaps(low));
        assert!(low.overlaps(spread(&[2.0, 9.0])));
        assert!(spread(&[0.0, 9.0]).overlaps(high));
    }

    #[test]
    fn a_single_sample_has_no_range() {
        assert_eq!(spread(&[1234.0]).short(), "1,234");
        assert_eq!(spread(&[1.0, 2.0, 4.0]).short(), "2.00 (1.00–4.00)");
    }
}
