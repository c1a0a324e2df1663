//! What a signed request claims, in the query or in the Authorization header: who signed, when, for which scope, which headers, and the
//! signature. Nothing of it is proven yet.

use std::borrow::Cow;

use time::OffsetDateTime;

use super::{
    Mechanism,
    reject::{Reject, ScopeReject},
    scope::Scope,
};
use crate::types::{AccessKeyId, Query, Signature};

/// A claim, well shaped.
#[derive(Clone)]
pub(super) struct Claim<'h> {
    pub(super) mechanism: Mechanism,
    pub(super) query: &'h Query<'h>,
    pub(super) access_key_id: AccessKeyId,
    pub(super) scope: Scope<'h>,
    /// The date that is signed, `yyyyMMdd'T'HHmmss'Z'`: `X-Amz-Date` as sent.
    pub(super) date: Cow<'h, str>,
    pub(super) signed_at: OffsetDateTime,
    /// The names of the signed headers, joined with `;`.
    pub(super) signed_headers: &'h str,
    pub(super) signature_provided: &'h str,
    /// None where the text is not 64 lower-case hexadecimal digits: no such text can match.
    pub(super) signature: Option<Signature>,
}

impl Mechanism {
    /// Says where a credential stood that is refused.
    pub(super) fn rejecting(self) -> impl Fn(ScopeReject) -> Reject {
        move |reject| Reject::Scope {
            mechanism: self,
            reject,
        }
    }
}
