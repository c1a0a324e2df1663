//! The limits on requests that an operator may set.

use http::{HeaderName, header};

use crate::types::{RequestHead, Span};

use super::{Failure, pace::LowestRate, payload::too_large};

/// Limits on requests: the part of `[limits]` that the gateway enforces.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The most permitted requests at once, from the verdict to the last byte of the answer. More
    /// get 503 SlowDown.
    pub requests: usize,
    /// The most requests at once that are not authenticated: forms whose fields still arrive,
    /// preflights, and refusals until they are sent.
    pub unverified_requests: usize,
    /// How many of those one source may have.
    pub unverified_requests_per_source: usize,
    /// The most bytes that one request may bring.
    pub upload_bytes: u64,
    /// The lowest rate at which a body may arrive.
    pub lowest_rate: LowestRate,
    /// How long a client may send nothing of a body that is awaited.
    pub body_timeout: Span,
    /// How many signatures that do not match, or of unknown keys, one source may send in a minute
    /// before it gets 503 SlowDown for each further one; 0: no limit.
    pub failed_authentications: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 4_000,
            unverified_requests: 1_000,
            unverified_requests_per_source: 64,
            upload_bytes: 5 * 1024 * 1024 * 1024,
            lowest_rate: LowestRate::default(),
            body_timeout: Span::from_seconds(20),
            failed_authentications: 300,
        }
    }
}

/// The most bytes of a body whose content may have `upload_bytes`: framing (aws-chunked chunk heads, a
/// form's fields) takes some besides. A signed chunk of the smallest size has one part in 85 of framing.
pub(super) fn body_bytes(upload_bytes: u64) -> u64 {
    const FEW: u64 = 1024 * 1024;
    upload_bytes.saturating_add(upload_bytes / 16).saturating_add(FEW)
}

/// AWS's largest body of one request, which is no secret of this gateway.
const LARGEST_BODY: u64 = 5 * 1024 * 1024 * 1024;

/// Refuses a form that no limit would let in, before its fields are read. Whether it fits the limit of
/// this gateway is told only once the fields prove who sent it.
pub(super) fn form(head: &RequestHead) -> Result<(), Failure> {
    let length = head.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > body_bytes(LARGEST_BODY) => {
            Err(Failure::TooLong(too_large(length, LARGEST_BODY)))
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses a body that declares more bytes than `upload_bytes`, before any of it is read. The bytes are
/// counted again as they arrive.
pub(super) fn upload(head: &RequestHead, upload_bytes: u64) -> Result<(), Failure> {
    static DECODED: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");
    let declared = |name: &HeaderName| head.headers().get(name)?.to_str().ok()?.parse::<u64>().ok();
    let most_of_body = match head.headers().contains_key(&DECODED) {
        true => body_bytes(upload_bytes),
        false => upload_bytes,
    };
    for (name, most) in [(&DECODED, upload_bytes), (&header::CONTENT_LENGTH, most_of_body)] {
        if let Some(length) = declared(name).filter(|length| *length > most) {
            return Err(Failure::TooLong(too_large(length, upload_bytes)));
        }
    }
    Ok(())
}
