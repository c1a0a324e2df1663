//! How often each source failed to authenticate lately.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::types::Network;

/// After so long a source's count begins again.
const A_MINUTE: Duration = Duration::from_secs(60);
/// The most sources that are kept. With more, those that failed least are forgotten.
const MOST_ADDRESSES: usize = 16_384;
/// This machine's addresses speak for all clients of a proxy that is not trusted, so their bound is
/// this many times another source's.
const SHARE_OF_THIS_MACHINE: u32 = 10;

/// Failed authentications by source. Only failures are counted: a request whose signature holds never
/// waits for what others of its address do.
#[derive(Debug, Default)]
pub(in crate::gateway) struct FailedAuthentications(Mutex<HashMap<Network, Count>>);

#[derive(Debug)]
struct Count {
    /// How many within this minute.
    failures: u32,
    /// When it began.
    since: Instant,
}

impl FailedAuthentications {
    /// Records a failure. Returns whether the source has used up the `most` of this minute; 0 is no limit.
    pub(in crate::gateway) fn record(&self, network: Network, most: u32, now: Instant) -> bool {
        if most == 0 {
            return false;
        }
        let most = match network.is_this_machine() {
            true => most.saturating_mul(SHARE_OF_THIS_MACHINE),
            false => most,
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_by_network_and_minute() {
        let (failures, start) = (FailedAuthentications::default(), Instant::now());
        let over = |address: &str, at: u64| {
            let source = Network::of(address.parse().unwrap());
            failures.record(source, 2, start + Duration::from_secs(at))
        };
        assert!(!over("192.0.2.1", 0) && !over("192.0.2.1", 1));
        assert!(over("192.0.2.1", 2) && over("192.0.2.1", 59));
        assert!(!over("192.0.2.2", 2), "another address");
        assert!(!over("192.0.2.1", 60), "another minute");
        assert!(!over("2001:db8::1", 0) && !over("2001:db8::2", 0) && over("2001:db8::3", 0));
    }

    #[test]
    fn this_machine_has_a_bound_too() {
        let (failures, start) = (FailedAuthentications::default(), Instant::now());
        let source = Network::of("127.0.0.1".parse().unwrap());
        assert!((0..20).all(|_| !failures.record(source, 2, start)));
        assert!(failures.record(source, 2, start));
        let other = Network::of("192.0.2.9".parse().unwrap());
        assert!((0..9).all(|_| !failures.record(other, 0, start)), "0 is no limit");
    }

    #[test]
    fn many_addresses_take_no_more_room_and_the_worst_are_kept() {
        let (failures, now) = (FailedAuthentications::default(), Instant::now());
        let worst = Network::of("203.0.113.1".parse().unwrap());
        (0..10).for_each(|_| _ = failures.record(worst, 5, now));
        for number in 0..40_000u32 {
            let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
            failures.record(Network::of(address.into()), 5, now);
        }
        assert!(failures.0.lock().unwrap().len() <= MOST_ADDRESSES);
        assert!(failures.record(worst, 5, now));
    }
}
