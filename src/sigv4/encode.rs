//! AWS's UriEncode of query parameters and keys.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use crate::types::{encoded, is_unreserved};

/// Appends a query name or value, `/` encoded too.
pub(super) fn put_component(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    // Most stand for themselves. To look at every byte, whatever the one before it was, is quicker than to look for the first.
    if rest.iter().fold(true, |all, byte| all & is_unreserved(*byte)) {
        return out.extend_from_slice(rest);
    }
    while let Some((plain, byte, behind)) = split_at(rest, |byte| !is_unreserved(byte)) {
        out.extend_from_slice(plain);
        out.extend(encoded(byte));
        rest = behind;
    }
    out.extend_from_slice(rest);
}

/// What is before the first such byte, the byte, and what is behind it.
fn split_at(bytes: &[u8], such: impl Fn(u8) -> bool) -> Option<(&[u8], u8, &[u8])> {
    let at = bytes.iter().position(|byte| such(*byte))?;
    let (front, behind) = bytes.split_at_checked(at)?;
    let (byte, behind) = behind.split_first()?;
    Some((front, *byte, behind))
}

/// Appends a decoded key, `/` kept.
pub(super) fn put_key(out: &mut Vec<u8>, key: &str) {
    for byte in key.bytes() {
        match byte {
            b'/' => out.push(byte),
            other => out.extend(encoded(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::CanonicalPath;

    proptest! {
        #[test]
        fn an_encoded_key_is_its_own_canonical_path(key in any::<String>()) {
            let mut encoded = Vec::new();
            put_key(&mut encoded, &key);
            let encoded = String::from_utf8(encoded).unwrap();
            let path = CanonicalPath::parse(&encoded).unwrap();
            prop_assert_eq!(path.as_str(), &encoded);
        }
    }
}
