//! Listing a bucket in S3's order: by the UTF-8 bytes of whole keys, whatever the order on the disk. A query goes in, one page comes out.
//!
//! `names` sorts one folder (in memory, or on disk where it is too large), `cache` keeps sorted folders while they do not change,
//! `walk` goes through them in order and seeks.

mod cache;
mod external;
mod names;
mod walk;

use std::sync::Arc;

use crate::{
    store::{ListQuery, Page, StoreError},
    types::{BucketName, CacheCounts},
};

use super::{Folders, generations::Generations, grain::Grains};
use cache::Cache;

/// The most bytes that sorted folders take, all together.
const BUDGET: u64 = 64 * 1024 * 1024;

/// What listings keep from one page to the next.
pub(super) struct Listings {
    cache: Cache,
    budget: u64,
}

impl Listings {
    /// Keeps no more than the usual budget.
    pub(super) fn new(generations: Arc<Generations>, grains: Arc<Grains>) -> Self {
        Self::with_budget(BUDGET, generations, grains)
    }

    /// Keeps no more than these bytes; a folder whose names take more than a quarter of them is sorted
    /// on disk.
    pub(super) fn with_budget(budget: u64, generations: Arc<Generations>, grains: Arc<Grains>) -> Self {
        Self {
            cache: Cache::new(budget, generations, grains),
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
