//! Patterns with `*` (any run of characters, `/` too) and `?` (any one character). In goes the pattern once, at load, and a bucket and
//! key at each decision; out comes whether they match. Matching uses no heap, and its time is bounded by the
//! product of the lengths whatever the pattern: each `*` is tried from left to right and never reconsidered once a later one is reached.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>

use crate::types::{MAX_BUCKET_BYTES, MAX_KEY_BYTES, Resource};

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
    /// The [`marks`] of what stands literally in the middle.
    marks: u128,
}

/// What a pattern is matched with: `bucket` or `bucket/key`, in one piece and without the heap. Both names have a longest length.
pub(super) struct ResourceText {
    bytes: [u8; LONGEST],
    length: usize,
    marks: u128,
}

const LONGEST: usize = MAX_BUCKET_BYTES + 1 + MAX_KEY_BYTES;

impl ResourceText {
    /// What follows `arn:aws:s3:::`. The whole service is the text `*`, as AWS matches it with `arn:aws:s3:::*` as well as `*`.
    pub(super) fn of(resource: Resource<'_>) -> Self {
        let mut text = Self {
            bytes: [0; LONGEST],
            length: 0,
            marks: 0,
        };
        match resource {
            Resource::Service => text.push(b"*"),
            Resource::Bucket(bucket) => text.push(bucket.as_str().as_bytes()),
            Resource::Object(bucket, key) => {
                text.push(bucket.as_str().as_bytes());
                text.push(b"/");
                text.push(key.as_str().as_bytes());
            }
        }
        text
    }

    fn push(&mut self, part: &[u8]) {
        let end = self.length + part.len();
        // Names are bounded where they are parsed; were one longer, it would be no name that a pattern allows or denies.
        debug_assert!(end <= LONGEST);
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(part);
            self.length = end;
            self.marks |= marks(part.iter().copied());
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

/// One bit for each byte in it, of 128: a text without a bit that a pattern needs cannot match.
fn marks(bytes: impl Iterator<Item = u8>) -> u128 {
    bytes.fold(0, |marks, byte| marks | 1 << (byte & 127))
}

/// Where the character at an offset ends. Continuation bytes are swallowed, so that `?` takes a whole character.
fn behind_character(text: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while text.get(next).is_some_and(|byte| byte & 0xC0 == 0x80) {
        next += 1;
    }
    next
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
        let needed: Box<[u8]> = bytes(middle);
        let marks = marks(needed.iter().copied());
        Self {
            prefix: bytes(prefix),
            middle: middle.into(),
            suffix: bytes(suffix),
            marks,
        }
    }

    /// Takes a text in which every `*` and `?` is a wildcard.
    pub(super) fn of_text(text: &str) -> Self {
        Self::new(&text.bytes().map(Token::of).collect::<Vec<_>>())
    }

    /// Whether the whole resource fits.
    pub(super) fn matches(&self, text: &ResourceText) -> bool {
        self.marks & !text.marks == 0 && self.matches_bytes(text.bytes())
    }

    /// Whether the whole text fits.
    pub(super) fn matches_text(&self, text: &str) -> bool {
        self.matches_bytes(text.as_bytes())
    }

    fn matches_bytes(&self, text: &[u8]) -> bool {
        if self.middle.is_empty() {
            return *text == *self.prefix;
        }
        let Some(rest) = text
            .strip_prefix(&*self.prefix)
            .and_then(|rest| rest.strip_suffix(&*self.suffix))
        else {
            return false;
        };
        *self.middle == [Token::AnyRun] || self.middle_matches(rest)
    }

    /// Matches what lies between the literal ends, from the left; after a mismatch the last `*` takes one character more.
    fn middle_matches(&self, text: &[u8]) -> bool {
        let (mut at, mut step) = (0, 0);
        let mut last_run = None;
        loop {
            let next = match (self.middle.get(step), text.get(at)) {
                (None, None) => return true,
                (Some(Token::AnyRun), _) => {
                    let Some(end) = self.seek(text, at, step + 1) else {
                        return false;
                    };
                    last_run = Some((end, step + 1));
                    Some(end)
                }
                (Some(Token::AnyCharacter), Some(_)) => Some(behind_character(text, at)),
                (Some(Token::Literal(wanted)), Some(found)) => (wanted == found).then_some(at + 1),
                (None, Some(_)) | (Some(Token::AnyCharacter | Token::Literal(_)), None) => None,
            };
            if let Some(next) = next {
                (at, step) = (next, step + 1);
                continue;
            }
            let Some((run, behind)) = last_run.filter(|(run, _)| *run < text.len()) else {
                return false;
            };
            let Some(run) = self.seek(text, behind_character(text, run), behind) else {
                return false;
            };
            last_run = Some((run, behind));
            (at, step) = (run, behind);
        }
    }

    /// Where a run that began at `at` may end: right away, or where the literal byte behind it comes next.
    fn seek(&self, text: &[u8], at: usize, step: usize) -> Option<usize> {
        let Some(Token::Literal(wanted)) = self.middle.get(step) else {
            return Some(at);
        };
        text.get(at..)?
            .iter()
            .position(|byte| byte == wanted)
            .map(|skipped| at + skipped)
    }

    /// Whether nothing but wildcards and `/` stands in it: every object, or every bucket, fits.
    pub(super) fn is_broad(&self) -> bool {
        let slash = |bytes: &[u8]| bytes.iter().all(|byte| *byte == b'/');
        let open = |token: &Token| matches!(token, Token::AnyRun | Token::Literal(b'/'));
        slash(&self.prefix) && slash(&self.suffix) && !self.middle.is_empty() && self.middle.iter().all(open)
    }

    /// Whether all that fits the other fits this: they are the same, or this is a prefix and a `*`.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let same = self.prefix == other.prefix && self.middle == other.middle && self.suffix == other.suffix;
        let any_behind = *self.middle == [Token::AnyRun] && self.suffix.is_empty();
        same || (any_behind && other.prefix.starts_with(&self.prefix))
    }

