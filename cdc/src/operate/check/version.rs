//! A server's version: three numbers, whatever follows them.

use std::{fmt, str::FromStr};

/// A server's version, such as 6.0.5; a suffix such as `-rc1` is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let end = text.find(|one: char| one != '.' && !one.is_ascii_digit());
        let mut numbers = text[..end.unwrap_or(text.len())].split('.');
        let mut next = || numbers.next().unwrap_or("0").parse().map_err(|_| ());
        Ok(Self(next()?, next()?, next()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_three_numbers_does_not_count() {
        for (text, version) in [
            ("6.0.27", Ok(Version(6, 0, 27))),
            ("4.3.0-rc.1", Ok(Version(4, 3, 0))),
            ("4.2", Ok(Version(4, 2, 0))),
            ("8.0.4+build", Ok(Version(8, 0, 4))),
            ("", Err(())),
            ("unknown", Err(())),
            ("6..1", Err(())),
        ] {
            assert_eq!(text.parse(), version, "{text}");
        }
        assert!(Version(6, 0, 9) < Version(6, 0, 10));
    }
}
