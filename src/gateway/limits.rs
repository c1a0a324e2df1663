//! How much may be asked at once, and how often somebody may fail to prove who he is.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::{HeaderName, header};

use crate::types::{Network, RequestHead};

use super::{Failure, pace::LowestRate, payload::too_large};

/// What is counted of addresses that failed is forgotten after so long.
const A_MINUTE: Duration = Duration::from_secs(60);
/// The most addresses that are kept. With more, those that failed least are forgotten.
const MOST_ADDRESSES: usize = 16_384;

/// What an operator may set of how much may be asked of the gateway: `[limits]`, as far as requests go.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The most requests at once, from their heads to the last bytes of their answers; more hear 503 SlowDown.
    pub requests: usize,
    /// The most bytes that one request may bring.
    pub upload_bytes: u64,
    /// The slowest that a body may come.
    pub lowest_rate: LowestRate,
    /// How many signatures that do not hold, or of keys that nobody has, one address may send in a minute before it hears 503 SlowDown to each further
    /// one; 0: as many as it likes.
    pub failed_authentications: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 4_000,
            upload_bytes: 5 * 1024 * 1024 * 1024,
            lowest_rate: LowestRate::default(),
            failed_authentications: 300,
        }
    }
}

/// How many requests there are. A copy is another handle on the same.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<AtomicUsize>);

/// One request, for as long as it is there.
#[derive(Debug)]
pub(super) struct Place(InFlight);

impl InFlight {
    /// One more, where there are fewer than `most`.
    pub(super) fn take(&self, most: usize) -> Option<Place> {
        let place = Place(self.clone());
        // Counted first: two that come at once never take one place. Where there is none, dropping it takes it back.
        (self.0.fetch_add(1, Ordering::Relaxed) < most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Who failed how often. Only failures look here: whoever's signature holds is never kept waiting for what others of the same address do.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<Network, Count>>);

#[derive(Debug)]
struct Count {
    /// How many within this minute.
    failures: u32,
    /// When it began.
    since: Instant,
}

impl Failures {
    /// One more failure of an address. `true`: it had used up what it may do in a minute. This machine's own addresses have no limit: a proxy here that is
    /// not trusted would speak for everybody.
    pub(super) fn is_over(&self, address: IpAddr, most: u32, now: Instant) -> bool {
        if most == 0 || address.is_loopback() {
            return false;
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let network = Network::of(address);
        if counts.len() >= MOST_ADDRESSES && !counts.contains_key(&network) {
            counts.retain(|_, count| !count.is_over(now));
            forget_the_least(&mut counts);
        }
        let count = counts.entry(network).or_insert(Count {
            failures: 0,
            since: now,
        });
        if count.is_over(now) {
            *count = Count {
                failures: 0,
                since: now,
            };
        }
        count.failures = count.failures.saturating_add(1);
        count.failures > most
    }
}

impl Count {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= A_MINUTE
    }
}

/// Makes room: half of the addresses go, those with the fewest failures.
fn forget_the_least(counts: &mut HashMap<Network, Count>) {
    if counts.len() < MOST_ADDRESSES {
        return;
    }
    let mut failures: Vec<u32> = counts.values().map(|count| count.failures).collect();
    let half = failures.len() / 2;
    let (_, middle, _) = failures.select_nth_unstable(half);
    let middle = *middle;
    let mut left = half;
    counts.retain(|_, count| {
        let goes = count.failures <= middle && left > 0;
        left = left.saturating_sub(usize::from(goes));
        !goes
    });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_places_and_one_that_is_left_is_free_again() {
        let in_flight = InFlight::default();
        let (first, second) = (in_flight.take(2), in_flight.take(2));
        assert!(first.is_some() && second.is_some());
        assert!(in_flight.take(2).is_none() && in_flight.take(2).is_none());
        drop(first);
        assert!(in_flight.take(2).is_some(), "a refusal takes no place");
    }

    #[test]
    fn failures_count_by_network_and_minute() {
        let (failures, start) = (Failures::default(), Instant::now());
        let is_over = |address: &str, at: u64| {
            failures.is_over(address.parse().unwrap(), 2, start + Duration::from_secs(at))
        };
        assert!(!is_over("192.0.2.1", 0) && !is_over("192.0.2.1", 1));
        assert!(is_over("192.0.2.1", 2) && is_over("192.0.2.1", 59));
        assert!(!is_over("192.0.2.2", 2), "another address");
        assert!(!is_over("192.0.2.1", 60), "another minute");
        assert!(!is_over("2001:db8::1", 0) && !is_over("2001:db8::2", 0) && is_over("2001:db8::3", 0));
        assert!((0..9).all(|_| !is_over("127.0.0.1", 0)), "this machine");
        assert!((0..9).all(|_| !failures.is_over("192.0.2.9".parse().unwrap(), 0, start)));
    }

    #[test]
    fn many_addresses_take_no_more_room_and_the_worst_are_kept() {
        let (failures, now) = (Failures::default(), Instant::now());
        let worst: IpAddr = "203.0.113.1".parse().unwrap();
        (0..10).for_each(|_| _ = failures.is_over(worst, 5, now));
        for number in 0..40_000u32 {
            let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
            failures.is_over(address.into(), 5, now);
        }
        assert!(failures.0.lock().unwrap().len() <= MOST_ADDRESSES);
        assert!(failures.is_over(worst, 5, now));
    }
}
