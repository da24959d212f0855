//! From a value to a place on an axis.

use super::super::number;

/// An axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// From 0.
    Linear { top: f64, step: f64 },
    /// From a value above 0.
    Log { low: f64, high: f64 },
}

impl Scale {
    /// From 0 to a round number above all of `values`.
    pub(super) fn linear(values: impl IntoIterator<Item = f64>) -> Self {
        let most = values.into_iter().fold(0.0_f64, f64::max);
        let most = if most > 0.0 { most } else { 1.0 };
        let step = round_up(most / 5.0, &[1.0, 2.0, 2.5, 5.0]);
        Self::Linear {
            top: (most / step).ceil() * step,
            step,
        }
    }

    /// Between round numbers around all of `values` that are above 0.
    pub(super) fn log(values: impl IntoIterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for value in values.into_iter().filter(|value| *value > 0.0) {
            (low, high) = (low.min(value), high.max(value));
        }
        if high == 0.0 {
            (low, high) = (1.0, 10.0);
        }
        let round = |value| round_up(value, &[1.0, 2.0, 5.0]);
        let (low, high) = (round(low.recip()).recip(), round(high));
        let high = if high > low { high } else { low * 10.0 };
        Self::Log { low, high }
    }

    /// Where `value` is, from 0 to 1.
    pub(super) fn at(self, value: f64) -> f64 {
        match self {
            Self::Linear { top, .. } => value / top,
            Self::Log { low, high } => (value.max(low) / low).ln() / (high / low).ln(),
        }
    }

    /// The values that have a line and a number.
    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear { top, step } => {
                let mut ticks = vec![0.0];
                while let Some(last) = ticks.last().filter(|last| *last + step / 2.0 < top) {
                    ticks.push(last + step);
                }
                ticks
            }
            Self::Log { low, high } => log_ticks(low, high),
        }
    }

    /// The number at a tick.
    pub(super) fn text(tick: f64) -> String {
        if tick >= 1_000.0 {
            number::whole(tick)
        } else {
            number::without_zeros(&format!("{tick:.3}")).to_owned()
        }
    }
}

/// Each 1, 2 and 5 between the ends; of more than two decades each 1 alone.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let steps: &[f64] = match high / low {
        wide if wide > 101.0 => &[1.0],
        _ => &[1.0, 2.0, 5.0],
    };
    let mut ticks = Vec::new();
    let mut decade = 10_f64.powf(low.log10().floor());
    while decade <= high * 1.001 {
        let in_decade = steps.iter().map(|step| step * decade);
        ticks.extend(in_decade.filter(|tick| (low * 0.999..=high * 1.001).contains(tick)));
        decade *= 10.0;
    }
    ticks
}

/// The next of `digits` times a power of ten.
fn round_up(value: f64, digits: &[f64]) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    let enough = |digit: &&f64| value / decade <= **digit * 1.000_001;
    digits.iter().find(enough).unwrap_or(&10.0) * decade
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: &[f64], other: &[f64]) {
        let same = one.len() == other.len()
            && one
                .iter()
                .zip(other)
                .all(|(one, other)| (one - other).abs() <= 1e-9 * other.abs());
        assert!(same, "{one:?} is not {other:?}");
    }

    #[test]
    fn a_linear_axis_begins_at_0_and_ends_at_a_round_number() {
        let scale = Scale::linear([3.0, 97.0]);
        close(&scale.ticks(), &[0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        close(
            &[scale.at(0.0), scale.at(50.0), scale.at(100.0)],
            &[0.0, 0.5, 1.0],
        );
        close(&[Scale::linear([]).at(0.0)], &[0.0]);
    }

    #[test]
    fn an_axis_ends_not_far_above_its_values() {
        close(
            &Scale::linear([110.0]).ticks(),
            &[0.0, 25.0, 50.0, 75.0, 100.0, 125.0],
        );
        let texts = [0.0, 0.25, 2.5, 1_250.0].map(Scale::text);
        assert_eq!(texts, ["0", "0.25", "2.5", "1,250"]);
    }

    #[test]
    fn a_log_axis_gives_each_decade_the_same_room() {
        let scale = Scale::log([0.0, 1.0, 100.0]);
        close(
            &[scale.at(1.0), scale.at(10.0), scale.at(100.0)],
            &[0.0, 0.5, 1.0],
        );
        close(&scale.ticks(), &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        close(&Scale::log([3.4, 7.9]).ticks(), &[2.0, 5.0, 10.0]);
    }

    #[test]
    fn an_axis_of_many_decades_has_their_beginnings_alone() {
        close(
            &Scale::log([2.0, 9_000.0]).ticks(),
            &[10.0, 100.0, 1_000.0, 10_000.0],
        );
    }
}
