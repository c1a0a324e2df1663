//! The last requests that were refused, in memory alone, for whoever asks why: never on a disk, never in a log. Bounded in number and in bytes.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use time::OffsetDateTime;

use crate::types::{Client, RequestHead};

use super::{Failure, RequestId};

/// The most that are kept.
const MOST: usize = 512;
/// The most bytes of heads that are kept.
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// A ring of refused requests. It holds signatures, so it cannot be printed.
#[derive(Default)]
pub(super) struct Refusals(Mutex<Ring>);

#[derive(Default)]
struct Ring {
    refused: VecDeque<Refused>,
    bytes: usize,
}

/// One refused request.
#[derive(Clone)]
pub(super) struct Refused {
    id: RequestId,
    bytes: usize,
    pub(super) head: Arc<RequestHead>,
    pub(super) client: Client,
    pub(super) at: OffsetDateTime,
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Refused {
    pub(super) fn new(
        id: RequestId,
        head: &Arc<RequestHead>,
        client: Client,
        at: OffsetDateTime,
        failure: &Failure,
    ) -> Self {
        let headers = head.headers().iter();
        let headers = headers.map(|(name, value)| name.as_str().len() + value.len());
        let error = failure.s3_error();
        Self {
            id,
            bytes: head.path_and_query().len() + headers.sum::<usize>(),
            head: head.clone(),
            client,
            at,
            status: error.code().status().as_u16(),
            code: error.code().name(),
            reason: failure.name(),
            message: failure.to_string(),
        }
    }
}

impl Refusals {
    /// Keeps one, and lets the oldest go.
    pub(super) fn keep(&self, refused: Refused) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.bytes += refused.bytes;
        ring.refused.push_back(refused);
        while ring.refused.len() > MOST || ring.bytes > MOST_BYTES {
            let Some(oldest) = ring.refused.pop_front() else {
                break;
            };
            ring.bytes = ring.bytes.saturating_sub(oldest.bytes);
        }
    }

    /// The one of this request id, while it is kept.
    pub(super) fn find(&self, id: &str) -> Option<Refused> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = ring
            .refused
            .iter()
            .rev()
            .find(|refused| refused.id.to_string().eq_ignore_ascii_case(id));
        found.cloned()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, header::HOST};
    use time::macros::datetime;

    use super::*;
    use crate::{
        gateway::request_id::RequestIds,
        types::{Peer, Scheme},
    };

    fn head(bytes: usize) -> Arc<RequestHead> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "h".parse().unwrap());
        let uri = format!("/{}", "a".repeat(bytes)).parse().unwrap();
        Arc::new(RequestHead::new(Method::GET, Scheme::Http, uri, headers).unwrap())
    }

    #[test]
    fn the_last_are_kept_within_a_number_and_within_bytes() {
        let (refusals, ids) = (Refusals::default(), RequestIds::new());
        let client = Client::from(Peer::plain(([127, 0, 0, 1], 1).into()));
        let keep = |bytes: usize| {
            let id = ids.next();
            refusals.keep(Refused::new(
                id,
                &head(bytes),
                client,
                datetime!(2026-11-24 12:00 UTC),
                &Failure::CutBody,
            ));
            id.to_string()
        };
        let first = keep(10);
        assert!(refusals.find(&first).is_some() && refusals.find("0").is_none());
        for _ in 0..MOST {
            keep(10);
        }
        assert!(refusals.find(&first).is_none());
        let last: Vec<_> = (0..100).map(|_| keep(60_000)).collect();
        let kept = last.iter().filter(|id| refusals.find(id).is_some()).count();
        assert!((20..40).contains(&kept), "{kept}");
        assert!(refusals.find(last.last().unwrap()).is_some());
    }
}
