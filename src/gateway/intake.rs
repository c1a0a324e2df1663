//! The door: from what hyper read to a [`RequestHead`], and what happens to a body that nobody wants.

use std::time::Duration;

use bytes::Bytes;
use http::{header, request::Parts};
use http_body::Body;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};

use crate::{
    sigv4::Payload,
    types::{HeadError, RequestHead, Scheme},
};

use super::Failure;

/// The most bytes of an unwanted body that are read so that the client gets to read its answer.
const MOST_DRAINED: u64 = 1024 * 1024;
/// How long an unwanted body may take to arrive.
const LONGEST_DRAIN: Duration = Duration::from_secs(5);

/// Takes what hyper parsed.
pub(super) fn head(parts: Parts, scheme: Scheme) -> Result<RequestHead, HeadError> {
    RequestHead::new(parts.method, scheme, parts.uri, parts.headers)
}

/// What became of a body that is read only to be dropped.
pub(super) enum Received {
    /// It ended; this is the SHA-256 of all of it.
    Whole([u8; 32]),
    /// It was too long, too slow or broken, or was never asked for: the connection cannot be used again.
    CutShort,
}

impl Received {
    /// Can another request follow on this connection?
    pub(super) fn keeps_connection(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// Is it what was signed?
    pub(super) fn matches(&self, payload: Payload) -> Result<(), Failure> {
        match (self, payload) {
            (Self::Whole(computed), Payload::Sha256(declared)) if *computed != declared => {
                Err(Failure::PayloadHash {
                    declared: hex::encode(declared),
                    computed: hex::encode(computed),
                })
            }
            (Self::Whole(_), Payload::Sha256(_) | Payload::Unsigned | Payload::Streaming(_)) => Ok(()),
            (Self::CutShort, _) => Err(Failure::UnwantedBody),
        }
    }
}

/// Reads a body that no operation wants to its end and drops it, within a bound of bytes and time.
///
/// A client that is still sending does not read: without this, a refusal would be lost with the connection. One that waits for
/// `100 Continue` has sent nothing yet, and is not asked to.
pub(super) async fn settle<B>(head: &RequestHead, mut body: B) -> Received
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut hash = Sha256::new();
    if body.is_end_stream() {
        return Received::Whole(hash.finalize().into());
    }
    if head.headers().contains_key(header::EXPECT) {
        return Received::CutShort;
    }
    let mut left = MOST_DRAINED;
    let all = async {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return Received::CutShort;
            };
            let Ok(data) = frame.into_data() else { continue };
            hash.update(&data);
            match left.checked_sub(data.len() as u64) {
                Some(rest) => left = rest,
                None => return Received::CutShort,
            }
        }
        Received::Whole(hash.finalize_reset().into())
    };
    tokio::time::timeout(LONGEST_DRAIN, all)
        .await
        .unwrap_or(Received::CutShort)
}
