//! The name of one request, in its answer and in the log.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use http::HeaderValue;

use crate::s3::S3Error;

/// 16 upper-case hexadecimal digits, as S3's own request ids have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(u64);

impl RequestId {
    /// Its digits, which are ASCII.
    pub(super) fn digits(self) -> [u8; 16] {
        let mut digits = [b'0'; 16];
        let mut left = self.0;
        for digit in digits.iter_mut().rev() {
            *digit = match (left % 16) as u8 {
                value @ 0..=9 => b'0' + value,
                value => b'A' + (value - 10),
            };
            left /= 16;
        }
        digits
    }

    /// As a header's value.
    pub(super) fn header(self) -> HeaderValue {
        // Digits are a value in any case.
        HeaderValue::from_bytes(&self.digits()).unwrap_or(HeaderValue::from_static(""))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

/// The name of this process, for `HostId` and `x-amz-id-2`.
pub(super) struct HostId {
    text: String,
    header: HeaderValue,
}

impl HostId {
    fn new(text: String) -> Self {
        Self {
            header: HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("")),
            text,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// As a header's value, made once.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

/// Makes request ids: a counter behind a randomly keyed hash, so that an id tells nothing of the others and costs no
/// system call.
pub(super) struct RequestIds {
    /// Which of the process's counters this is.
    series: u64,
    counter: AtomicU64,
    hash: RandomState,
    host_id: HostId,
}

/// How many counters of the process there are.
static SERIES: AtomicU64 = AtomicU64::new(0);

impl RequestIds {
    pub(super) fn new() -> Self {
        let hash = RandomState::new();
        let host_id = (0..4u8)
            .map(|part| format!("{:016x}", hash.hash_one(("host", part))))
            .collect();
        Self {
            series: SERIES.fetch_add(1, Ordering::Relaxed),
            counter: AtomicU64::new(0),
            hash,
            host_id: HostId::new(host_id),
        }
    }

    /// Another counter of the same host, whose ids are others.
    pub(super) fn another(&self) -> Self {
        Self {
            series: SERIES.fetch_add(1, Ordering::Relaxed),
            counter: AtomicU64::new(0),
            hash: self.hash.clone(),
            host_id: HostId::new(self.host_id.text.clone()),
        }
    }

    pub(super) fn next(&self) -> RequestId {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        RequestId(self.hash.hash_one((self.series, number)))
    }

    /// The name of this process, for `HostId` and `x-amz-id-2`.
    pub(super) fn host_id(&self) -> &HostId {
        &self.host_id
    }
}

/// The names under which one answer can be asked after.
#[derive(Clone, Debug)]
pub(super) struct AnswerIds {
    pub(super) request_id: String,
    host_id: String,
}

impl AnswerIds {
    pub(super) fn new(request_id: RequestId, host_id: &HostId) -> Self {
        Self {
            request_id: request_id.to_string(),
            host_id: host_id.text.clone(),
        }
    }

    /// An error's document.
    pub(super) fn document(&self, error: &S3Error) -> Vec<u8> {
        error.to_xml(&self.request_id, &self.host_id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_id_reads_the_same_as_a_header_and_as_a_text() {
        for (number, expected) in [
            (0, "0000000000000000"),
            (0x0123_4567_89ab_cdef, "0123456789ABCDEF"),
            (u64::MAX, "FFFFFFFFFFFFFFFF"),
        ] {
            assert_eq!(RequestId(number).to_string(), expected);
            assert_eq!(RequestId(number).header(), expected);
        }
        let ids = RequestIds::new();
        assert_eq!(ids.host_id().header(), ids.host_id().as_str());
        assert_eq!(ids.host_id().as_str().len(), 64);
    }

    #[test]
    fn ids_are_16_digits_and_differ() {
        let ids = RequestIds::new();
        let others = ids.another();
        assert_eq!(others.host_id().as_str(), ids.host_id().as_str());
        let made = (0..10_000).flat_map(|_| [ids.next().to_string(), others.next().to_string()]);
        let made: HashSet<_> = made.collect();
        assert_eq!(made.len(), 20_000);
        assert!(
            made.iter()
                .all(|id| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()))
        );
    }
}
