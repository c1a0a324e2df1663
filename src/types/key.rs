//! An object's key.

use std::{fmt, sync::Arc};

/// An object's key: 1 to 1,024 bytes of any UTF-8, decoded. It is never normalised: `a//b`, `a/./b` and `a/../b` are
/// three keys. A copy costs one count.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(Arc<str>);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectKeyError {
    /// It is empty.
    #[error("a key has at least one byte")]
    Empty,
    /// It is over 1,024 bytes: AWS's `KeyTooLongError`.
    #[error("a key has at most 1024 bytes, this one has {0}")]
    TooLong(usize),
}

/// The most bytes that a key may have.
pub(crate) const MAX_KEY_BYTES: usize = 1024;

impl ObjectKey {
    /// Takes a decoded key.
    pub fn parse(text: &str) -> Result<Self, ObjectKeyError> {
        match text.len() {
            0 => Err(ObjectKeyError::Empty),
            1..=MAX_KEY_BYTES => Ok(Self(text.into())),
            long => Err(ObjectKeyError::TooLong(long)),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_1_to_1024_bytes_and_is_never_normalised() {
        assert_eq!(ObjectKey::parse(""), Err(ObjectKeyError::Empty));
        assert_eq!(
            ObjectKey::parse(&"é".repeat(513)),
            Err(ObjectKeyError::TooLong(1026))
        );
        for good in ["a", "/", "a//b", "../../etc/passwd", &"é".repeat(512)] {
            assert_eq!(ObjectKey::parse(good).unwrap().as_str(), good);
        }
    }
}
