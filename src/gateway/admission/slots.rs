//! The limit on permitted requests in flight, and each principal's share of it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::{
    metrics::Limit,
    types::{LinkId, Network},
};

use super::tally::{Counters, Tally};

/// A principal may hold this many times as many slots as are free. So a source or a link alone gets
/// a half of all, this machine or a signer alone three quarters, and each further principal the
/// same share of what is left.
const WEIGHT: usize = 1;
/// This machine's addresses speak for all clients of a proxy that is not trusted.
const WEIGHT_OF_THIS_MACHINE: usize = 3;
/// Often one signer signs all links of an application.
const WEIGHT_OF_SIGNER: usize = 3;

/// Permitted requests in flight.
#[derive(Default)]
pub(super) struct Slots {
    taken: AtomicUsize,
    sources: Tally,
    signers: Tally,
    links: Tally,
}

/// By whom a request is made.
pub(super) struct Principals<'p> {
    pub(super) source: Network,
    pub(super) signer: &'p str,
    /// The presigned link, where it is one.
    pub(super) link: Option<LinkId>,
}

/// Which limit leaves no slot for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Exceeded {
    /// All slots are taken.
    All,
    /// The source holds its share.
    Source,
    /// The signer holds its share.
    Signer,
    /// The link holds its share.
    Link,
}

impl Exceeded {
    /// What to tell an operator.
    pub(in crate::gateway) fn reason(self) -> &'static str {
        match self {
            Self::All => "as many requests are in flight as there may be",
            Self::Source => "this address holds its share of the requests in flight",
            Self::Signer => "this signer holds its share of the requests in flight",
            Self::Link => "this link holds its share of the requests in flight",
        }
    }

    /// The limit, for metrics.
    pub(in crate::gateway) fn limit(self) -> Limit {
        match self {
            Self::All => Limit::Requests,
            Self::Source => Limit::RequestsPerSource,
            Self::Signer => Limit::RequestsPerSigner,
            Self::Link => Limit::RequestsPerLink,
        }
    }
}

/// One permitted request, for as long as it is in flight.
pub(in crate::gateway) struct Slot {
    slots: Arc<Slots>,
    source: Option<Counters>,
    signer: Option<Counters>,
    link: Option<Counters>,
}

impl Slots {
    /// Takes one of `most` slots.
    pub(super) fn take(self: &Arc<Self>, by: &Principals<'_>, most: usize) -> Result<Slot, Exceeded> {
        // Each count is taken before it is compared: two requests at once never get one slot. When
        // one is over its bound, dropping the slot gives everything back.
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        let mut slot = Slot {
            slots: self.clone(),
            source: None,
            signer: None,
            link: None,
        };
        let free = match most.checked_sub(taken) {
            None | Some(0) => return Err(Exceeded::All),
            Some(free) => free,
        };
        let within = |held: u32, weight: usize| held as usize <= free.saturating_mul(weight);
        let (counters, held) = self.sources.add(&by.source);
        slot.source = Some(counters);
        let weight = match by.source.is_this_machine() {
            true => WEIGHT_OF_THIS_MACHINE,
            false => WEIGHT,
        };
        if !within(held, weight) {
            return Err(Exceeded::Source);
        }
        let (counters, held) = self.signers.add(&by.signer);
        slot.signer = Some(counters);
        if !within(held, WEIGHT_OF_SIGNER) {
            return Err(Exceeded::Signer);
        }
        if let Some(link) = &by.link {
            let (counters, held) = self.links.add(link);
            slot.link = Some(counters);
            if !within(held, WEIGHT) {
                return Err(Exceeded::Link);
            }
        }
        Ok(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let slots = &self.slots;
        for (tally, counters) in [
            (&slots.sources, self.source),
            (&slots.signers, self.signer),
            (&slots.links, self.link),
        ] {
            if let Some(counters) = counters {
                tally.remove(counters);
            }
        }
        slots.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        Network::of(address.parse().unwrap())
    }

    fn link(digit: char) -> LinkId {
        let signature = String::from(digit).repeat(64);
        crate::types::Signature::parse(&signature).unwrap().link_id()
    }

    /// Takes as many as it gets.
    fn fill(slots: &Arc<Slots>, by: &Principals<'_>, most: usize) -> (Vec<Slot>, Exceeded) {
        let mut held = Vec::new();
        loop {
            match slots.take(by, most) {
                Ok(slot) => held.push(slot),
                Err(exceeded) => return (held, exceeded),
            }
        }
    }

    #[test]
    fn no_principal_takes_every_slot() {
        let alone = |source: &str, link: Option<LinkId>| {
            let slots = Arc::new(Slots::default());
            let by = Principals {
                source: network(source),
                signer: "alice",
                link,
            };
            let (held, exceeded) = fill(&slots, &by, 400);
            (held.len(), exceeded)
        };
        assert_eq!(alone("192.0.2.1", None), (201, Exceeded::Source));
        assert_eq!(alone("127.0.0.1", None), (301, Exceeded::Source));
        assert_eq!(alone("127.0.0.1", Some(link('a'))), (201, Exceeded::Link));
    }

    #[test]
    fn many_sources_of_one_link_leave_room_for_others() {
        let slots = Arc::new(Slots::default());
        let mut held = Vec::new();
        for host in 1..=200 {
            let by = Principals {
                source: network(&format!("192.0.2.{host}")),
                signer: "mallory",
                link: Some(link('b')),
            };
            held.extend(fill(&slots, &by, 400).0);
        }
        assert_eq!(held.len(), 201);
        let other = Principals {
            source: network("198.51.100.1"),
            signer: "alice",
            link: Some(link('c')),
        };
        let (others, exceeded) = fill(&slots, &other, 400);
        assert!(others.len() >= 50, "{} {exceeded:?}", others.len());
    }

    #[test]
    fn many_links_and_sources_of_one_signer_leave_room() {
        let slots = Arc::new(Slots::default());
        let mut held = Vec::new();
        for (host, digit) in (1..=15).zip("123456789abcdef".chars()) {
            let by = Principals {
                source: network(&format!("192.0.2.{host}")),
                signer: "mallory",
                link: Some(link(digit)),
            };
            held.extend(fill(&slots, &by, 400).0);
        }
        assert!(held.len() <= 301, "{}", held.len());
        let other = Principals {
            source: network("198.51.100.1"),
            signer: "alice",
            link: None,
        };
        assert!(slots.take(&other, 400).is_ok());
    }

    #[test]
    fn what_is_given_back_is_free_again() {
        let slots = Arc::new(Slots::default());
        let by = Principals {
            source: network("2001:db8::1"),
            signer: "alice",
            link: Some(link('d')),
        };
        for _ in 0..3 {
            let (held, exceeded) = fill(&slots, &by, 2);
            assert_eq!((held.len(), exceeded), (2, Exceeded::All));
        }
        assert_eq!(slots.taken.load(Ordering::Relaxed), 0);
    }
}
