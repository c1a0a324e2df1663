//! Listing a bucket in S3's order: by the UTF-8 bytes of whole keys, whatever the order on the disk. A query goes in, one page comes out.
//!
//! `names` sorts one folder (in memory, or on disk where it is too large), `cache` keeps sorted folders while they do not change,
//! `walk` goes through them in order and seeks.

mod cache;
mod external;
mod names;
mod walk;

use crate::{
    clock::Clock,
    store::{ListQuery, Page, StoreError},
    types::{BucketName, CacheCounts},
};

use super::Folders;
use cache::Cache;

/// The most bytes that sorted folders take, all together.
const BUDGET: u64 = 64 * 1024 * 1024;

/// What listings keep from one page to the next.
pub(super) struct Listings {
    cache: Cache,
    clock: Clock,
    budget: u64,
}

impl Listings {
    /// Keeps no more than the usual budget.
    pub(super) fn new() -> Self {
        Self::with_budget(BUDGET)
    }

    /// Keeps no more than these bytes; a folder whose names take more than a quarter of them is sorted on disk.
    pub(super) fn with_budget(budget: u64) -> Self {
        Self {
            cache: Cache::new(budget),
            // Compared with times of the file system, so never a clock that a test has set.
            clock: Clock::system(),
            budget,
        }
    }

    /// How often a sorted folder was at hand, and how often it was read, since the start.
    pub(super) fn counts(&self) -> CacheCounts {
        self.cache.counts()
    }
}

impl Folders {
    /// One page. It may wait for the disk.
    pub(super) fn list(&self, bucket: &BucketName, query: &ListQuery) -> Result<Page, StoreError> {
        let folder = self.open_bucket(bucket)?;
        walk::Walk::new(self, bucket, query).page(folder)
    }
}
