//! Who signed a request: known as soon as the signature holds, whatever becomes of the request.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::{
    policy::Signer,
    s3::Target,
    sigv4::{Mechanism, Verified},
    types::{AccessKeyId, LinkId},
};

/// Who signed a request, and what its signature says.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The signer's name.
    pub signer: Arc<str>,
    /// Whose key it is.
    pub access_key_id: AccessKeyId,
    /// By which one link is revoked.
    pub link_id: LinkId,
    /// How it was signed.
    pub mechanism: Mechanism,
    /// When it was signed.
    pub signed_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// What it was signed for; none for a form that names no bucket.
    pub target: Option<Target>,
    /// The public URL that it was signed for, where it is one of those that are configured.
    pub origin: Option<Arc<str>>,
}

impl Identity {
    pub(super) fn new(signer: &Signer, verified: &Verified, target: Option<Target>) -> Self {
        Self {
            signer: signer.shared_name(),
            access_key_id: verified.access_key_id().clone(),
            link_id: verified.link_id(),
            mechanism: verified.mechanism(),
            signed_at: verified.signed_at(),
            expires_at: verified.expires_at(),
            target,
            origin: None,
        }
    }
}