    /// The bucket, where it is named in full: all that stands before the first `/`, or before the end.
    pub(super) fn bucket(&self) -> Option<String> {
        let end = self.prefix.iter().position(|byte| *byte == b'/');
        let name = match end {
            Some(end) => self.prefix.get(..end)?,
            None if self.middle.is_empty() => &self.prefix,
            None => return None,
        };
        String::from_utf8(name.to_vec()).ok()
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
            let whole = format!("{bucket}/{key}");
            for text in [&bucket, &whole] {
                let expected = naive(&chars(&pattern), &chars(text));
                prop_assert_eq!(compiled.matches_text(text), expected, "{} in {}", pattern, text);
                let mut pieces = ResourceText { bytes: [0; LONGEST], length: 0, marks: 0 };
                pieces.push(text.as_bytes());
                prop_assert_eq!(compiled.matches(&pieces), expected, "{} in {}", pattern, text);
            }
        }
    }

    fn object_matches(pattern: &str, bucket: &str, key: &str) -> bool {
        let (bucket, key) = (BucketName::parse(bucket).unwrap(), ObjectKey::parse(key).unwrap());
        Pattern::of_text(pattern).matches(&ResourceText::of(Resource::Object(&bucket, &key)))
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
                Pattern::of_text(pattern).matches(&ResourceText::of(Resource::Service)),
                expected,
                "{pattern}"
            );
        }
    }

    #[test]
    fn the_longest_names_match_whole() {
        let (bucket, key) = ("b".repeat(63), "k".repeat(1023) + "!");
        assert!(object_matches(&format!("{bucket}/*k!"), &bucket, &key));
        assert!(!object_matches(&format!("{bucket}/*kk"), &bucket, &key));
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
