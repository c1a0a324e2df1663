//! What else might have been signed? A [`Mismatch`] goes in, then one canonical request and key after another; a yes or no comes out and never a
//! [`Verified`](super::Verified): nothing that is found here lets a request pass, and no signature leaves it. For explaining, not for deciding.

use hmac::Mac;

use super::{
    SERVICE, TERMINATOR,
    canonical::{hash, put_string_to_sign, signed},
    reject::Mismatch,
    signing_key::derive,
};
use crate::types::{Signature, SigningKey, hex::Digits};

/// A signature that did not match, held against other texts. It cannot be printed.
pub struct Trial {
    signature: Signature,
    date: String,
    scope: TrialScope,
    /// Was the text the signature in upper case?
    lowered: bool,
}

/// The day and the region that a signature was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialScope {
    /// `yyyyMMdd`
    pub date: String,
    /// AWS's name of it.
    pub region: String,
}

/// The hash of a canonical request: what enters a string to sign.
#[derive(Clone)]
pub struct TrialHash(Digits);

impl TrialHash {
    /// Of these bytes.
    pub fn of(canonical_request: &[u8]) -> Self {
        Self(hash(canonical_request))
    }
}

impl Trial {
    /// None where the text that was given is no signature, in upper case either; then nothing can match.
    pub fn of(mismatch: &Mismatch) -> Option<Self> {
        let provided = mismatch.signature_provided.expose();
        let string_to_sign = mismatch.string_to_sign.expose();
        let mut lines = string_to_sign.lines().skip(1);
        let (date, scope) = (lines.next()?, lines.next()?);
        let mut parts = scope.split('/');
        let exact = Signature::parse(&provided);
        Some(Self {
            lowered: exact.is_none(),
            signature: exact.or_else(|| Signature::parse(&provided.to_ascii_lowercase()))?,
            date: date.to_owned(),
            scope: TrialScope {
                date: parts.next()?.to_owned(),
                region: parts.next()?.to_owned(),
            },
        })
    }

    /// Was the signature's text in upper case, which no verifier takes?
    pub fn is_lowered(&self) -> bool {
        self.lowered
    }

    /// The scope that the credential names.
    pub fn scope(&self) -> &TrialScope {
        &self.scope
    }

    /// Is this what was signed?
    pub fn holds(&self, canonical_request: &TrialHash, scope: &TrialScope, key: &SigningKey) -> bool {
        let mut text = Vec::with_capacity(160);
        put_string_to_sign(
            &mut text,
            &self.date,
            (&scope.date, &scope.region),
            &canonical_request.0,
        );
        signed(key, &text).verify_slice(self.signature.expose()).is_ok()
    }
}

/// The key that a signer derives who begins with these bytes, in place of `AWS4` and the secret.
pub(crate) fn trial_key(start: &[u8], scope: &TrialScope) -> SigningKey {
    derive(start, [&scope.date, &scope.region, SERVICE, TERMINATOR])
}
