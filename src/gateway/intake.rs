//! The door: from what hyper read to a [`RequestHead`], and what happens to a body that nobody wants.

use std::time::Duration;

use bytes::Bytes;
use http::{header, request::Parts};
use http_body::Body;
use http_body_util::BodyExt;

use crate::types::{HeadError, RequestHead, Scheme};

use super::{admission::StrangerSlot, incoming::Incoming};

/// The most bytes of an unwanted body that are read so that the client gets to read its answer.
const MOST_DRAINED: u64 = 1024 * 1024;
/// The most that is read after that, while the answer is on its way.
const MOST_LINGERED: u64 = 64 * 1024 * 1024;
/// How long that may take.
const LONGEST_LINGER: Duration = Duration::from_secs(5);
/// The same where nobody asked for the body, and most likely none comes.
const LONGEST_LINGER_UNASKED: Duration = Duration::from_secs(1);
/// How long an unwanted body may take to arrive.
const LONGEST_DRAIN: Duration = Duration::from_secs(5);
/// The same where the policy ended the upload, which must not wait for a client that stalls.
const LONGEST_DRAIN_OF_CUT: Duration = Duration::from_millis(200);

/// Takes what hyper parsed.
pub(super) fn head(parts: Parts, scheme: Scheme) -> Result<RequestHead, HeadError> {
    RequestHead::new(parts.method, scheme, parts.uri, parts.headers)
}

/// Reads what is left of a body to its end and drops it, within a bound of bytes and time. `true`: another request can follow on the
/// connection.
///
/// A client that is still sending does not read: without this, a refusal would be lost with the connection. One that waits for
/// `100 Continue` has sent nothing yet, and is not asked to.
pub(super) async fn settle<B>(head: &RequestHead, body: &mut Incoming<B>) -> bool
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return true;
    }
    if head.headers().contains_key(header::EXPECT) {
        return false;
    }
    let longest = match body.no_longer_ends() {
        true => LONGEST_DRAIN_OF_CUT,
        false => LONGEST_DRAIN,
    };
    // What is known to be longer than is drained is not waited for: its sender may stall for ever.
    if body.is_too_long() || body.size_hint().lower() > MOST_DRAINED {
        return false;
    }
    // Boxed, since it is rare: see `ops::execute`.
    let drained = Box::pin(tokio::time::timeout(longest, drain(body, MOST_DRAINED)));
    drained.await.unwrap_or(false)
}

/// Goes on reading what nobody wants while its refusal is sent, and drops it, within a bound of bytes and time: a connection that is closed with
/// bytes unread is reset, and the answer lost. A proxy that is still sending would tell its client 502 in place of it.
///
/// To be called when nothing is left to do but answering: whoever waits for `100 Continue` is then answered before this reads, and hyper asks nobody for a body
/// whom it has answered. Proxies pass `Expect` on and send all the same.
pub(super) fn linger<B>(head: &RequestHead, mut body: Incoming<B>, slot: StrangerSlot)
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
{
    let longest = match head.headers().contains_key(header::EXPECT) {
        true => LONGEST_LINGER_UNASKED,
        false => LONGEST_LINGER,
    };
    tokio::spawn(async move {
        _ = tokio::time::timeout(longest, drain(&mut body, MOST_LINGERED)).await;
        drop(slot);
    });
}

/// Reads and drops at most so many bytes. `true`: that was all.
async fn drain<B>(body: &mut Incoming<B>, mut most: u64) -> bool
where
    B: Body<Data = Bytes> + Unpin,
{
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let Ok(data) = frame.into_data() else { continue };
        match most.checked_sub(data.len() as u64) {
            Some(rest) => most = rest,
            None => return false,
        }
    }
    true
}
