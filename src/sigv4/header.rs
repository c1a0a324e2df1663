//! A request signed in its Authorization header. A head goes in, a [`HeaderSigned`] comes out whose
//! parts are parsed and whose time, scope and signature are still to be checked.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html>
//!
//! Stricter than AWS is known to be: a component that is repeated or unknown makes the header
//! malformed.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, DATE};
use time::{Duration, OffsetDateTime, UtcOffset, macros::format_description};

use super::{
    ALGORITHM, InForce, Mechanism, Terms,
    claim::Claim,
    reject::{ErrorText, Reject},
    scope::Scope,
    window::{SKEW, parse_date},
};
use crate::types::{AccessKeyId, Query, RequestHead, Signature};

/// A header-signed request, well shaped.
///
/// ```compile_fail
/// fn log(signed: &postern::sigv4::HeaderSigned<'_>) { println!("{signed:?}"); }
/// ```
#[derive(Clone)]
pub struct HeaderSigned<'h> {
    claim: Claim<'h>,
}

impl<'h> HeaderSigned<'h> {
    /// Checks the shape: the algorithm, the three components, the credential, the date.
    pub fn parse(head: &'h RequestHead, query: &'h Query<'h>) -> Result<Self, Reject> {
        let value = head.headers().get(AUTHORIZATION);
        let text = value
            .and_then(|value| value.to_str().ok())
            .ok_or(Reject::AuthorizationMalformed)?;
        let components = text
            .strip_prefix(ALGORITHM)
            .and_then(|rest| rest.strip_prefix(' '));
        let components = components.ok_or_else(|| Reject::UnsupportedAuthorization {
            authorization: ErrorText::new(text),
        })?;
        let [credential, signed_headers, signature_provided] = three(components)?;
        let (access_key_id, scope) = Scope::parse(credential).map_err(Mechanism::Header.rejecting())?;
        let (date, signed_at) = signed_date(head).ok_or(Reject::DateMissing)?;
        let claim = Claim {
            mechanism: Mechanism::Header,
            query,
            access_key_id,
            scope,
            date,
            signed_at,
            signed_headers,
            signature_provided,
            signature: Signature::parse(signature_provided),
        };
        claim.check_signed_headers()?;
        Ok(Self { claim })
    }

    /// Checks the time, 15 minutes either way, then the scope.
    pub fn in_force(self, terms: &Terms<'_>) -> Result<InForce<'h>, Reject> {
        let apart = terms.now - self.claim.signed_at;
        if apart.abs() > SKEW {
            return Err(Reject::TooSkewed {
                signed_at: self.claim.signed_at,
                server_time: terms.now,
            });
        }
        let region = self
            .claim
            .scope
            .check(&self.claim.date, terms)
            .map_err(Mechanism::Header.rejecting())?;
        let expires_at = self
            .claim
            .signed_at
            .saturating_add(SKEW)
            .saturating_add(Duration::SECOND);
        Ok(InForce {
            claim: self.claim,
            region,
            expires_at,
        })
    }

    /// The access key id that the credential names; nothing yet says that it is its owner who
    /// signed.
    pub fn access_key_id(&self) -> &AccessKeyId {
        &self.claim.access_key_id
    }

    /// When the request says that it was signed.
    pub fn signed_at(&self) -> OffsetDateTime {
        self.claim.signed_at
    }
}

/// `Credential=…, SignedHeaders=…, Signature=…`, in any order.
fn three(components: &str) -> Result<[&str; 3], Reject> {
    let mut found = [None; 3];
    for component in components.split(',').map(str::trim) {
        let (name, value) = component.split_once('=').ok_or(Reject::AuthorizationMalformed)?;
        let [credential, signed_headers, signature] = &mut found;
        let slot = match name {
            "Credential" => credential,
            "SignedHeaders" => signed_headers,
            "Signature" => signature,
            _ => return Err(Reject::AuthorizationMalformed),
        };
        if slot.replace(value).is_some() {
            return Err(Reject::AuthorizationMalformed);
        }
    }
    match found {
        [Some(credential), Some(signed_headers), Some(signature)] => {
            Ok([credential, signed_headers, signature])
        }
        [_, _, _] => Err(Reject::AuthorizationMalformed),
    }
}

/// `x-amz-date`, else `Date`, which may also be in HTTP's form. What is signed is the long form in
/// any case. A repeated `Date` is none, since the signature covers its lines joined.
fn signed_date(head: &RequestHead) -> Option<(Cow<'_, str>, OffsetDateTime)> {
    let headers = head.headers();
    let own = headers.get("x-amz-date");
    if own.is_none() && headers.get_all(DATE).iter().nth(1).is_some() {
        return None;
    }
    let text = own.or_else(|| headers.get(DATE))?.to_str().ok()?;
    if let Some(at) = parse_date(text) {
        return Some((Cow::Borrowed(text), at));
    }
    let at = OffsetDateTime::from(httpdate::parse_http_date(text).ok().filter(|_| own.is_none())?);
    let long = format_description!("[year][month][day]T[hour][minute][second]Z");
    Some((Cow::Owned(at.to_offset(UtcOffset::UTC).format(long).ok()?), at))
}
