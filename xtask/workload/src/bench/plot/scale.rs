//! From a value to a place on an axis.

use std::iter;

use super::super::number;

/// An axis between two of its ticks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    /// The values that have a line and a number, rising.
    pub(super) ticks: Vec<f64>,
    low: f64,
    high: f64,
    is_log: bool,
}

impl Scale {
    /// From 0 to a round number that is not far above all of `values`.
    pub(super) fn linear(values: impl IntoIterator<Item = f64>) -> Self {
        let most = values.into_iter().fold(0.0_f64, f64::max);
        let most = if most > 0.0 { most } else { 1.0 };
        let mut steps = round(most / 50.0, &[1.0, 2.0, 2.5, 5.0]);
        let step = steps.find(|step| most / 5.0 <= step * 1.000_001);
        let step = step.unwrap_or(most);
        let next = |tick: &f64| (tick * 1.000_001 < most).then_some(tick + step);
        Self::between(iter::successors(Some(0.0), next).collect(), false)
    }

    /// Between round numbers around all of `values` that are above 0; each decade has the same room.
    pub(super) fn log(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().filter(|value| *value > 0.0).collect();
        let least = values.iter().copied().reduce(f64::min).unwrap_or(1.0);
        let most = values.iter().copied().reduce(f64::max).unwrap_or(10.0);
        let mut ticks: Vec<f64> = Vec::new();
        for tick in round(least, &[1.0, 2.0, 5.0]) {
            if tick <= least * 1.000_001 {
                ticks.clear();
            }
            ticks.push(tick);
            if most <= tick * 1.000_001 && 1 < ticks.len() {
                break;
            }
        }
        let mut scale = Self::between(ticks, true);
        if 7 < scale.ticks.len() {
            scale.ticks.retain(|tick| tick.log10().fract().abs() < 1e-9);
        }
        scale
    }

    fn between(ticks: Vec<f64>, is_log: bool) -> Self {
        Self {
            low: ticks.first().copied().unwrap_or(0.0),
            high: ticks.last().copied().unwrap_or(1.0),
            ticks,
            is_log,
        }
    }

    /// Where `value` is, from 0 to 1.
    pub(super) fn at(&self, value: f64) -> f64 {
        if self.is_log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
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

/// `digits` times rising powers of ten, from the one of `value` on.
fn round(value: f64, digits: &'static [f64]) -> impl Iterator<Item = f64> {
    let first = 10_f64.powf(value.log10().floor());
    let decades = iter::successors(Some(first), |decade| Some(decade * 10.0));
    decades.flat_map(|decade| digits.iter().map(move |digit| digit * decade))
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
        close(&scale.ticks, &[0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        close(
            &[scale.at(0.0), scale.at(50.0), scale.at(100.0)],
            &[0.0, 0.5, 1.0],
        );
        close(&[Scale::linear([]).at(0.0)], &[0.0]);
    }

    #[test]
    fn an_axis_ends_not_far_above_its_values() {
        close(
            &Scale::linear([110.0]).ticks,
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
        close(&scale.ticks, &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        close(&Scale::log([3.4, 7.9]).ticks, &[2.0, 5.0, 10.0]);
        close(&Scale::log([5.0, 5.0]).ticks, &[5.0, 10.0]);
        close(&Scale::log([]).ticks, &[1.0, 2.0, 5.0, 10.0]);
    }

    #[test]
    fn an_axis_of_many_decades_has_their_beginnings_alone() {
        let scale = Scale::log([2.0, 9_000.0]);
        close(&scale.ticks, &[10.0, 100.0, 1_000.0, 10_000.0]);
        close(&[scale.at(2.0)], &[0.0]);
    }
}
