//! The signing keys derived under one snapshot. They live and die with it, so a key taken out of the policy leaves nothing behind. A
//! hit copies 32 bytes and allocates nothing; when the cache is full, one thread makes room while the others derive without storing.

use std::{
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use dashmap::DashMap;

use crate::types::{CacheUse, SigningKey};

/// The most signing keys that one snapshot keeps: some 10 MB.
pub(super) const MAX_SIGNING_KEYS: usize = 65_536;

/// The cache. Never more than its limit, at no moment.
pub(super) struct SigningKeys {
    limit: usize,
    /// Places taken, reserved before an entry is put in.
    taken: AtomicUsize,
    making_room: AtomicBool,
    keys: DashMap<Scope, SigningKey>,
    /// Outlives the snapshot.
    used: Arc<CacheUse>,
}

/// A key, a day and a region, of fixed size so that looking up allocates nothing.
#[derive(Clone, Copy)]
pub(super) struct Scope {
    key: usize,
    date: [u8; 8],
    region: [u8; 64],
    region_length: usize,
}

impl Scope {
    /// None where the date or region has no such form; then nothing is kept.
    pub(super) fn new(key: usize, date: &str, region: &str) -> Option<Self> {
        let mut padded = [0; 64];
        padded.get_mut(..region.len())?.copy_from_slice(region.as_bytes());
        Some(Self {
            key,
            date: date.as_bytes().try_into().ok()?,
            region: padded,
            region_length: region.len(),
        })
    }

    fn parts(&self) -> (usize, [u8; 8], &[u8]) {
        (
            self.key,
            self.date,
            self.region.get(..self.region_length).unwrap_or(&self.region),
        )
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Scope {}

impl Hash for Scope {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The padding is not hashed: most regions are a dozen bytes.
        self.parts().hash(state);
    }
}

impl SigningKeys {
    pub(super) fn with_limit(limit: usize, used: Arc<CacheUse>) -> Self {
        Self {
            limit,
            taken: AtomicUsize::new(0),
            making_room: AtomicBool::new(false),
            keys: DashMap::new(),
            used,
        }
    }

    /// The key for a scope, derived where it is not kept yet.
    pub(super) fn find_or_derive(
        &self,
        scope: Option<Scope>,
        derive: impl FnOnce() -> SigningKey,
    ) -> SigningKey {
        let Some(scope) = scope else {
            self.used.miss();
            return derive();
        };
        if let Some(found) = self.keys.get(&scope) {
            self.used.hit();
            return found.clone();
        }
        self.used.miss();
        let derived = derive();
        if self.reserve() && self.keys.insert(scope, derived.clone()).is_some() {
            // Another thread stored the same key in the meantime.
            self.taken.fetch_sub(1, Ordering::Relaxed);
        }
        derived
    }

    fn reserve(&self) -> bool {
        if self.take_place() {
            return true;
        }
        if self.making_room.swap(true, Ordering::Acquire) {
            return false;
        }
        self.make_room();
        self.making_room.store(false, Ordering::Release);
        self.take_place()
    }

    fn take_place(&self) -> bool {
        let place = |taken: usize| (taken < self.limit).then_some(taken + 1);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, place)
            .is_ok()
    }

    /// Drops every other entry. Which ones does not matter: a key in use comes back at its next request.
    fn make_room(&self) {
        let (mut seen, mut dropped) = (0_usize, 0);
        self.keys.retain(|_, _| {
            seen += 1;
            let kept = seen.is_multiple_of(2);
            dropped += usize::from(!kept);
            kept
        });
        self.taken.fetch_sub(dropped, Ordering::Relaxed);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: usize) -> SigningKey {
        SigningKey::new([u8::try_from(byte % 256).unwrap(); 32])
    }

    fn never() -> SigningKey {
        panic!("it is kept")
    }

    #[test]
    fn a_kept_key_is_not_derived_again_and_scopes_do_not_mix() {
        let keys = SigningKeys::with_limit(16, Arc::default());
        let scope = |index, date, region| Scope::new(index, date, region);
        let scopes = [
            scope(0, "20261123", "us-east-1"),
            scope(1, "20261123", "us-east-1"),
            scope(0, "20261124", "us-east-1"),
            scope(0, "20261123", "us-east-2"),
            scope(0, "20261123", "us-east-1\0"),
        ];
        for (n, scope) in scopes.into_iter().enumerate() {
            keys.find_or_derive(scope, || key(n));
        }
        for (n, scope) in scopes.into_iter().enumerate() {
            assert_eq!(keys.find_or_derive(scope, never).expose(), key(n).expose());
        }
        let counted = keys.used.counts();
        assert_eq!((counted.hits, counted.misses), (5, 5));
    }

    #[test]
    fn the_cache_never_holds_more_than_its_limit_however_many_ask() {
        let keys = SigningKeys::with_limit(64, Arc::default());
        std::thread::scope(|threads| {
            for thread in 0..4 {
                let keys = &keys;
                threads.spawn(move || {
                    for n in 0..2_000 {
                        // Half of the scopes are asked by every thread.
                        let index = if n % 2 == 0 { n } else { n * 4 + thread };
                        let found =
                            keys.find_or_derive(Scope::new(index, "20261123", "us-east-1"), || key(index));
                        assert_eq!(found.expose(), key(index).expose());
                        // The map's own length is summed shard by shard, so it is exact only once all is quiet.
                        assert!(keys.taken.load(Ordering::Relaxed) <= 64);
                    }
                });
            }
        });
        assert_eq!(
            keys.taken.load(Ordering::Relaxed),
            keys.len(),
            "places and entries agree once all is quiet"
        );
        assert!(keys.len() >= 32, "full, it still keeps what comes");
    }

    #[test]
    fn scopes_of_no_known_form_are_derived_and_not_kept() {
        let keys = SigningKeys::with_limit(4, Arc::default());
        for (date, region) in [
            ("2026112", "r"),
            ("202611233", "r"),
            ("20261123", &"r".repeat(65)),
        ] {
            assert!(Scope::new(0, date, region).is_none());
            keys.find_or_derive(Scope::new(0, date, region), || key(1));
        }
        assert_eq!(keys.len(), 0);
    }
}
