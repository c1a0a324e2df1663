//! The key that signs for one day, region and service. A secret goes in, the key comes out; the secret itself signs nothing.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{SERVICE, TERMINATOR};
use crate::types::{SecretKey, SigningKey};

/// Derives the key: HMAC over date, region, `s3` and `aws4_request`, each under the one before, the first under `AWS4` and the
/// secret. `date` is `yyyyMMdd`.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
pub fn signing_key(secret: &SecretKey, date: &str, region: &str) -> SigningKey {
    let secret = Zeroizing::new([b"AWS4", secret.expose().as_bytes()].concat());
    derive(&secret, [date, region, SERVICE, TERMINATOR])
}

/// HMAC over the first part under `start`, over each further one under what came out before.
pub(super) fn derive(start: &[u8], [date, region, service, terminator]: [&str; 4]) -> SigningKey {
    let mut key = hmac(start, date);
    for part in [region, service, terminator] {
        key = hmac(key.as_slice(), part);
    }
    SigningKey::new(*key)
}

fn hmac(key: &[u8], message: &str) -> Zeroizing<[u8; 32]> {
    let mut mac = mac(key);
    mac.update(message.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// A MAC under a key of any length. Padding the key here makes the construction infallible, where the library's own for
/// slices returns an error that cannot occur.
pub(super) fn mac(key: &[u8]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    match block.get_mut(..key.len()) {
        Some(start) => start.copy_from_slice(key),
        None => block
            .iter_mut()
            .zip(Sha256::digest(key))
            .for_each(|(to, from)| *to = from),
    }
    Hmac::new((&*block).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_is_the_librarys_own_for_keys_of_any_length() {
        for length in [0, 1, 32, 63, 64, 65, 128, 1028] {
            let key = vec![7; length];
            let mut ours = mac(&key);
            let mut theirs = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            ours.update(b"message");
            theirs.update(b"message");
            assert!(ours.verify(&theirs.finalize().into_bytes()).is_ok(), "{length}");
        }
    }
}
