//! Hexadecimal digits: those of the 32 bytes of a hash, and back, without the heap; and those of any bytes, for people to compare.

/// 64 digits in lower case.
#[derive(Clone)]
pub(crate) struct Digits([u8; 64]);

impl Digits {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        // Digits are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The digits of any bytes, those of each byte apart: `0a 1f`.
pub(crate) fn spaced(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        if !text.is_empty() {
            text.push(' ');
        }
        text.extend([byte >> 4, byte & 15].map(|nibble| char::from(digit(nibble))));
    }
    text
}

fn digit(nibble: u8) -> u8 {
    nibble + if nibble < 10 { b'0' } else { b'a' - 10 }
}

/// The digits of 32 bytes.
pub(crate) fn digits(bytes: &[u8; 32]) -> Digits {
    let mut digits = [0; 64];
    for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    Digits(digits)
}

/// The bytes of 64 digits of either case. `None` for anything else.
pub(crate) fn bytes(digits: &str) -> Option<[u8; 32]> {
    read(digits, |digit| match digit {
        b'A'..=b'F' => digit - b'A' + 10,
        other => lower(other),
    })
}

/// The bytes of 64 digits in lower case. `None` for anything else.
pub(crate) fn bytes_of_lower(digits: &str) -> Option<[u8; 32]> {
    read(digits, lower)
}

/// What is no digit is over 15.
fn lower(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => u8::MAX,
    }
}

/// Reads every digit before it asks whether all were some: so it is done many at a time.
fn read(digits: &str, value: impl Fn(u8) -> u8) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = digits.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    let mut all = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(digits.as_chunks().0) {
        let (high, low) = (value(*high), value(*low));
        all |= high | low;
        *byte = high << 4 | low & 15;
    }
    (all < 16).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by a library.
    fn plain(digits: &str) -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).ok().map(|()| bytes)
    }

    proptest! {
        #[test]
        fn digits_are_the_librarys(hash: [u8; 32]) {
            let text = hex::encode(hash);
            let own = digits(&hash);
            prop_assert_eq!((own.as_str(), own.as_bytes()), (text.as_str(), text.as_bytes()));
            prop_assert_eq!(bytes_of_lower(&text), Some(hash));
            prop_assert_eq!(bytes(&text.to_uppercase()), Some(hash));
        }

        #[test]
        fn bytes_are_set_apart(bytes in proptest::collection::vec(any::<u8>(), 0..9)) {
            let each: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(spaced(&bytes), each.join(" "));
        }

        #[test]
        fn texts_are_read_as_the_library_reads_them(text in "[0-9a-fA-F]{64}|[0-9a-f]{63}[0-9a-g/:@`G]|[0-9a-f]{0,70}|[0-9a-é]{40,64}") {
            prop_assert_eq!(bytes(&text), plain(&text));
            let lower = plain(&text).filter(|_| !text.bytes().any(|b| b.is_ascii_uppercase()));
            prop_assert_eq!(bytes_of_lower(&text), lower);
        }
    }
}
