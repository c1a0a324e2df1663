//! The limit on requests that are not authenticated, for each source and for all of them.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::types::Network;

/// This machine's addresses speak for all clients of a proxy that is not trusted, so their bound is
/// this many times another source's.
const SHARE_OF_THIS_MACHINE: usize = 4;

/// Requests in flight that no verdict permits, or heads of which only a part has come. A copy is another handle on the same counts. There
/// are at most as many entries as requests.
#[derive(Clone, Debug, Default)]
pub struct Strangers(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_source: HashMap<Network, usize>,
}

/// One request that is not authenticated, for as long as it is in flight.
#[derive(Debug)]
pub struct StrangerSlot {
    strangers: Strangers,
    source: Network,
}

impl Strangers {
    /// Takes one of `most` slots, of which one source may hold `per_source`.
    pub fn take(&self, source: Network, most: usize, per_source: usize) -> Option<StrangerSlot> {
        let per_source = match source.is_this_machine() {
            true => per_source.saturating_mul(SHARE_OF_THIS_MACHINE),
            false => per_source,
        };
        let mut counts = self.locked();
        let held = counts.by_source.get(&source).copied().unwrap_or(0);
        // A source holds no more than is free, so that a few of them leave some to the others.
        if held >= per_source.min(most.saturating_sub(counts.all)) {
            return None;
        }
        counts.all = counts.all.saturating_add(1);
        counts.by_source.insert(source, held.saturating_add(1));
        Some(StrangerSlot {
            strangers: self.clone(),
            source,
        })
    }

    fn locked(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StrangerSlot {
    fn drop(&mut self) {
        let mut counts = self.strangers.locked();
        counts.all = counts.all.saturating_sub(1);
        if let Entry::Occupied(mut held) = counts.by_source.entry(self.source) {
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

    fn network(address: &str) -> Network {
        Network::of(address.parse().unwrap())
    }

    #[test]
    fn a_source_holds_its_bound_and_others_theirs() {
        let strangers = Strangers::default();
        let take = |address: &str| strangers.take(network(address), 20, 2);
        let held = [take("192.0.2.1"), take("192.0.2.1")];
        assert!(held.iter().all(Option::is_some));
        assert!(take("192.0.2.1").is_none() && take("::ffff:192.0.2.1").is_none());
        let other = take("2001:db8::1");
        let same_network = take("2001:db8::2");
        assert!(other.is_some() && same_network.is_some() && take("2001:db8::3").is_none());
        drop(held);
        assert!(take("192.0.2.1").is_some());
    }

    #[test]
    fn this_machine_is_one_bounded_source() {
        let strangers = Strangers::default();
        let addresses = ["127.0.0.1", "127.1.2.3", "::1", "127.0.0.1", "127.9.9.9"];
        let held = addresses.map(|address| strangers.take(network(address), 10, 1));
        assert_eq!(held.iter().flatten().count(), SHARE_OF_THIS_MACHINE);
    }

    #[test]
    fn all_sources_together_have_a_bound_and_leave_nothing_behind() {
        let strangers = Strangers::default();
        let held: Vec<_> = (0..20)
            .filter_map(|host| strangers.take(network(&format!("192.0.2.{host}")), 5, 2))
            .collect();
        assert_eq!(held.len(), 5);
        drop(held);
        let counts = strangers.locked();
        assert!(counts.all == 0 && counts.by_source.is_empty());
    }
}
