//! Patterns with `*` (any run of characters, `/` too) and `?` (any one character). In goes the pattern once, at load, and a bucket and
//! key at each decision; out comes whether they match. Matching allocates nothing, and its time is bounded by the
//! product of the lengths whatever the pattern: each `*` is tried from left to right and never reconsidered once a later one is reached.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>

use crate::types::Resource;

/// One step of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// This byte.
    Literal(u8),
    /// Any one character.
    AnyCharacter,
    /// Any run of characters, none too.
    AnyRun,
}

/// A compiled pattern: the literal ends compared as slices, and what stands between them.
pub(super) struct Pattern {
    prefix: Box<[u8]>,
    /// Empty where the pattern is all literal; else it begins and ends with a wildcard.
    middle: Box<[Token]>,
    suffix: Box<[u8]>,
}

/// What a pattern is matched with, in pieces so that nothing is copied: `bucket` or `bucket/key`.
#[derive(Clone, Copy)]
pub(super) struct ResourceText<'a> {
    bucket: &'a [u8],
    key: Option<&'a [u8]>,
}

impl<'a> ResourceText<'a> {
    /// What follows `arn:aws:s3:::`. The whole service is the text `*`, as AWS matches it with `arn:aws:s3:::*` as well as `*`.
    pub(super) fn of(resource: Resource<'a>) -> Self {
        match resource {
            Resource::Service => Self::plain("*"),
            Resource::Bucket(bucket) => Self::plain(bucket.as_str()),
            Resource::Object(bucket, key) => Self {
                bucket: bucket.as_str().as_bytes(),
                key: Some(key.as_str().as_bytes()),
            },
        }
    }

    /// A text of one piece.
    pub(super) fn plain(text: &'a str) -> Self {
        Self {
            bucket: text.as_bytes(),
            key: None,
        }
    }

    fn len(self) -> usize {
        self.bucket.len() + self.key.map_or(0, |key| key.len() + 1)
    }

    fn byte(self, at: usize) -> Option<u8> {
        match at.checked_sub(self.bucket.len()) {
            None => self.bucket.get(at).copied(),
            Some(0) => self.key.map(|_| b'/'),
            Some(behind) => self.key?.get(behind - 1).copied(),
        }
    }

    fn starts_with(self, literal: &[u8]) -> bool {
        let Some((head, rest)) = literal.split_at_checked(self.bucket.len()) else {
            return self.bucket.starts_with(literal);
        };
        let behind = || match (rest.split_first(), self.key) {
            (None, _) => true,
            (Some((b'/', rest)), Some(key)) => key.starts_with(rest),
            (Some(_), _) => false,
        };
        self.bucket == head && behind()
    }

    fn ends_with(self, literal: &[u8]) -> bool {
        let Some(key) = self.key else {
            return self.bucket.ends_with(literal);
        };
        let Some(at) = literal.len().checked_sub(key.len()) else {
            return key.ends_with(literal);
        };
        let Some((head, tail)) = literal.split_at_checked(at) else {
            return false;
        };
        let before = || match head.split_last() {
            None => true,
            Some((b'/', head)) => self.bucket.ends_with(head),
            Some(_) => false,
        };
        tail == key && before()
    }

    /// Where the character at an offset ends. Continuation bytes are swallowed, so that `?` takes a whole character.
    fn behind_character(self, at: usize) -> usize {
        let mut next = at + 1;
        while self.byte(next).is_some_and(|byte| byte & 0xC0 == 0x80) {
            next += 1;
        }
        next
    }
}

impl Pattern {
    /// Takes a pattern's steps.
    pub(super) fn new(tokens: &[Token]) -> Self {
        let literal = |token: &&Token| matches!(token, Token::Literal(_));
        let bytes = |tokens: &[Token]| {
            let byte = |token: &Token| match token {
                Token::Literal(byte) => Some(*byte),
                Token::AnyCharacter | Token::AnyRun => None,
            };
            tokens.iter().filter_map(byte).collect()
        };
        let prefix_length = tokens.iter().take_while(literal).count();
        let (prefix, rest) = tokens.split_at_checked(prefix_length).unwrap_or((tokens, &[]));
        let suffix_length = rest.iter().rev().take_while(literal).count();
        let (middle, suffix) = rest
            .split_at_checked(rest.len() - suffix_length)
            .unwrap_or((rest, &[]));
        Self {
            prefix: bytes(prefix),
            middle: middle.into(),
            suffix: bytes(suffix),
        }
    }

    /// Takes a text in which every `*` and `?` is a wildcard.
    pub(super) fn of_text(text: &str) -> Self {
        Self::new(&text.bytes().map(Token::of).collect::<Vec<_>>())
    }

    /// Whether the whole text fits.
    pub(super) fn matches(&self, text: ResourceText<'_>) -> bool {
        if self.middle.is_empty() {
            return text.len() == self.prefix.len() && text.starts_with(&self.prefix);
        }
        let Some(end) = text
            .len()
            .checked_sub(self.suffix.len())
            .filter(|end| *end >= self.prefix.len())
        else {
            return false;
        };
        text.starts_with(&self.prefix)
            && text.ends_with(&self.suffix)
            && (*self.middle == [Token::AnyRun] || self.middle_matches(text, end))
    }

