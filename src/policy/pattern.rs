//! Names with `*` for any text. A pattern always stands for the whole name.

/// A pattern, as in `terminal_*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<String>,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self {
            parts: text.split('*').map(str::to_owned).collect(),
        }
    }

    /// Whether the whole of `name` is meant. Greedy from the left, which is exact for `*`, and linear.
    pub(super) fn matches(&self, name: &str) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else {
            return self.parts.first().is_some_and(|only| only == name);
        };
        let Some(mut rest) = name.strip_prefix(first.as_str()) else {
            return false;
        };
        for part in middle {
            match rest.find(part.as_str()) {
                Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }

    /// Whether all names that `other` means are meant, as far as that shows: its `*` is text that only a `*` of ours takes.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.matches(&other.parts.join("*"))
    }

    /// Whether some name could be meant by both: exact for what the policy writes, where at most one has a `*`; where both
    /// have one, their ends are compared.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self.parts.as_slice(), other.parts.as_slice()) {
            ([only], _) => other.matches(only),
            (_, [only]) => self.matches(only),
            ([first, .., last], [other_first, .., other_last]) => {
                let either = |a: &str, b: &str| a.starts_with(b) || b.starts_with(a);
                let ends = last.ends_with(other_last.as_str()) || other_last.ends_with(last.as_str());
                either(first, other_first) && ends
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_the_whole_name() {
        let table = [
            ("terminal_run", "terminal_run", true),
            ("terminal_run", "terminal_run2", false),
            ("terminal_run", "terminal_run\n", false),
            ("terminal_run", "xterminal_run", false),
            ("terminal_run", "TERMINAL_RUN", false),
            ("terminal_*", "terminal_run", true),
            ("terminal_*", "terminal_", true),
            ("terminal_*", "aterminal_run", false),
            ("*", "", true),
            ("*", "anything", true),
            ("*_read", "hf_posts_read", true),
            ("*_read", "hf_posts_reads", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("a**b", "ab", true),
            ("", "", true),
            ("", "a", false),
            ("hf_.*", "hf_posts", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern:?} {name:?}");
        }
    }

    #[test]
    fn a_pattern_covers_what_means_no_other_names() {
        let table = [
            ("*", "token:*", true),
            ("token:*", "token:ci", true),
            ("token:*", "token:ci-*", true),
            ("token:*", "*", false),
            ("token:ci", "token:ci", true),
            ("token:ci", "token:*", false),
            ("token:*-a", "token:*", false),
            ("local", "token:*", false),
        ];
        for (wide, other, expected) in table {
            assert_eq!(
                Pattern::new(wide).covers(&Pattern::new(other)),
                expected,
                "{wide} {other}"
            );
        }
    }

    #[test]
    fn patterns_overlap_where_a_name_could_be_meant_by_both() {
        let table = [
            ("local", "local", true),
            ("local", "token:ci", false),
            ("token:*", "token:ci", true),
            ("token:*", "local", false),
            ("*", "local", true),
            ("token:a*", "token:b*", false),
            ("token:a*", "token:ab*", true),
            ("*-a", "*-b", false),
        ];
        for (one, other, expected) in table {
            let (one, other) = (Pattern::new(one), Pattern::new(other));
            assert_eq!(one.overlaps(&other), expected, "{one:?} {other:?}");
            assert_eq!(other.overlaps(&one), expected, "{other:?} {one:?}");
        }
    }
}
