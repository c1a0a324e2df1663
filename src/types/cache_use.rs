//! How much good a cache does.

use super::InPieces;

/// Counts how often a cache held what was asked of it. Counting is one addition without a lock.
#[derive(Debug, Default)]
pub struct CacheUse {
    hits: InPieces,
    misses: InPieces,
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// How often it held what was asked.
    pub hits: u64,
    /// How often it did not.
    pub misses: u64,
}

impl CacheUse {
    /// It held what was asked.
    pub fn hit(&self) {
        self.hits.add(1);
    }

    /// It did not.
    pub fn miss(&self) {
        self.misses.add(1);
    }

    /// What was counted so far.
    pub fn counts(&self) -> CacheCounts {
        CacheCounts {
            hits: self.hits.sum(),
            misses: self.misses.sum(),
        }
    }
}
