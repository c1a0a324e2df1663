//! The signature itself. An [`InForce`] link, the head it came with, the target it is tried for and
//! a signing key go in; a [`Verified`] comes out, and nothing else in the crate can make one.
//!
//! Stricter than AWS: a signature is 64 lower-case hexadecimal digits, so that a link has one name,
//! and a second `X-Amz-Signature` is an unsigned parameter as any other.

use std::fmt;

use hmac::Mac;
use http::{HeaderMap, HeaderName};
use time::OffsetDateTime;

use super::{
    Mechanism,
    canonical::{CanonicalRequest, StringToSign, signed, split},
    chunked::{Chain, ChunkedDecoder, ChunkedReject},
    payload::{self, Payload},
    reject::{ErrorText, Mismatch, Reject},
    window::InForce,
};
use crate::types::{
    AccessKeyId, CanonicalPath, FoldedHeaders, LinkId, Region, RequestHead, Signature, SigningKey,
};

/// The token of a temporary key.
static X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// The origin's host and path under which a request is tried: those of its head, or of another
/// public name of the gateway (a proxy or a container changed the host, or took a path prefix
/// away).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// What `host` was signed as: host and, where one was sent, port.
    pub authority: &'a str,
    /// The path, prefix included.
    pub path: &'a CanonicalPath<'a>,
}

/// A [`Target`] that is kept.
#[derive(Clone)]
struct SignedFor {
    authority: Box<str>,
    path: CanonicalPath<'static>,
}

impl SignedFor {
    fn new(Target { authority, path }: Target<'_>) -> Self {
        Self {
            authority: authority.into(),
            path: path.to_kept(),
        }
    }

    fn target(&self) -> Target<'_> {
        Target {
            authority: &self.authority,
            path: &self.path,
        }
    }
}

/// The texts behind a signature, as the gateway computes them. They hold the query string, so they
/// are for an answer and not for a log.
pub struct ToSign {
    /// The canonical request.
    pub canonical_request: Vec<u8>,
    /// The string that the signing key signs.
    pub string_to_sign: Vec<u8>,
    /// What is declared of the body.
    pub payload: Payload,
}

/// A request whose signature holds, and what the signature says. Bucket and key are to be read from
/// its [`target`](Verified::target), which is what was signed, and from nothing else.
///
/// ```compile_fail
/// let forged = postern::sigv4::Verified { ..unimplemented!() };
/// ```
#[derive(Clone)]
pub struct Verified {
    access_key_id: AccessKeyId,
    signed_for: SignedFor,
    region: Region,
    signed_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    payload: Payload,
    chain: Option<Chain>,
    mechanism: Mechanism,
    signature: Signature,
    link_id: LinkId,
}

impl InForce<'_> {
    /// Verifies the signature for one target: every `x-amz-*` header and `host` signed, then the
    /// signature, in constant time, then no session token (every key here is a permanent one).
    ///
    /// `key` must be derived for this [`scope_date`](InForce::scope_date) and
    /// [`region`](InForce::region). The errors are [`Reject::HeadersNotSigned`],
    /// [`Reject::PayloadHashMalformed`], [`Reject::Mismatch`] and [`Reject::UnexpectedToken`].
    pub fn verify(
        &self,
        head: &RequestHead,
        target: Target<'_>,
        key: &SigningKey,
    ) -> Result<Verified, Reject> {
        let claim = &self.claim;
        let headers = FoldedHeaders::new(head.headers());
        let ToSign {
            canonical_request,
            string_to_sign,
            payload,
        } = self.to_sign(head, target)?;
        let holds = |given: &&Signature| signed(key, &string_to_sign).verify_slice(given.expose()).is_ok();
        let signature = claim.signature.as_ref().filter(holds);
        // A listed header that was not sent is a mismatch, also if its empty value was signed.
        let signature = signature.filter(|_| claim.signed_headers_are_there(headers));
        let Some(signature) = signature else {
            return Err(Reject::Mismatch(Box::new(Mismatch {
                access_key_id: claim.access_key_id.clone(),
                string_to_sign: ErrorText::new(string_to_sign),
                signature_provided: ErrorText::new(claim.signature_provided),
                canonical_request: Some(ErrorText::new(canonical_request)),
            })));
        };
        if let Some(token) = self.session_token(head.headers()) {
            return Err(Reject::UnexpectedToken { token });
        }
        Ok(Verified {
            access_key_id: claim.access_key_id.clone(),
            signed_for: SignedFor::new(target),
            region: self.region.clone(),
            signed_at: claim.signed_at,
            expires_at: self.expires_at,
            payload,
            chain: Chain::of(
                payload,
                key,
                &claim.date,
                claim.scope.date,
                self.region.as_str(),
                signature,
            ),
            mechanism: claim.mechanism,
            link_id: signature.link_id(),
            signature: signature.clone(),
        })
    }

    /// What must have been signed for this target, and what it declares of the body.
    pub fn to_sign(&self, head: &RequestHead, target: Target<'_>) -> Result<ToSign, Reject> {
        let claim = &self.claim;
        every_needed_header_is_signed(head.headers(), claim.signed_headers)?;
        let (line, payload) = payload::declared(head, claim.query)?;
        if claim.mechanism == Mechanism::Header
            && !head.headers().contains_key(&payload::X_AMZ_CONTENT_SHA256)
        {
            return Err(Reject::PayloadHashMissing);
        }
        let canonical_request = CanonicalRequest {
            method: head.method(),
            authority: target.authority,
            path: target.path,
            query: claim.query,
            headers: head.headers(),
            signed_headers: claim.signed_headers,
            payload: &line,
        };
        let canonical_request = canonical_request.bytes();
        let string_to_sign = StringToSign {
            date: &claim.date,
            scope_date: claim.scope.date,
            region: self.region.as_str(),
            canonical_request: &canonical_request,
        };
        Ok(ToSign {
            string_to_sign: string_to_sign.bytes(),
            canonical_request,
            payload,
        })
    }

    fn session_token(&self, headers: &HeaderMap) -> Option<ErrorText> {
        let in_query = self.claim.query.first("X-Amz-Security-Token");
        let in_header = headers.get(&X_AMZ_SECURITY_TOKEN);
        in_query
            .map(ErrorText::new)
            .or_else(|| in_header.map(|token| ErrorText::new(token.as_bytes())))
    }
}

