//! AWS's UriEncode: bytes go in, `%XX` with upper-case digits comes out for every byte but the unreserved ones.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

/// An escape in a path without two hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BrokenEscape;

/// Letters, digits and `-._~` stand for themselves (RFC 3986, section 2.3).
#[allow(clippy::indexing_slicing)] // the compiler does it, within the bounds
static UNRESERVED: [bool; 256] = {
    let mut unreserved = [false; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        unreserved[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    unreserved
};

pub(super) fn is_unreserved(byte: u8) -> bool {
    UNRESERVED.get(usize::from(byte)).copied().unwrap_or_default()
}

fn put_byte(out: &mut Vec<u8>, byte: u8) {
    let digit = |nibble: u8| {
        if nibble < 10 {
            b'0' + nibble
        } else {
            b'A' + nibble - 10
        }
    };
    if is_unreserved(byte) {
        out.push(byte);
    } else {
        out.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
    }
}

/// Appends a query name or value, `/` encoded too.
pub(super) fn put_component(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    // Most stand for themselves. To look at every byte, whatever the one before it was, is quicker than to look for the first.
    if rest.iter().fold(true, |all, byte| all & is_unreserved(*byte)) {
        return out.extend_from_slice(rest);
    }
    while let Some((plain, byte, behind)) = split_at(rest, |byte| !is_unreserved(byte)) {
        out.extend_from_slice(plain);
        put_byte(out, byte);
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
            other => put_byte(out, other),
        }
    }
}

/// Appends a path as it came: decoded once and encoded again, never normalised. So `%2F` becomes `/`, `%c3` becomes `%C3`,
/// and `//`, `.` and `..` stay.
pub(super) fn put_path(out: &mut Vec<u8>, path: &str) -> Result<(), BrokenEscape> {
    if path.bytes().all(|b| is_unreserved(b) || b == b'/') {
        out.extend_from_slice(path.as_bytes());
        return Ok(());
    }
    let digit = |byte: Option<u8>| {
        let value = byte
            .and_then(|b| char::from(b).to_digit(16))
            .ok_or(BrokenEscape)?;
        u8::try_from(value).map_err(|_| BrokenEscape)
    };
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let decoded = match byte {
            b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
            plain => plain,
        };
        match decoded {
            b'/' => out.push(b'/'),
            other => put_byte(out, other),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(raw: &str) -> Result<String, BrokenEscape> {
        let mut out = Vec::new();
        put_path(&mut out, raw).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_path_is_decoded_and_encoded_and_never_normalised() {
        for (raw, canonical) in [
            ("/", "/"),
            ("/b/k", "/b/k"),
            ("/b//a/./../k", "/b//a/./../k"),
            ("/b/%2e%2E/k", "/b/../k"),
            ("/b/x%2fy", "/b/x/y"),
            ("/b/%c3%A9", "/b/%C3%A9"),
            ("/b/a+b@c=d", "/b/a%2Bb%40c%3Dd"),
            ("/b/%2541", "/b/%2541"),
            ("/b/%ff", "/b/%FF"),
            ("/b/%41~", "/b/A~"),
        ] {
            assert_eq!(path(raw).as_deref(), Ok(canonical), "{raw}");
        }
        for broken in ["/%", "/%2", "/%zz", "/%+1", "/%2/"] {
            assert_eq!(path(broken), Err(BrokenEscape), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn an_encoded_key_is_its_own_canonical_path(key in any::<String>()) {
            let mut encoded = Vec::new();
            put_key(&mut encoded, &key);
            let encoded = String::from_utf8(encoded).unwrap();
            prop_assert_eq!(path(&encoded), Ok(encoded));
        }
    }
}
