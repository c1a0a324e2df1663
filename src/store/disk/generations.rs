//! Counts of this process's own changes. What is kept of an object or a folder carries the count of
//! the moment before it was read, and no longer holds once that has moved. So the clock of the file
//! system need not tell two of our own changes apart.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

/// So many counts: each stands for whatever falls on it, and one too many is only read again.
const COUNTS: usize = 1024;

/// The counts.
#[derive(Debug)]
pub(super) struct Generations(Box<[AtomicU64]>);

/// A count as it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    slot: usize,
    count: u64,
}

impl Default for Generations {
    fn default() -> Self {
        Self((0..COUNTS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Generations {
    /// The count of something as it stands. Ask before reading what is to be kept.
    pub(super) fn now(&self, of: &impl Hash) -> Generation {
        let slot = self.slot(of);
        Generation {
            slot,
            count: self.count(slot),
        }
    }

    /// Whether nothing has changed since.
    pub(super) fn is_current(&self, generation: Generation) -> bool {
        self.count(generation.slot) == generation.count
    }

    /// Something has changed. Call it after the change and before its answer.
    pub(super) fn changed(&self, what: &impl Hash) {
        if let Some(count) = self.0.get(self.slot(what)) {
            count.fetch_add(1, Ordering::Release);
        }
    }

    fn count(&self, slot: usize) -> u64 {
        self.0.get(slot).map_or(0, |count| count.load(Ordering::Acquire))
    }

    fn slot(&self, of: &impl Hash) -> usize {
        let mut hash = DefaultHasher::new();
        of.hash(&mut hash);
        usize::try_from(hash.finish() % COUNTS as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_ends_the_generation_of_what_changed() {
        let generations = Generations::default();
        let (one, other) = (generations.now(&"one"), generations.now(&"other"));
        assert!(generations.is_current(one));
        generations.changed(&"one");
        assert!(!generations.is_current(one) && generations.is_current(other));
        assert!(generations.is_current(generations.now(&"one")));
    }
}