    /// Matches what lies between the literal ends, from the left; after a mismatch the last `*` takes one character more.
    fn middle_matches(&self, text: ResourceText<'_>, end: usize) -> bool {
        let (mut at, mut step) = (self.prefix.len(), 0);
        let mut last_run = None;
        loop {
            let token = self.middle.get(step);
            let fits = match token {
                None => {
                    if at == end {
                        return true;
                    }
                    None
                }
                Some(Token::AnyRun) => {
                    last_run = Some((at, step + 1));
                    Some(at)
                }
                Some(Token::AnyCharacter) => (at < end).then(|| text.behind_character(at)),
                Some(Token::Literal(byte)) => (at < end && text.byte(at) == Some(*byte)).then_some(at + 1),
            };
            if let Some(next) = fits {
                (at, step) = (next, step + 1);
                continue;
            }
            let Some((run, behind)) = last_run.filter(|(run, _)| *run < end) else {
                return false;
            };
            let run = text.behind_character(run);
            last_run = Some((run, behind));
            (at, step) = (run, behind);
        }
    }

    /// Whether nothing but wildcards and `/` stands in it: every object, or every bucket, fits.
    pub(super) fn is_broad(&self) -> bool {
        let slash = |bytes: &[u8]| bytes.iter().all(|byte| *byte == b'/');
        let open = |token: &Token| matches!(token, Token::AnyRun | Token::Literal(b'/'));
        slash(&self.prefix) && slash(&self.suffix) && !self.middle.is_empty() && self.middle.iter().all(open)
    }

    /// Whether an object's text, which holds a `/`, could fit.
    pub(super) fn may_name_objects(&self) -> bool {
        !self.middle.is_empty() || self.has_slash()
    }

    /// Whether a bucket's text, which holds no `/`, could fit.
    pub(super) fn may_name_buckets(&self) -> bool {
        !self.has_slash()
    }

    fn has_slash(&self) -> bool {
        self.prefix.contains(&b'/')
            || self.suffix.contains(&b'/')
            || self.middle.contains(&Token::Literal(b'/'))
    }
}

impl Token {
    /// A byte of a pattern, read as a wildcard where it is one.
    pub(super) fn of(byte: u8) -> Self {
        match byte {
            b'*' => Self::AnyRun,
            b'?' => Self::AnyCharacter,
            byte => Self::Literal(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::{BucketName, ObjectKey};

    /// The definition, word for word; exponential, so for short texts only.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), None) => naive(rest, text),
            (Some(('*', rest)), Some((_, behind))) => naive(rest, text) || naive(pattern, behind),
            (Some(('?', rest)), Some((_, behind))) => naive(rest, behind),
            (Some((wanted, rest)), Some((found, behind))) => wanted == found && naive(rest, behind),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn matching_is_what_the_definition_says(pattern in "[ab/é*?]{0,9}", bucket in "[ab]{1,4}", key in "[ab/éü]{0,7}") {
            let compiled = Pattern::of_text(&pattern);
            prop_assert_eq!(compiled.matches(ResourceText::plain(&bucket)), naive(&chars(&pattern), &chars(&bucket)));
            let pieces = ResourceText { bucket: bucket.as_bytes(), key: Some(key.as_bytes()) };
            let whole = format!("{bucket}/{key}");
            prop_assert_eq!(compiled.matches(pieces), naive(&chars(&pattern), &chars(&whole)), "{} in {}", pattern, whole);
        }
    }

    fn object_matches(pattern: &str, bucket: &str, key: &str) -> bool {
        let (bucket, key) = (BucketName::parse(bucket).unwrap(), ObjectKey::parse(key).unwrap());
        Pattern::of_text(pattern).matches(ResourceText::of(Resource::Object(&bucket, &key)))
    }

    #[test]
    fn objects_match_as_on_aws() {
        for (pattern, key, expected) in [
            ("*", "a", true),
            ("films/*", "a/b/c", true),
            ("films/*", "a", true),
            ("films/a", "a", true),
            ("films/a", "A", false),
            ("films", "a", false),
            ("film*", "a", true),
            ("films/?", "é", true),
            ("films/??", "é", false),
            ("films/*.mp4", "x.mp4", true),
            ("films/*.mp4", ".mp4", true),
            ("films/*.mp4", "x.mp4.exe", false),
            ("*s/a", "a", true),
            ("films/2026-??/*/a", "2026-11/x/y/a", true),
            ("films/", "a", false),
        ] {
            assert_eq!(object_matches(pattern, "films", key), expected, "{pattern} {key}");
        }
    }

    #[test]
    fn the_service_matches_only_what_matches_everything() {
        for (pattern, expected) in [("*", true), ("films", false), ("*/*", false)] {
            assert_eq!(
                Pattern::of_text(pattern).matches(ResourceText::of(Resource::Service)),
                expected,
                "{pattern}"
            );
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = format!("{}b", "*a".repeat(500));
        assert!(!object_matches(&pattern, "films", &"a".repeat(1024)));
        let middle = format!("*{}*", "a*".repeat(500) + "b");
        assert!(!object_matches(&middle, "films", &"a".repeat(1024)));
    }

    #[test]
    fn patterns_know_what_they_may_name() {
        for (pattern, broad, objects, buckets) in [
            ("*", true, true, true),
            ("*/*", true, true, false),
            ("films", false, false, true),
            ("films/*", false, true, false),
            ("films*", false, true, true),
        ] {
            let pattern_ = Pattern::of_text(pattern);
            let found = (
                pattern_.is_broad(),
                pattern_.may_name_objects(),
                pattern_.may_name_buckets(),
            );
            assert_eq!(found, (broad, objects, buckets), "{pattern}");
        }
    }
}
