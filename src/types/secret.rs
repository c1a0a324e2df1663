//! The secret half of a pair of keys.

use zeroize::Zeroizing;

/// A secret access key: 1 to 1,024 bytes. It cannot be printed, compared or serialised, and its memory is wiped when it is dropped.
///
/// ```compile_fail
/// let secret = postern::types::SecretKey::parse("x".to_owned()).ok().unwrap();
/// println!("{secret:?}");
/// ```
/// ```compile_fail
/// let secret = postern::types::SecretKey::parse("x".to_owned()).ok().unwrap();
/// println!("{secret}");
/// ```
/// ```compile_fail
/// let secret = |text: &str| postern::types::SecretKey::parse(text.to_owned()).ok().unwrap();
/// let same = secret("x") == secret("x");
/// ```
#[derive(Clone)]
pub struct SecretKey(Zeroizing<String>);

/// The text is no secret access key. It does not say what the text was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret access key has 1 to 1024 bytes, none of them a control character")]
pub struct SecretKeyError;

impl SecretKey {
    /// Takes a secret from a policy file, an environment variable or a file of its own.
    pub fn parse(text: String) -> Result<Self, SecretKeyError> {
        let text = Zeroizing::new(text);
        if text.is_empty() || text.len() > 1024 || text.chars().any(char::is_control) {
            return Err(SecretKeyError);
        }
        Ok(Self(text))
    }

    /// The bytes, for the one thing they are for: deriving a signing key (and writing a fresh policy file).
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}
