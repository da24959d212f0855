//! Adds up the result lines of `cargo test`.

use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    /// Adds what `line` reports, if it is a result line.
    pub(crate) fn add_line(&mut self, line: &str) {
        if let Some(counts) = parse(line) {
            *self += counts;
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// `test result: ok. 3 passed; 1 failed; 0 ignored; ...`
fn parse(line: &str) -> Option<Counts> {
    let (_verdict, numbers) = line
        .trim()
        .strip_prefix("test result: ")?
        .split_once(". ")?;
    let number = |unit: &str| {
        let mut parts = numbers.split(';').map(str::trim);
        parts.find_map(|part| part.strip_suffix(unit)?.trim().parse().ok())
    };
    Some(Counts {
        passed: number("passed")?,
        failed: number("failed")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &str, passed: u64, failed: u64) {
        let mut counts = Counts::default();
        lines.lines().for_each(|line| counts.add_line(line));
        assert_eq!(counts, Counts { passed, failed }, "{lines}");
    }

    #[test]
    fn result_lines_are_added_up() {
        check(
            "running 3 tests\n\
             test a ... ok\n\
             test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
             test result: FAILED. 20 passed; 4 failed; 1 ignored; 0 measured; 9 filtered out; finished in 7.10s\n",
            23,
            4,
        );
    }

    #[test]
    fn other_lines_do_not_count() {
        check(
            "5 passed; 5 failed\ntest result: odd\ntest result: ok. many passed; 0 failed\n",
            0,
            0,
        );
    }
}
