//! Who signed the request, and what for. In goes a head, one snapshot and the time; out comes an [`Authenticated`], which
//! nothing else can make, or the reason there is none.

use crate::{
    policy::{Key, Snapshot, Signer},
    s3::Target,
    sigv4::{self, InForce, Mechanism, Presigned, Reject, Terms, Verified},
    types::Query,
};

use super::{Circumstances, Refusal, origin::Origin};

/// A request whose signature holds. Bucket and key are read from what was signed.
pub struct Authenticated<'s> {
    pub(super) signer: &'s Signer,
    pub(super) verified: Verified,
    pub(super) target: Target,
}

impl Authenticated<'_> {
    /// What the signature proved.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }
}

/// Verifies the request, in AWS's order: shape, time window, scope, key, signature.
pub fn authenticate<'s>(
    circumstances: &Circumstances<'s>,
    query: &Query<'_>,
) -> Result<Authenticated<'s>, Refusal> {
    match Mechanism::of(circumstances.head, query)? {
        Mechanism::Presigned => presigned(circumstances, query),
        Mechanism::Header => Err(Refusal::HeaderAuthentication),
        Mechanism::Anonymous => Err(anonymous(circumstances, query)),
    }
}

fn presigned<'s>(circumstances: &Circumstances<'s>, query: &Query<'_>) -> Result<Authenticated<'s>, Refusal> {
    let Circumstances { snapshot, settings, now, .. } = *circumstances;
    let terms = Terms { now, regions: &settings.regions, max_expires: settings.max_expires };
    let claim = Presigned::parse(query)?.in_force(&terms)?;
    let key = snapshot.key(claim.access_key_id()).ok_or_else(|| claim.unknown_key())?;
    let (verified, origin) = verify(circumstances, query, &claim, snapshot, &key)?;
    let target = origin.target(settings).map_err(Refusal::Call)?;
    Ok(Authenticated { signer: key.signer(), verified, target })
}
