//! The samples of one figure.

use super::number;

/// A figure, with the smallest and the largest of its samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// What counts: the median, unless it was worked out otherwise.
    pub(super) value: f64,
    /// The smallest.
    pub(super) min: f64,
    /// The largest.
    pub(super) max: f64,
    /// How many there are.
    pub(super) count: usize,
}

impl Spread {
    /// Of `samples`: the middle one, or the mean of the two in the middle. None of no samples.
    pub(super) fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let count = sorted.len();
        let value = f64::midpoint(sorted[(count - 1) / 2], sorted[count / 2]);
        Some(Self {
            value,
            min,
            max,
            count,
        })
    }

    /// One figure alone.
    pub(super) fn alone(value: f64) -> Self {
        Self {
            value,
            min: value,
            max: value,
            count: 1,
        }
    }

    /// `value`, which was not worked out from `samples`, with the range of those.
    pub(super) fn around(value: f64, samples: impl IntoIterator<Item = f64>) -> Self {
        Self::of(samples).map_or(Self::alone(value), |samples| Self { value, ..samples })
    }

    /// With the largest sample as what counts: what must never be passed.
    pub(super) fn largest(self) -> Self {
        Self {
            value: self.max,
            ..self
        }
    }

    /// Every figure times `factor`, which is above 0.
    pub(super) fn times(self, factor: f64) -> Self {
        Self {
            value: self.value * factor,
            min: self.min * factor,
            max: self.max * factor,
            count: self.count,
        }
    }

    /// Whether a sample of one could be a sample of the other.
    pub(super) fn overlaps(self, other: Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }

    /// What counts, then smallest and largest where they differ.
    pub(super) fn text(self, number: fn(f64) -> String) -> String {
        let [value, min, max] = [self.value, self.min, self.max].map(number);
        if min == max {
            value
        } else {
            format!("{value} ({min}–{max})")
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
        assert_eq!((odd.value, odd.min, odd.max), (5.0, 1.0, 100.0));
        let even = spread(&[4.0, 1.0, 2.0, 100.0]);
        assert_eq!((even.value, even.count), (3.0, 4));
        assert_eq!(spread(&[7.0]).text(|value| value.to_string()), "7");
        assert_eq!(Spread::of([]), None);
        let other = Spread::around(4.5, [5.0, 1.0]);
        assert_eq!(
            (other.value, other.min, other.largest().value),
            (4.5, 1.0, 5.0)
        );
        assert_eq!(Spread::around(4.5, []), Spread::alone(4.5));
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
