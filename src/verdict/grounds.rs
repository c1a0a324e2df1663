//! What a permit rests on: the questions that were asked of the policy, the request that they were asked for, and the answers. They can be asked
//! again of a later snapshot, for a transfer that has not ended.

use std::sync::{Arc, OnceLock};

use time::OffsetDateTime;

use crate::{
    policy::{Decision, Denial, Key, Signed, Snapshot, StatementReference},
    s3::Operation,
    sigv4::{Reject, Verified},
    types::Tag,
};

use super::{
    Refusal,
    context::{ObjectTags, RequestContext},
    need::Need,
};

/// What a permit rests on.
pub struct Grounds {
    pub(super) operation: Operation,
    pub(super) needs: Vec<Need>,
    /// Does any of the needs hang on what is not known yet?
    pub(super) pending: bool,
    pub(super) request: RequestContext,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) statement: Option<StatementReference>,
    /// What became known after the permit.
    pub(super) later: Later,
}

/// What became known of a request after its permit, for the conditions that depend on it.
#[derive(Default)]
pub(super) struct Later {
    /// The tags that take effect: those of the body, or those that a copy takes from its source.
    pub(super) request_tags: OnceLock<Vec<Tag>>,
    /// Questions that came up only once there was something to ask about: tags to be copied.
    pub(super) needs: OnceLock<Vec<Need>>,
}

/// Refuses what the operator has taken back, once it is certain who signed it: nobody else learns of a revocation.
pub(super) fn not_revoked(
    key: &Key<'_>,
    verified: &Verified,
    snapshot: &Snapshot,
    now: OffsetDateTime,
) -> Result<(), Refusal> {
    let signed = Signed {
        link_id: verified.link_id(),
        signed_at: verified.signed_at(),
    };
    match snapshot.revoked(key, signed, now) {
        None => Ok(()),
        Some(rule) => Err(Refusal::Revoked(rule)),
    }
}

impl Grounds {
    /// The number of the snapshot that they were found in.
    pub fn generation(&self) -> u64 {
        self.snapshot.generation()
    }

    /// Do they hold under another snapshot too, for a request of the same moment? Expiry and a signature's age, which only time brings, take
    /// nothing away; a key that is gone or has another secret, a revocation and a denial do.
    pub fn hold_under(&self, snapshot: &Snapshot) -> Result<(), Refusal> {
        let verified = &self.request.verified;
        let id = verified.access_key_id();
        let (Some(then), Some(key)) = (self.snapshot.key(id.as_str()), snapshot.key(id.as_str())) else {
            return Err(Refusal::Signature(Reject::UnknownAccessKeyId {
                access_key_id: id.clone(),
            }));
        };
        if !key.has_the_secret_of(&then) {
            return Err(Refusal::Rekeyed(id.clone()));
        }
        not_revoked(&key, verified, snapshot, self.request.now())?;
        let request_tags = self.later.request_tags.get().map(Vec::as_slice);
        for need in self
            .needs
            .iter()
            .chain(self.later.needs.get().into_iter().flatten())
        {
            let tags = need.object_tags();
            match need.decide(&self.request, key.signer(), snapshot, tags, request_tags) {
                Decision::Allow(_) => {}
                Decision::Deny(denial) => return Err(need.denied(&self.request, denial)),
                // Decided when the object is opened.
                Decision::Undecided => {}
            }
        }
        Ok(())
    }

    /// Asks one question of the snapshot that decided the request.
    pub(super) fn decide(
        &self,
        need: &Need,
        object_tags: ObjectTags<'_>,
        later_tags: Option<&[Tag]>,
    ) -> Decision {
        let id = self.request.verified.access_key_id();
        match self.snapshot.key(id.as_str()) {
            Some(key) => need.decide(
                &self.request,
                key.signer(),
                &self.snapshot,
                object_tags,
                later_tags,
            ),
            // The snapshot that verified the signature holds its key.
            None => Decision::Deny(Denial::Implicit),
        }
    }
}
