//! How many connections each source has.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::types::{Client, Network, Peer, TrustedProxies};

/// A source may have this many times as many connections as are free. So one source alone has at
/// most a half of all, and each further one at most a half of what is left.
const WEIGHT: usize = 1;
/// This machine's addresses and a trusted proxy speak for others, so one of them alone may have
/// nine tenths.
const WEIGHT_OF_PROXY: usize = 9;

/// Counts connections by source. A copy is another handle on the same counts. It holds as many
/// entries as there are connections.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    counts: Arc<Mutex<Counts>>,
    most: usize,
    most_per_address: usize,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_source: HashMap<Network, usize>,
}

/// One connection of a source, for as long as it is there.
#[derive(Debug)]
pub(super) struct Place(Addresses, Network);

impl Addresses {
    /// `most` connections in all, `most_per_address` of each source; 0: no bound but the share.
    pub(super) fn new(most: usize, most_per_address: usize) -> Self {
        Self {
            counts: Arc::default(),
            most,
            most_per_address,
        }
    }

    /// Counts one more connection, unless its source has as many as it may.
    pub(super) fn take(&self, peer: &Peer, proxies: &TrustedProxies) -> Option<Place> {
        let address = Client::from(*peer).address;
        let source = Network::of(address);
        let speaks_for_others = source.is_this_machine() || proxies.contains(address);
        let mut counts = self.locked();
        let free = self.most.saturating_sub(counts.all);
        let bound = match speaks_for_others {
            true => free.saturating_mul(WEIGHT_OF_PROXY),
            false if self.most_per_address == 0 => free.saturating_mul(WEIGHT),
            false => free.saturating_mul(WEIGHT).min(self.most_per_address),
        };
        let held = counts.by_source.get(&source).copied().unwrap_or(0);
        if held >= bound {
            return None;
        }
        counts.all = counts.all.saturating_add(1);
        counts.by_source.insert(source, held.saturating_add(1));
        Some(Place(self.clone(), source))
    }

    fn locked(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Self(addresses, source) = self;
        let mut counts = addresses.locked();
        counts.all = counts.all.saturating_sub(1);
        if let Entry::Occupied(mut held) = counts.by_source.entry(*source) {
            match held.get().checked_sub(1) {
                None | Some(0) => _ = held.remove(),
                Some(left) => *held.get_mut() = left,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::plain(std::net::SocketAddr::new(address.parse().unwrap(), 1))
    }

    #[test]
    fn an_address_has_so_many_places_and_gets_back_what_it_gives_up() {
        let (addresses, proxies) = (Addresses::new(100, 2), TrustedProxies::default());
        let take = |address| addresses.take(&peer(address), &proxies);
        let (first, second) = (take("192.0.2.1"), take("192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(take("192.0.2.1").is_none());
        assert!(
            take("::ffff:192.0.2.1").is_none(),
            "the same address, written differently"
        );
        assert!(
            take("192.0.2.2").is_some(),
            "another address has places of its own"
        );
        drop(first);
        assert!(take("192.0.2.1").is_some());
        drop(second);
        let counts = addresses.locked();
        assert!(
            counts.all == 0 && counts.by_source.is_empty(),
            "nothing is left behind"
        );
    }

    #[test]
    fn an_ipv6_address_counts_by_its_network() {
        let (addresses, proxies) = (Addresses::new(100, 1), TrustedProxies::default());
        let take = |address| addresses.take(&peer(address), &proxies);
        let _kept = take("2001:db8::1").unwrap();
        assert!(take("2001:db8::2").is_none());
        assert!(take("2001:db8:0:1::1").is_some());
    }

    #[test]
    fn no_source_is_exempt_and_none_takes_all() {
        let proxies = TrustedProxies::parse(["198.51.100.0/24"]).unwrap();
        for (address, most_per_address, expected) in [
            ("127.0.0.1", 5, 90),
            ("::1", 5, 90),
            ("198.51.100.7", 5, 90),
            ("192.0.2.1", 0, 50),
            ("192.0.2.1", 5, 5),
        ] {
            let addresses = Addresses::new(100, most_per_address);
            let held: Vec<_> = std::iter::from_fn(|| addresses.take(&peer(address), &proxies)).collect();
            assert_eq!(held.len(), expected, "{address}");
            assert!(addresses.take(&peer("203.0.113.9"), &proxies).is_some());
        }
    }

    #[test]
    fn many_sources_leave_room_for_one_more() {
        let (addresses, proxies) = (Addresses::new(1000, 200), TrustedProxies::default());
        let mut held = Vec::new();
        for host in 1..=8 {
            let address = format!("192.0.2.{host}");
            held.extend(std::iter::from_fn(|| addresses.take(&peer(&address), &proxies)));
        }
        let other: Vec<_> = std::iter::from_fn(|| addresses.take(&peer("203.0.113.9"), &proxies)).collect();
        assert!(other.len() >= 5, "{} {}", held.len(), other.len());
    }
}
