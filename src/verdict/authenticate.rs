//! Who signed the request, and what for. In goes a head, one snapshot and the time; out comes an [`Authenticated`], which
//! nothing else can make, or the reason there is none.

use std::sync::Arc;

use crate::{
    policy::Key,
    s3::{Call, ErrorCode, S3Error, Target},
    sigv4::{self, HeaderSigned, InForce, Mechanism, Presigned, Reject, Terms, Verified},
    types::{Query, SigningKey},
};

use super::{Circumstances, Identity, Refusal, origin::Origin};

/// A request whose signature holds. Bucket and key are read from what was signed.
pub struct Authenticated<'s> {
    pub(super) key: Key<'s>,
    pub(super) verified: Verified,
    pub(super) target: Target,
    /// The public URL that it was signed for, where it is one of those that are configured.
    pub(super) origin: Option<Arc<str>>,
}

impl Authenticated<'_> {
    /// Who signed it.
    pub fn identity(&self) -> Identity {
        Identity {
            origin: self.origin.clone(),
            ..Identity::new(self.key.signer(), &self.verified, Some(self.target.clone()))
        }
    }
}

/// Verifies the request, in AWS's order: shape, time window, scope, key, signature.
pub fn authenticate<'s>(
    circumstances: &Circumstances<'s>,
    query: &Query<'_>,
) -> Result<Authenticated<'s>, Refusal> {
    match Mechanism::of(circumstances.head, query)? {
        Mechanism::Presigned => {
            let claim = Presigned::parse(query)?.in_force(&terms(circumstances))?;
            signed(circumstances, &claim)
        }
        Mechanism::Header => {
            let claim = HeaderSigned::parse(circumstances.head, query)?.in_force(&terms(circumstances))?;
            signed(circumstances, &claim)
        }
        // A form comes in by its own door: see [`form`](super::form).
        Mechanism::Form | Mechanism::Anonymous => Err(anonymous(circumstances, query)),
    }
}

pub(super) fn terms<'s>(circumstances: &Circumstances<'s>) -> Terms<'s> {
    Terms {
        now: circumstances.now,
        regions: &circumstances.settings.regions,
        max_expires: circumstances.settings.max_expires,
    }
}

fn signed<'s>(circumstances: &Circumstances<'s>, claim: &InForce<'_>) -> Result<Authenticated<'s>, Refusal> {
    let Circumstances {
        snapshot, settings, ..
    } = *circumstances;
    let key = snapshot
        .key(claim.access_key_id().as_str())
        .ok_or_else(|| claim.unknown_key())?;
    let (date, region) = (claim.scope_date(), claim.region().as_str());
    let signing_key = snapshot.signing_key(&key, date, region, |secret| {
        sigv4::signing_key(secret, date, region)
    });
    let (verified, origin) = verify(circumstances, claim, &signing_key)?;
    let target = origin.target(settings).map_err(Refusal::Call)?;
    Ok(Authenticated {
        key,
        verified,
        target,
        origin: origin.public_text(),
    })
}

/// Tries each origin that the client may have signed for. Where none verifies, the answer is the one for the request as it
/// arrived.
fn verify<'s>(
    circumstances: &Circumstances<'s>,
    claim: &InForce<'_>,
    signing_key: &SigningKey,
) -> Result<(Verified, Origin<'s>), Reject> {
    let Circumstances { head, settings, .. } = *circumstances;
    let attempt = |origin: Origin<'s>| {
        let verified = claim.verify(head, origin.signed(), signing_key)?;
        Ok((verified, origin))
    };
    if settings.public_urls.is_empty() {
        return attempt(Origin::of(head, settings)?);
    }
    let found = Origin::readings(head, settings)?
        .into_iter()
        .find_map(|origin| attempt(origin).ok());
    match found {
        Some(found) => Ok(found),
        None => attempt(Origin::of(head, settings)?),
    }
}

/// Nothing is open to requests without a signature. One that asks for headers of its own hears so, as on AWS.
fn anonymous(circumstances: &Circumstances<'_>, query: &Query<'_>) -> Refusal {
    let Circumstances { head, settings, .. } = *circumstances;
    let call = super::asked_for(head, settings).map(|target| {
        Call::parse(
            head.method(),
            &target,
            query,
            head.headers(),
            &settings.account_id,
        )
    });
    match call {
        Some(Ok(Call::GetObject(read) | Call::HeadObject(read))) if !read.overrides.is_empty() => {
            Refusal::Call(
                S3Error::new(ErrorCode::InvalidRequest)
                    .message("Request specific response headers cannot be used for anonymous GET requests."),
            )
        }
        Some(_) | None => Refusal::Anonymous,
    }
}
