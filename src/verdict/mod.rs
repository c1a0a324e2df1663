//! May this request pass, and why (not)? In go a head, one snapshot, the settings and the time; out comes a [`Permit`] or a typed
//! [`Refusal`]. Pure: what the gateway enforces is what anybody can compute from the same values.
//!
//! The steps are types: only [`authenticate`] makes an [`Authenticated`], only [`authorize`] makes a [`Permit`], and executing a
//! call takes a `Permit`. S3's call is read after the signature holds, from the host and path that were signed, so bucket and key
//! have one source, and a stranger learns nothing of how a request would have been understood.

mod authenticate;
mod authorize;
mod context;
mod form;
mod grounds;
mod identity;
mod need;
mod origin;
mod permit;
mod refusal;
mod reserved;
mod settings;

pub use authenticate::{Authenticated, authenticate};
pub use authorize::{authorize, failing_conditions};
pub use context::{DescribeError, DescribedRequest};
pub use form::{decide_form, is_form};
pub use grounds::Grounds;
pub use identity::Identity;
pub use origin::{PublicUrl, PublicUrlError, buckets_named};
pub use permit::{Comparison, Learned, Permit, Permitted, PermittedKey, Released};
pub use refusal::{Refusal, chunked_error};
pub use settings::Settings;

use std::sync::Arc;

use time::OffsetDateTime;

use crate::{
    policy::Snapshot,
    s3::Target,
    types::{Client, RequestHead},
};

/// Everything that a verdict depends on. A request is judged under one of these from its beginning to its end.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// The request.
    pub head: &'a Arc<RequestHead>,
    /// Who sent it, as far as is believed.
    pub client: Client,
    /// The policy in force.
    pub snapshot: &'a Arc<Snapshot>,
    /// What signatures must fit.
    pub settings: &'a Settings,
    /// The time.
    pub now: OffsetDateTime,
}

/// What is decided of a request.
pub struct Verdict {
    /// Who signed it, where the signature holds.
    pub identity: Option<Identity>,
    /// May it pass?
    pub outcome: Result<Permit, Refusal>,
}

impl Verdict {
    fn refused(refusal: impl Into<Refusal>) -> Self {
        Self {
            identity: None,
            outcome: Err(refusal.into()),
        }
    }
}

/// Authenticates, then authorises.
pub fn decide(circumstances: &Circumstances<'_>) -> Verdict {
    let query = match circumstances.head.query() {
        Ok(query) => query,
        Err(error) => return Verdict::refused(error),
    };
    if let Err(error) = reserved::refuse_reserved(circumstances.head, &query) {
        return Verdict::refused(Refusal::Call(error));
    }
    let authenticated = match authenticate(circumstances, &query) {
        Ok(authenticated) => authenticated,
        Err(refusal) => return Verdict::refused(refusal),
    };
    Verdict {
        identity: Some(authenticated.identity()),
        outcome: authorize(authenticated, circumstances, &query),
    }
}

/// What a request asks for as it arrived, whether or not it may: for the record of one that nobody signed.
pub fn asked_for(head: &RequestHead, settings: &Settings) -> Option<Target> {
    let origin = origin::Origin::of(head, settings).ok()?;
    origin.target(settings).ok()
}
