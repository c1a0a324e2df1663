//! The door: from what hyper read to a [`RequestHead`], and what happens to a body that nobody wants.

use std::time::Duration;

use bytes::{Buf, Bytes};
use http::request::Parts;
use http_body::Body;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};

use crate::types::{HeadError, RequestHead, Scheme};

/// The most bytes of an unwanted body that are read so that the client gets to read its answer.
const MOST_DRAINED: u64 = 1024 * 1024;
/// How long an unwanted body may take to arrive.
const LONGEST_DRAIN: Duration = Duration::from_secs(5);

/// Takes what hyper parsed.
pub(super) fn head(parts: Parts, scheme: Scheme) -> Result<RequestHead, HeadError> {
    RequestHead::new(parts.method, scheme, parts.uri, parts.headers)
}

/// What became of a body that is read only to be dropped.
pub(super) enum Drained {
    /// It ended; this is the SHA-256 of all of it.
    Whole([u8; 32]),
    /// It was too long, too slow or broken: the connection cannot be used again.
    CutShort,
}

/// Reads a body to its end and drops it, within a bound of bytes and time.
///
/// A client that is still sending does not read: without this, a refusal would be lost with the connection. One that waits for
/// `100 Continue` has sent nothing yet, and must not be asked to: the caller does not call this then.
pub(super) async fn drain<B>(mut body: B) -> Drained
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut hash = Sha256::new();
    let mut left = MOST_DRAINED;
    let all = async {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Drained::CutShort };
            let Ok(data) = frame.into_data() else { continue };
            hash.update(&data);
            match left.checked_sub(data.remaining() as u64) {
                Some(rest) => left = rest,
                None => return Drained::CutShort,
            }
        }
        Drained::Whole(hash.finalize_reset().into())
    };
    tokio::time::timeout(LONGEST_DRAIN, all).await.unwrap_or(Drained::CutShort)
}
