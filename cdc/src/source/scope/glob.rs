//! Patterns of names: `*` stands for any text, also none, and `?` for any one character.

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Glob(String);

impl Glob {
    /// `text` as a pattern, if it is one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.contains(['*', '?']).then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it matches the whole of `name`.
    ///
    /// Only the last star has to be able to take more: what an earlier one took leaves the most for those after it.
    pub(super) fn matches(&self, name: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.as_str(), name);
        let mut star: Option<(&str, &str)> = None;
        loop {
            match (split_first(pattern), split_first(rest)) {
                (None, None) => return true,
                (Some(('*', after)), _) => {
                    pattern = after;
                    star = Some((after, rest));
                }
                (Some((wanted, after)), Some((found, tail)))
                    if wanted == '?' || wanted == found =>
                {
                    (pattern, rest) = (after, tail);
                }
                _ => {
                    let Some((after, taken)) = star else {
                        return false;
                    };
                    let Some((_, tail)) = split_first(taken) else {
                        return false;
                    };
                    (pattern, rest) = (after, tail);
                    star = Some((after, tail));
                }
            }
        }
    }

    /// The same as a regular expression of the server, with the option `s`, by which `.` stands for a line break too.
    /// `\z` is the end even where that is one.
    pub(super) fn regex(&self) -> String {
        let mut regex = "^".to_owned();
        for letter in self.0.chars() {
            match letter {
                '*' => regex.push_str(".*"),
                '?' => regex.push('.'),
                _ => {
                    if letter.is_ascii() && !letter.is_ascii_alphanumeric() {
                        regex.push('\\');
                    }
                    regex.push(letter);
                }
            }
        }
        regex + "\\z"
    }
}

fn split_first(text: &str) -> Option<(char, &str)> {
    let mut characters = text.chars();
    characters.next().map(|first| (first, characters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let glob = Glob::parse(pattern).unwrap();
        for name in matching {
            assert!(glob.matches(name), "{pattern} and {name:?}");
        }
        for name in others {
            assert!(!glob.matches(name), "{pattern} and {name:?}");
        }
    }

    #[test]
    fn a_pattern_matches_whole_names() {
        check(
            "ga*",
            &["ga", "games", "ga.mes"],
            &["g", "a games", "Games"],
        );
        check(
            "or?ers_*",
            &["orders_", "orüers_2024"],
            &["orers_1", "orders"],
        );
        check("*", &["", "games", "two\nlines\n"], &[]);
        check("?", &["a", "ü", "\n"], &["", "ab"]);
        check(
            "*a*b?c",
            &["abxc", "aabbbxc", "a b\nc"],
            &["abc", "ab", "abxcd"],
        );
        check("a.c*", &["a.c"], &["abc"]);
    }

    #[test]
    fn what_has_neither_star_nor_question_mark_is_no_pattern() {
        assert_eq!(Glob::parse("a.c"), None);
        assert_eq!(Glob::parse(""), None);
    }

    #[test]
    fn for_the_server_only_the_two_signs_have_a_meaning() {
        let regex = Glob::parse("a.b_*[c]ü?").unwrap().regex();
        assert_eq!(regex, r"^a\.b\_.*\[c\]ü.\z");
    }
}
