//! Percent-decoding, in one pass: a raw text goes in, the text comes out, borrowed where there was nothing to decode. Stricter than most libraries,
//! which let a broken escape stand for itself: here it is an error, as on AWS.

use std::borrow::Cow;

/// Letters, digits and `-._~`, which stand for themselves (RFC 3986, section 2.3).
#[allow(clippy::indexing_slicing)] // evaluated by the compiler, within the bounds
static UNRESERVED: [bool; 256] = {
    let mut unreserved = [false; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        unreserved[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    unreserved
};

/// Whether a byte stands for itself in AWS's UriEncode.
pub(crate) fn is_unreserved(byte: u8) -> bool {
    UNRESERVED.get(usize::from(byte)).copied().unwrap_or_default()
}

/// A byte as AWS's UriEncode writes it: itself, or `%XX` with upper-case digits.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
pub(crate) fn encoded(byte: u8) -> impl Iterator<Item = u8> {
    let digit = |nibble: u8| {
        if nibble < 10 {
            b'0' + nibble
        } else {
            b'A' + nibble - 10
        }
    };
    let (bytes, length) = match is_unreserved(byte) {
        true => ([byte, 0, 0], 1),
        false => ([b'%', digit(byte >> 4), digit(byte & 15)], 3),
    };
    bytes.into_iter().take(length)
}

/// Why a text cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PercentError {
    /// A `%` without two hexadecimal digits behind it.
    Escape,
    /// The decoded bytes are no UTF-8.
    Utf8,
}

/// Decodes a path, in which a `+` is a `+`.
pub(crate) fn decode_path(raw: &str) -> Result<Cow<'_, str>, PercentError> {
    match memchr::memchr(b'%', raw.as_bytes()) {
        Some(first) => decoded(raw, first, b'+').map(Cow::Owned),
        None => Ok(Cow::Borrowed(raw)),
    }
}

/// Decodes a part of a query, in which a `+` is a space.
pub(crate) fn decode_query(raw: &str) -> Result<Cow<'_, str>, PercentError> {
    match memchr::memchr2(b'%', b'+', raw.as_bytes()) {
        Some(first) => decoded(raw, first, b' ').map(Cow::Owned),
        None => Ok(Cow::Borrowed(raw)),
    }
}

/// How many bytes of a query need no decoding.
pub(super) fn undecoded(raw: &str) -> usize {
    memchr::memchr2(b'%', b'+', raw.as_bytes()).unwrap_or(raw.len())
}

/// Decodes a text whose first byte to decode is at `first`.
fn decoded(raw: &str, first: usize, plus: u8) -> Result<String, PercentError> {
    let (plain, rest) = raw.as_bytes().split_at_checked(first).unwrap_or_default();
    let mut out = Vec::with_capacity(raw.len());
    out.extend_from_slice(plain);
    let mut bytes = rest.iter().copied();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => hex_digit(bytes.next())? << 4 | hex_digit(bytes.next())?,
            b'+' => plus,
            other => other,
        });
    }
    String::from_utf8(out).map_err(|_| PercentError::Utf8)
}

/// The value of a hexadecimal digit of either case.
pub(super) fn hex_digit(byte: Option<u8>) -> Result<u8, PercentError> {
    match byte {
        Some(byte @ b'0'..=b'9') => Ok(byte - b'0'),
        Some(byte @ b'a'..=b'f') => Ok(byte - b'a' + 10),
        Some(byte @ b'A'..=b'F') => Ok(byte - b'A' + 10),
        Some(_) | None => Err(PercentError::Escape),
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    /// The same by a library and by steps: first the escapes, then the decoding, then the UTF-8.
    fn plain(raw: &str) -> Result<String, PercentError> {
        let is_digit = |at: usize| raw.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
        let broken = |(at, _): (usize, &str)| !is_digit(at + 1) || !is_digit(at + 2);
        if raw.match_indices('%').any(broken) {
            return Err(PercentError::Escape);
        }
        let decoded = percent_decode_str(raw).decode_utf8();
        decoded.map(Cow::into_owned).map_err(|_| PercentError::Utf8)
    }

    #[test]
    fn what_has_nothing_to_decode_is_borrowed() {
        for raw in ["", "a", "é", "a/b"] {
            assert!(matches!(decode_path(raw), Ok(Cow::Borrowed(same)) if same == raw));
            assert!(matches!(decode_query(raw), Ok(Cow::Borrowed(same)) if same == raw));
        }
        assert!(matches!(decode_path("a+b"), Ok(Cow::Borrowed("a+b"))));
        assert_eq!(decode_query("a+b%2B").as_deref(), Ok("a b+"));
    }

    proptest! {
        #[test]
        fn one_pass_decodes_as_the_library_does(raw in "([a-z+/é]|%[0-9a-fA-F]{2}|%C3%A9|%[0-9a-g]?){0,20}") {
            prop_assert_eq!(decode_path(&raw).map(Cow::into_owned), plain(&raw));
            prop_assert_eq!(decode_query(&raw).map(Cow::into_owned), plain(&raw.replace('+', " ")));
        }
    }
}
