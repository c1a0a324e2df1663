//! What a signed request claims, in the query or in the Authorization header: who signed, when, for which scope, which headers, and the
//! signature. Nothing of it is proven yet.

use std::borrow::Cow;

use http::HeaderName;
use time::OffsetDateTime;

use super::{
    Mechanism,
    canonical::split,
    reject::{Reject, ScopeReject},
    scope::Scope,
};
use crate::types::{AccessKeyId, FoldedHeaders, Query, Signature};

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

impl Claim<'_> {
    /// Refuses a list of signed headers that holds a name twice, or a text that is not a header's
    /// name. A list without any name is left to the check that `host` is among them.
    pub(super) fn check_signed_headers(&self) -> Result<(), Reject> {
        if self.signed_headers.is_empty() {
            return Ok(());
        }
        let mut names: Vec<_> = split(self.signed_headers).collect();
        names.sort_unstable_by(|a, b| lower(a).cmp(lower(b)));
        let repeated = names.windows(2).any(|pair| match pair {
            [a, b] => a.eq_ignore_ascii_case(b),
            _ => false,
        });
        let is_name = |name: &&str| HeaderName::try_from(*name).is_ok();
        if repeated || !names.iter().all(is_name) {
            return Err(Reject::SignedHeadersMalformed {
                mechanism: self.mechanism,
            });
        }
        Ok(())
    }

    /// Whether each signed header was sent. A presigned query may carry its value instead, as a
    /// parameter of its name.
    pub(super) fn signed_headers_are_there(&self, headers: FoldedHeaders<'_>) -> bool {
        let in_query = |name: &str| {
            self.mechanism == Mechanism::Presigned
                && self
                    .query
                    .iter()
                    .any(|parameter| parameter.name.eq_ignore_ascii_case(name))
        };
        split(self.signed_headers)
            .all(|name| name.eq_ignore_ascii_case("host") || headers.contains(name) || in_query(name))
    }
}

fn lower(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|byte| byte.to_ascii_lowercase())
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
