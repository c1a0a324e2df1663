//! How many requests each of very many principals has in flight, in constant memory.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::atomic::{AtomicU32, Ordering},
};

/// The counters of one row.
const WIDTH: usize = 4096;

/// Counts by principal, without a lock and without an entry for each of them.
///
/// Each principal has one counter in each of two rows; the smaller one is its count. Two principals
/// share both counters once in 16 million pairs, and are then counted together, so a count is never
/// too low. The hash has a secret of its own: no client can choose to share another's counters.
pub(super) struct Tally {
    hasher: RandomState,
    rows: [Box<[AtomicU32]>; 2],
}

/// The counters of one principal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counters([u16; 2]);

impl Default for Tally {
    fn default() -> Self {
        let row = || (0..WIDTH).map(|_| AtomicU32::new(0)).collect();
        Self {
            hasher: RandomState::new(),
            rows: [row(), row()],
        }
    }
}

impl Tally {
    /// Counts one more, and returns how many there were before.
    pub(super) fn add(&self, principal: &impl Hash) -> (Counters, u32) {
        let hash = self.hasher.hash_one(principal);
        let counters = Counters([column(hash), column(hash >> 32)]);
        let mut before = u32::MAX;
        for counter in self.of(counters) {
            before = before.min(counter.fetch_add(1, Ordering::Relaxed));
        }
        (counters, before)
    }

    /// Counts one less.
    pub(super) fn remove(&self, counters: Counters) {
        for counter in self.of(counters) {
            counter.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn of(&self, Counters(columns): Counters) -> impl Iterator<Item = &AtomicU32> {
        let pairs = self.rows.iter().zip(columns);
        pairs.filter_map(|(row, column)| row.get(usize::from(column)))
    }
}

fn column(hash: u64) -> u16 {
    // The remainder is below 4096.
    (hash % WIDTH as u64) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_principal_has_its_own_count() {
        let tally = Tally::default();
        let (first, before) = tally.add(&"alice");
        assert_eq!(before, 0);
        let (second, before) = tally.add(&"alice");
        assert_eq!(before, 1);
        // 64 others: that one of them shares both of alice's counters happens once in 250,000 runs.
        let others: Vec<_> = (0..64u8).map(|other| tally.add(&[other, 1])).collect();
        assert!(others.iter().filter(|(_, before)| *before > 1).count() <= 1);
        for (counters, _) in others {
            tally.remove(counters);
        }
        tally.remove(first);
        assert_eq!(tally.add(&"alice").1, 1);
        tally.remove(second);
    }

    #[test]
    fn a_count_is_never_too_low() {
        let tally = Tally::default();
        for _ in 0..3 {
            for principal in 0..20_000u32 {
                tally.add(&principal);
            }
        }
        assert!((0..20_000u32).all(|principal| tally.add(&principal).1 >= 3));
    }
}
