//! Percentiles of what a histogram counted between two looks at it.

/// What a histogram has counted up to now: for each bound what is at most as large, and larger than the bound before. The
/// last bound is infinite, or as good as.
pub(super) type Counts = Vec<(f64, u64)>;

/// The latency that `share` of all that came between the two looks does not exceed, as if latencies were spread evenly
/// between two bounds. None where nothing came. What is beyond the last finite bound is given as that.
pub(super) fn percentile(before: &Counts, after: &Counts, share: f64) -> Option<f64> {
    let new = after.iter().enumerate().map(|(index, (bound, count))| {
        let known = before.get(index).map_or(0, |(_, count)| *count);
        (*bound, count.saturating_sub(known))
    });
    let new: Counts = new.collect();
    let total: u64 = new.iter().map(|(_, count)| count).sum();
    let rank = share * real(total);
    let (mut below, mut lower) = (0, 0.0);
    for (index, (bound, count)) in new.iter().enumerate() {
        let is_here = 0 < *count && rank <= real(below + count);
        if is_here && index + 1 == new.len() {
            return Some(lower);
        }
        if is_here {
            let part = (rank - real(below)) / real(*count);
            return Some(lower + (bound - lower) * part.clamp(0.0, 1.0));
        }
        (below, lower) = (below + count, *bound);
    }
    None
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counts: [u64; 4], share: f64, expected: Option<f64>) {
        let bounds = [1.0, 2.0, 4.0, f64::MAX];
        let before: Counts = bounds.iter().map(|bound| (*bound, 10)).collect();
        let after = bounds.iter().zip(counts);
        let after = after.map(|(bound, new)| (*bound, 10 + new)).collect();
        assert_eq!(percentile(&before, &after, share), expected, "{counts:?}");
        if expected.is_some() {
            let from_start = percentile(&Vec::new(), &after, share);
            assert!(from_start.is_some());
        }
    }

    #[test]
    fn what_lies_between_two_bounds_is_spread_evenly() {
        check([0, 100, 0, 0], 0.5, Some(1.5));
        check([50, 50, 0, 0], 0.5, Some(1.0));
        check([50, 40, 10, 0], 0.99, Some(3.8));
        check([1, 0, 0, 0], 0.99, Some(0.99));
    }

    #[test]
    fn nothing_new_has_none_and_the_slowest_have_the_last_bound() {
        check([0; 4], 0.5, None);
        check([0, 0, 0, 5], 0.5, Some(4.0));
        check([98, 0, 0, 2], 0.99, Some(4.0));
    }
}
