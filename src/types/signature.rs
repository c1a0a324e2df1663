//! A signature, and the key that makes one.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::hex;

/// The 32 bytes of a SigV4 signature. Whoever holds them can replay the request, so they cannot be printed, and
/// they are compared only by the MAC that made them, in constant time.
///
/// ```compile_fail
/// let signature = postern::types::Signature::parse(&"0".repeat(64)).unwrap();
/// println!("{signature:?}");
/// ```
/// ```compile_fail
/// let signature = |t: &str| postern::types::Signature::parse(t).unwrap();
/// let same = signature("00") == signature("00");
/// ```
#[derive(Clone)]
pub struct Signature([u8; 32]);

impl Signature {
    /// Takes a signature as the wire carries it: 64 lower-case hexadecimal digits, and nothing else, so that
    /// a link has one spelling and one name.
    pub fn parse(text: &str) -> Option<Self> {
        hex::bytes_of_lower(text).map(Self)
    }

    /// Takes what a MAC gave.
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a constant-time comparison by the MAC.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digits, for the URL that a signer makes.
    pub(crate) fn expose_hex(&self) -> String {
        hex::digits(&self.0).as_str().to_owned()
    }

    /// The name under which this one link is logged and revoked.
    pub fn link_id(&self) -> LinkId {
        LinkId(Sha256::digest(self.0).into())
    }
}

/// The name of one link: the SHA-256 of its signature's 32 bytes. It can be shown and logged, since it does not
/// give the signature away.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkId([u8; 32]);

impl LinkId {
    /// Takes a name as [`Display`](fmt::Display) gives it: 64 hexadecimal digits, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        hex::bytes(text).map(Self)
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(hex::digits(&self.0).as_str())
    }
}

impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkId({self})")
    }
}

/// The key derived from a secret for one day, region and service. It signs as the secret would for that day, so it is as
/// secret.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
///
/// ```compile_fail
/// fn print(key: &postern::types::SigningKey) { println!("{key:?}"); }
/// ```
#[derive(Clone)]
pub struct SigningKey(Zeroizing<[u8; 32]>);

impl SigningKey {
    /// Takes what the derivation gave.
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the MAC.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_lower_case_hex_digits_are_a_signature() {
        assert!(Signature::parse(&"0a".repeat(32)).is_some());
        for bad in [
            "",
            "0a",
            &"0A".repeat(32),
            &"0a".repeat(33),
            &"0g".repeat(32),
            &format!(" {}", "0a".repeat(32)),
        ] {
            assert!(Signature::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_links_name_is_the_sha256_of_its_signatures_bytes() {
        let link = Signature::parse(&"00".repeat(32)).unwrap().link_id();
        assert_eq!(
            link.to_string(),
            "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"
        );
        assert_eq!(LinkId::parse(&link.to_string()), Some(link));
        assert_eq!(LinkId::parse(&link.to_string().to_uppercase()), Some(link));
        assert!(LinkId::parse("66").is_none() && LinkId::parse(&"g".repeat(64)).is_none());
    }
}
