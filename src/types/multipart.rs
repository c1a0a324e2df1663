//! Uploads in parts.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>

use std::{fmt, ops::Range};

/// The most parts of one upload.
pub const MAX_PARTS: u32 = 10_000;

/// The name of an upload in parts, opaque to clients: 1 to 256 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(String);

impl UploadId {
    /// Takes what a client sent. None: no upload has such an id.
    pub fn parse(text: &str) -> Option<Self> {
        let shaped = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        ((1..=256).contains(&text.len()) && text.bytes().all(shaped)).then(|| Self(text.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of a part: 1 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartNumber(u32);

impl PartNumber {
    /// Takes a number. None: no part has it.
    pub fn new(number: u32) -> Option<Self> {
        (1..=MAX_PARTS).contains(&number).then_some(Self(number))
    }

    /// Takes what a client sent: decimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().and_then(Self::new)
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for PartNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The parts that an object was uploaded in, numbered anew from 1. Ten thousand of one size take as little memory as two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// How many parts of which size follow each other.
    runs: Vec<(u32, u64)>,
    /// The parts' checksums one behind the other, each of as many bytes as the object's checksum has; empty where there are none.
    checksums: Vec<u8>,
    /// The upload that they came by.
    came_by: Option<CameBy>,
}

/// The multipart upload that an object came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameBy {
    /// The upload's ID.
    pub upload_id: UploadId,
    /// The name of the signer who began it. None for an object whose record is older than this field.
    pub initiator: Option<String>,
}

impl Parts {
    /// Takes the sizes in bytes, in order, and the checksums of all parts or of none.
    pub fn new(sizes: impl IntoIterator<Item = u64>, checksums: Vec<u8>) -> Self {
        let mut runs: Vec<(u32, u64)> = Vec::new();
        for size in sizes {
            match runs.last_mut() {
                Some((count, same)) if *same == size => *count = count.saturating_add(1),
                Some(_) | None => runs.push((1, size)),
            }
        }
        Self::from_runs(runs, checksums)
    }

    /// Takes what [`runs`](Self::runs) and [`checksums`](Self::checksums) gave.
    pub fn from_runs(runs: Vec<(u32, u64)>, checksums: Vec<u8>) -> Self {
        Self {
            runs,
            checksums,
            came_by: None,
        }
    }

    /// The same parts, which came by this upload.
    pub fn of_upload(self, upload: CameBy) -> Self {
        Self {
            came_by: Some(upload),
            ..self
        }
    }

    /// The upload that they came by, if that is known.
    pub fn came_by(&self) -> Option<&CameBy> {
        self.came_by.as_ref()
    }

    /// How many parts of which size follow each other.
    pub fn runs(&self) -> &[(u32, u64)] {
        &self.runs
    }

    /// The parts' checksums one behind the other.
    pub fn checksums(&self) -> &[u8] {
        &self.checksums
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.runs
            .iter()
            .fold(0, |sum, (count, _)| sum.saturating_add(*count as usize))
    }

    /// Which bytes of the object a part is.
    pub fn range(&self, number: PartNumber) -> Option<Range<u64>> {
        let mut before = u64::from(number.get()).checked_sub(1)?;
        let mut start = 0u64;
        for (count, size) in &self.runs {
            let count = u64::from(*count);
            if before < count {
                start = start.saturating_add(before.saturating_mul(*size));
                return Some(start..start.saturating_add(*size));
            }
            before = before.saturating_sub(count);
            start = start.saturating_add(count.saturating_mul(*size));
        }
        None
    }

    /// The checksum of a part, where there are any.
    pub fn checksum(&self, number: PartNumber) -> Option<&[u8]> {
        let length = self
            .checksums
            .len()
            .checked_div(self.count())
            .filter(|l| *l > 0)?;
        let at = usize::try_from(number.get()).ok()?.checked_sub(1)?;
        self.checksums.chunks_exact(length).nth(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_numbers_are_only_what_they_can_be() {
        for good in ["a", "0123456789abcdef", "A-b_9", &"x".repeat(256)] {
            assert_eq!(UploadId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "..", "a/b", "a.b", "a b", "é", "a\0", &"x".repeat(257)] {
            assert_eq!(UploadId::parse(bad), None, "{bad}");
        }
        for (text, number) in [("1", Some(1)), ("10000", Some(10_000)), ("007", Some(7))] {
            assert_eq!(PartNumber::parse(text).map(PartNumber::get), number);
        }
        for bad in ["", "0", "10001", "-1", "+1", "1.0", " 1", "99999999999999999999"] {
            assert_eq!(PartNumber::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_part_is_found_where_it_lies() {
        let parts = Parts::new([5, 5, 5, 7, 0, 2], (0..6).collect());
        assert_eq!(parts.runs(), [(3, 5), (1, 7), (1, 0), (1, 2)]);
        assert_eq!(parts.count(), 6);
        let range = |n| parts.range(PartNumber::new(n).unwrap());
        let found: Vec<_> = (1..=7).map(range).collect();
        let expected = [0..5, 5..10, 10..15, 15..22, 22..22, 22..24];
        assert_eq!(found[..6], expected.map(Some));
        assert_eq!(found[6], None);
        assert_eq!(parts.checksum(PartNumber::new(6).unwrap()), Some(&[5][..]));
        assert_eq!(parts.checksum(PartNumber::new(7).unwrap()), None);
        assert_eq!(
            Parts::new([1], Vec::new()).checksum(PartNumber::new(1).unwrap()),
            None
        );
    }
}
