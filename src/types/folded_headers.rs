//! The headers of a request as a signature covers them.
//!
//! SigV4 hashes one value per name: lines joined with a comma, runs of spaces folded to one, ends
//! trimmed. Several texts on the wire share that value, so a header that selects or authorises is
//! read here and nowhere else.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};

/// The headers of a request, each with the one value that is hashed.
#[derive(Clone, Copy)]
pub struct FoldedHeaders<'h>(&'h HeaderMap);

impl<'h> FoldedHeaders<'h> {
    /// Reads these headers.
    pub fn new(headers: &'h HeaderMap) -> Self {
        Self(headers)
    }

    /// Whether a header of this name was sent, with whatever value.
    pub fn contains(self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Every name, in lower case.
    pub fn names(self) -> impl Iterator<Item = &'h str> {
        self.0.keys().map(|name| name.as_str())
    }

    /// The lines of a header as they came, for values that are only kept.
    pub fn lines(self, name: &str) -> impl Iterator<Item = &'h HeaderValue> {
        self.0.get_all(name).iter()
    }

    /// The value that is hashed.
    pub fn value(self, name: &str) -> Option<Cow<'h, [u8]>> {
        let mut lines = self.0.get_all(name).iter();
        let first = lines.next()?;
        if lines.next().is_none() {
            return Some(folded(first.as_bytes()));
        }
        let mut joined = Vec::new();
        self.put(&mut joined, name);
        Some(Cow::Owned(joined))
    }

    /// Appends the value that is hashed. `false`: no such header was sent.
    pub fn put(self, out: &mut Vec<u8>, name: &str) -> bool {
        let mut lines = self.0.get_all(name).iter();
        let Some(first) = lines.next() else {
            return false;
        };
        put_folded(out, first.as_bytes());
        for line in lines {
            out.push(b',');
            put_folded(out, line.as_bytes());
        }
        true
    }
}

/// One line or parameter as it is hashed: ends trimmed, runs of spaces folded to one.
pub fn folded(value: &[u8]) -> Cow<'_, [u8]> {
    let trimmed = value.trim_ascii();
    if !trimmed.windows(2).any(|pair| pair == b"  ") {
        return Cow::Borrowed(trimmed);
    }
    let mut folded = Vec::with_capacity(trimmed.len());
    put_folded(&mut folded, trimmed);
    Cow::Owned(folded)
}

/// Appends a value as [`folded`] makes it.
pub(crate) fn put_folded(out: &mut Vec<u8>, value: &[u8]) {
    let mut after_space = false;
    for byte in value.trim_ascii() {
        if *byte != b' ' || !after_space {
            out.push(*byte);
        }
        after_space = *byte == b' ';
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-a", line.parse().unwrap());
        }
        let value = FoldedHeaders::new(&headers).value("x-a")?;
        Some(String::from_utf8(value.into_owned()).unwrap())
    }

    #[test]
    fn value_is_joined_folded_and_trimmed() {
        for (lines, expected) in [
            (&[][..], None),
            (&[""], Some("")),
            (&["a"], Some("a")),
            (&["  a   b  "], Some("a b")),
            (&["a  b", " c"], Some("a b,c")),
            (&["a,", ""], Some("a,,")),
        ] {
            assert_eq!(read(lines).as_deref(), expected, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn value_read_is_the_value_hashed(lines in prop::collection::vec("[a, \t]{0,6}", 1..4)) {
            let mut headers = HeaderMap::new();
            for line in &lines {
                headers.append("x-a", line.parse().unwrap());
            }
            let headers = FoldedHeaders::new(&headers);
            let mut hashed = Vec::new();
            prop_assert!(headers.put(&mut hashed, "x-a"));
            prop_assert_eq!(headers.value("x-a").unwrap().into_owned(), hashed);
        }
    }
}