/// `host` and every `x-amz-*` header must be signed, save `x-amz-content-sha256`, whose value is
/// the payload line anyway. An unsigned `x-amz-copy-source` would turn a presigned PUT into a copy
/// made as the signer.
fn every_needed_header_is_signed(headers: &HeaderMap, list: &str) -> Result<(), Reject> {
    let is_signed = |name: &str| split(list).any(|listed| listed.eq_ignore_ascii_case(name));
    let needed = |name: &&str| name.starts_with("x-amz-") && *name != payload::X_AMZ_CONTENT_SHA256;
    let amz = headers.keys().map(|name| name.as_str()).filter(needed);
    let mut names: Vec<_> = std::iter::once("host")
        .chain(amz)
        .filter(|name| !is_signed(name))
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    if names.is_empty() {
        Ok(())
    } else {
        Err(Reject::HeadersNotSigned { names })
    }
}

impl Verified {
    /// A form whose policy's signature holds: nothing is declared of its body.
    pub(super) fn of_form(
        access_key_id: AccessKeyId,
        target: Target<'_>,
        region: Region,
        (signed_at, expires_at): (OffsetDateTime, OffsetDateTime),
        signature: Signature,
    ) -> Self {
        Self {
            access_key_id,
            signed_for: SignedFor::new(target),
            region,
            signed_at,
            expires_at,
            payload: Payload::Unsigned,
            chain: None,
            mechanism: Mechanism::Form,
            link_id: signature.link_id(),
            signature,
        }
    }

    /// Whose key signed.
    pub fn access_key_id(&self) -> &AccessKeyId {
        &self.access_key_id
    }

    /// What was signed for: the only host and path from which bucket and key may be read.
    pub fn target(&self) -> Target<'_> {
        self.signed_for.target()
    }

    /// The scope's region.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// When it was signed.
    pub fn signed_at(&self) -> OffsetDateTime {
        self.signed_at
    }

    /// How it was signed.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// From when on it is expired; a header-signed request is from 15 minutes after its date on.
    pub fn expires_at(&self) -> OffsetDateTime {
        self.expires_at
    }

    /// What was declared of the body, which the body must still be held against.
    pub fn payload(&self) -> Payload {
        self.payload
    }

    /// The decoder of the body, where it is aws-chunked: the only way to read one. `head` is the
    /// one that was verified.
    pub fn chunked(&self, head: &RequestHead) -> Result<Option<ChunkedDecoder>, ChunkedReject> {
        match self.payload {
            Payload::Unsigned | Payload::Sha256(_) => Ok(None),
            Payload::Streaming(kind) => {
                ChunkedDecoder::new(kind, self.chain.clone(), head.headers()).map(Some)
            }
        }
    }

    /// The link's name for logs and revocation.
    pub fn link_id(&self) -> LinkId {
        self.link_id
    }

    /// The signature, from which the chain of chunk signatures starts.
    pub fn seed_signature(&self) -> &Signature {
        &self.signature
    }
}

/// Whose, which link and until when: never the signature, nor the path.
impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("access_key_id", &self.access_key_id)
            .field("link_id", &self.link_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
