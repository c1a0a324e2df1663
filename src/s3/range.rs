//! The `Range` header as S3 reads it.
//! <https://www.rfc-editor.org/rfc/rfc9110#section-14.2>

use std::ops::Range;

/// One range of bytes that a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// `first-last`, both inclusive.
    Between(u64, u64),
    /// `first-`
    From(u64),
    /// `-length`: the end of the object.
    Suffix(u64),
}

/// What a range means for an object of a known size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeOutcome {
    /// These bytes, with 206.
    Partial(Range<u64>),
    /// None of its bytes is in the object: 416.
    Unsatisfiable,
}

impl ByteRange {
    /// Takes a `Range` header's value. `None` where it is to be ignored and the whole object sent, as RFC 9110 allows and S3
    /// does: another unit, several ranges, a malformed range, or one that ends before it begins. A number too large for 64 bits
    /// counts as the largest.
    pub fn parse(value: &str) -> Option<Self> {
        let (unit, set) = value.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = set.trim().split_once('-')?;
        match (number(first)?, number(last)?) {
            (None, None) => None,
            (Some(first), None) => Some(Self::From(first)),
            (None, Some(length)) => Some(Self::Suffix(length)),
            (Some(first), Some(last)) => (first <= last).then_some(Self::Between(first, last)),
        }
    }

    /// The bytes of an object of `size` bytes.
    pub fn resolve(self, size: u64) -> RangeOutcome {
        let range = match self {
            Self::Between(first, last) => first..last.saturating_add(1).min(size),
            Self::From(first) => first..size,
            Self::Suffix(length) => size.saturating_sub(length)..size,
        };
        if range.is_empty() {
            RangeOutcome::Unsatisfiable
        } else {
            RangeOutcome::Partial(range)
        }
    }
}

/// `Some(None)` for no digits, `None` for anything but digits.
fn number(digits: &str) -> Option<Option<u64>> {
    if digits.is_empty() {
        return Some(None);
    }
    digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| Some(digits.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_read_as_s3_reads_them() {
        for (value, size, expected) in [
            ("bytes=0-4", 10, Some(RangeOutcome::Partial(0..5))),
            ("bytes=5-", 10, Some(RangeOutcome::Partial(5..10))),
            ("bytes=-3", 10, Some(RangeOutcome::Partial(7..10))),
            ("bytes=-30", 10, Some(RangeOutcome::Partial(0..10))),
            ("bytes=8-99", 10, Some(RangeOutcome::Partial(8..10))),
            ("bytes=9-9", 10, Some(RangeOutcome::Partial(9..10))),
            ("BYTES=0-0", 10, Some(RangeOutcome::Partial(0..1))),
            (
                "bytes=0-99999999999999999999999",
                10,
                Some(RangeOutcome::Partial(0..10)),
            ),
            ("bytes=10-", 10, Some(RangeOutcome::Unsatisfiable)),
            (
                "bytes=99999999999999999999999-",
                10,
                Some(RangeOutcome::Unsatisfiable),
            ),
            ("bytes=-0", 10, Some(RangeOutcome::Unsatisfiable)),
            ("bytes=0-0", 0, Some(RangeOutcome::Unsatisfiable)),
            ("bytes=-1", 0, Some(RangeOutcome::Unsatisfiable)),
            ("bytes=0-1,4-5", 10, None),
            ("bytes=5-4", 10, None),
            ("bytes=-", 10, None),
            ("bytes=a-b", 10, None),
            ("bytes=+1-2", 10, None),
            ("bytes 0-4", 10, None),
            ("items=0-4", 10, None),
            ("", 10, None),
        ] {
            assert_eq!(
                ByteRange::parse(value).map(|range| range.resolve(size)),
                expected,
                "{value} of {size}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_range_lies_within_the_object(first: u64, last: u64, size: u64, shape in 0..3u8) {
            let range = match shape { 0 => ByteRange::Between(first, last), 1 => ByteRange::From(first), _ => ByteRange::Suffix(last) };
            if let RangeOutcome::Partial(bytes) = range.resolve(size) {
                prop_assert!(bytes.start < bytes.end && bytes.end <= size);
            }
        }

        #[test]
        fn no_text_panics(text in "bytes=.{0,20}|.{0,20}") {
            let _ = ByteRange::parse(&text);
        }
    }
}
