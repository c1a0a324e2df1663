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
    pub(super) request: Arc<RequestContext>,
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

/// What a decision counts for that depends on something not known yet.
#[derive(Clone, Copy)]
enum Undecided {
    /// It is decided later: when the object is opened, or the body read.
    Holds,
    /// There is no later.
    Refused,
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
    /// The operation that they allow.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The number of the snapshot that they were found in.
    pub fn generation(&self) -> u64 {
        self.snapshot.generation()
    }

    /// Do they hold under another snapshot too, for a request of the same moment? Expiry and a signature's age, which only time brings, take
    /// nothing away; a key that is gone or has another secret, a revocation and a denial do.
    pub fn hold_under(&self, snapshot: &Snapshot) -> Result<(), Refusal> {
        self.ask(snapshot, None, Undecided::Holds)
    }

    /// Whether they allow a change to take effect now, under this snapshot. That is the last question:
    /// a condition that is still open then does not hold. `tags` are those that the object to be
    /// changed has in this moment, if the store has read them.
    pub fn allow_effect_under(&self, snapshot: &Snapshot, tags: Option<&[Tag]>) -> Result<(), Refusal> {
        if snapshot.generation() == self.generation() && !self.pending {
            return Ok(());
        }
        self.ask(snapshot, tags, Undecided::Refused)
    }

    fn ask(
        &self,
        snapshot: &Snapshot,
        found_tags: Option<&[Tag]>,
        undecided: Undecided,
    ) -> Result<(), Refusal> {
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
        let changed = self.needs.first().map(|need| &need.target);
        for need in self
            .needs
            .iter()
            .chain(self.later.needs.get().into_iter().flatten())
        {
            // What the store has just read counts more than what was read before.
            let tags = match found_tags {
                Some(found) if need.opened && changed == Some(&need.target) => ObjectTags::Known(found),
                Some(_) | None => need.object_tags(),
            };
            match (
                need.decide(&self.request, key.signer(), snapshot, tags, request_tags),
                undecided,
            ) {
                (Decision::Allow(_), _) | (Decision::Undecided, Undecided::Holds) => {}
                (Decision::Deny(denial), _) => return Err(need.denied(&self.request, denial)),
                (Decision::Undecided, Undecided::Refused) => {
                    return Err(need.denied(&self.request, Denial::Implicit));
                }
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
