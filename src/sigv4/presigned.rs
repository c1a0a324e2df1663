//! A presigned request's parameters, in shape. A query goes in, a [`Presigned`] comes out whose parts are parsed and whose
//! time, scope and signature are still to be checked.
//!
//! Stricter than AWS is known to be: X-Amz-Expires is ASCII digits with at most a minus sign (no `+`), and the algorithm
//! AWS4-ECDSA-P256-SHA256, which AWS speaks, is refused, since no signer here has such a key.

use std::borrow::Cow;

use time::OffsetDateTime;

use super::{
    ALGORITHM, MAX_EXPIRES_SECONDS, Mechanism, claim::Claim, reject::Reject, scope::Scope, window::parse_date,
};
use crate::types::{AccessKeyId, LinkId, Query, Signature};

/// The six parameters of a presigned request, well shaped. Where one is repeated, the first counts, and every copy is
/// part of what was signed.
///
/// ```compile_fail
/// fn log(presigned: &postern::sigv4::Presigned<'_>) { println!("{presigned:?}"); }
/// ```
#[derive(Clone)]
pub struct Presigned<'h> {
    pub(super) claim: Claim<'h>,
    pub(super) expires_seconds: u32,
}

impl<'h> Presigned<'h> {
    /// Checks the shape in AWS's order: all six parameters, algorithm, credential, date,
    /// life; then the names of the signed headers.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
    pub fn parse(query: &'h Query<'h>) -> Result<Self, Reject> {
        let parameter = |name| query.first(name).ok_or(Reject::MissingParameter);
        let algorithm = parameter("X-Amz-Algorithm")?;
        let credential = parameter("X-Amz-Credential")?;
        let signature_provided = parameter("X-Amz-Signature")?;
        let date = parameter("X-Amz-Date")?;
        let signed_headers = parameter("X-Amz-SignedHeaders")?;
        let expires = parameter("X-Amz-Expires")?;
        if algorithm != ALGORITHM {
            return Err(Reject::Algorithm);
        }
        let (access_key_id, scope) = Scope::parse(credential).map_err(Mechanism::Presigned.rejecting())?;
        let signed_at = parse_date(date).ok_or(Reject::DateMalformed)?;
        let expires_seconds = parse_expires(expires)?;
        let claim = Claim {
            mechanism: Mechanism::Presigned,
            query,
            access_key_id,
            scope,
            date: Cow::Borrowed(date),
            signed_at,
            signed_headers,
            signature_provided,
            signature: Signature::parse(signature_provided),
        };
        claim.check_signed_headers()?;
        Ok(Self {
            expires_seconds,
            claim,
        })
    }

    /// The access key id that the credential names; nothing yet says that it is its owner who signed.
    pub fn access_key_id(&self) -> &AccessKeyId {
        &self.claim.access_key_id
    }

    /// The link's name for logs and revocation; none where the signature's text is no signature.
    pub fn link_id(&self) -> Option<LinkId> {
        self.claim.signature.as_ref().map(Signature::link_id)
    }

    /// When the link ends, by what it says itself.
    pub fn expires_at(&self) -> OffsetDateTime {
        let life = time::Duration::seconds(i64::from(self.expires_seconds));
        self.claim.signed_at.saturating_add(life)
    }

    /// When the request says that it was signed.
    pub fn signed_at(&self) -> OffsetDateTime {
        self.claim.signed_at
    }
}

/// Takes `X-Amz-Expires` in seconds, 0 to 604800.
fn parse_expires(text: &str) -> Result<u32, Reject> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Reject::ExpiresNotANumber);
    }
    if negative {
        return Err(Reject::ExpiresNegative);
    }
    // A number too large for the type is over a week, too.
    match digits.parse::<u32>() {
        Ok(seconds) if u64::from(seconds) <= MAX_EXPIRES_SECONDS => Ok(seconds),
        Ok(_) | Err(_) => Err(Reject::ExpiresOverAWeek),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_number_of_seconds_up_to_a_week() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("86400", Ok(86_400)),
            ("604800", Ok(604_800)),
            ("604801", Err("ExpiresOverAWeek")),
            ("99999999999999999999999", Err("ExpiresOverAWeek")),
            ("-1", Err("ExpiresNegative")),
            ("-99999999999999999999999", Err("ExpiresNegative")),
            ("", Err("ExpiresNotANumber")),
            ("-", Err("ExpiresNotANumber")),
            ("+1", Err("ExpiresNotANumber")),
            ("1.5", Err("ExpiresNotANumber")),
            (" 1", Err("ExpiresNotANumber")),
            ("1h", Err("ExpiresNotANumber")),
            ("١", Err("ExpiresNotANumber")),
        ] {
            assert_eq!(parse_expires(text).map_err(|r| r.name()), expected, "{text}");
        }
    }
}
