//! How many connections each address has. An address goes in; a place for one more connection comes out, or none.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::types::{Client, Network, Peer, TrustedProxies};

/// Counts connections by address. A copy is another handle on the same. It holds as many entries as there are connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses {
    counts: Arc<Mutex<HashMap<Network, usize>>>,
    most: usize,
}

/// One connection of an address, for as long as it is there.
#[derive(Debug)]
pub(super) struct Place(Option<(Addresses, Network)>);

impl Addresses {
    /// `most` connections of each; 0: as many as there are.
    pub(super) fn new(most: usize) -> Self {
        Self {
            counts: Arc::default(),
            most,
        }
    }

    /// One more connection. A proxy that is trusted, and this machine itself, speak for others and are not counted.
    pub(super) fn take(&self, peer: &Peer, proxies: &TrustedProxies) -> Option<Place> {
        let address = Client::from(*peer).address;
        match self.most == 0 || address.is_loopback() || proxies.contains(address) {
            true => Some(Place(None)),
            false => self.count(address),
        }
    }

    fn count(&self, address: IpAddr) -> Option<Place> {
        let network = Network::of(address);
        let mut counts = self.locked();
        let count = counts.entry(network).or_default();
        if *count >= self.most {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Place(Some((self.clone(), network))))
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((addresses, network)) = self.0.take() else {
            return;
        };
        if let Entry::Occupied(mut count) = addresses.locked().entry(network) {
            match count.get().checked_sub(1) {
                None | Some(0) => _ = count.remove(),
                Some(left) => *count.get_mut() = left,
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
        let (addresses, proxies) = (Addresses::new(2), TrustedProxies::default());
        let take = |address| addresses.take(&peer(address), &proxies);
        let (first, second) = (take("192.0.2.1"), take("192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(take("192.0.2.1").is_none());
        assert!(
            take("::ffff:192.0.2.1").is_none(),
            "the same address, written otherwise"
        );
        assert!(
            take("192.0.2.2").is_some(),
            "another address has places of its own"
        );
        drop(first);
        assert!(take("192.0.2.1").is_some());
        drop(second);
        assert!(addresses.locked().is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn an_ipv6_address_counts_by_its_network_and_proxies_and_this_machine_do_not() {
        let (addresses, proxies) = (
            Addresses::new(1),
            TrustedProxies::parse(["198.51.100.0/24"]).unwrap(),
        );
        let take = |address| addresses.take(&peer(address), &proxies);
        let _kept = take("2001:db8::1").unwrap();
        assert!(take("2001:db8::2").is_none());
        assert!(take("2001:db8:0:1::1").is_some());
        for free in ["127.0.0.1", "::1", "198.51.100.7"] {
            let places: Vec<_> = (0..3).map(|_| take(free)).collect();
            assert!(places.iter().all(Option::is_some), "{free}");
        }
        let unlimited = Addresses::new(0);
        let places: Vec<_> = (0..3)
            .map(|_| unlimited.take(&peer("192.0.2.1"), &proxies))
            .collect();
        assert!(places.iter().all(Option::is_some));
    }
}
