//! Sorted folders, kept while they do not change: a folder's identity and time go in, its names come out if they are those of that time.

use std::{fs::File, io, sync::Arc};

use quick_cache::{Weighter, sync};
use time::OffsetDateTime;

use crate::{
    store::disk::version::Version,
    types::{CacheCounts, CacheUse},
};

use super::names::Names;

/// What an entry takes besides its names.
const OVERHEAD: u64 = 128;

#[derive(Clone)]
struct Weight;

impl Weighter<Version, Arc<Names>> for Weight {
    fn weight(&self, _: &Version, names: &Arc<Names>) -> u64 {
        names.weight().saturating_add(OVERHEAD)
    }
}

/// The folders that were sorted last, within a budget of bytes.
pub(super) struct Cache {
    kept: sync::Cache<Version, Arc<Names>, Weight>,
    used: CacheUse,
}

impl Cache {
    pub(super) fn new(budget: u64) -> Self {
        // One shard, so that one large folder may take all of it.
        let options = quick_cache::OptionsBuilder::new()
            .estimated_items_capacity(1024)
            .weight_capacity(budget)
            .shards(1)
            .build();
        let kept = match options {
            Ok(options) => sync::Cache::with_options(
                options,
                Weight,
                Default::default(),
                sync::DefaultLifecycle::default(),
            ),
            Err(_) => sync::Cache::with_weighter(1024, budget, Weight),
        };
        Self {
            kept,
            used: CacheUse::default(),
        }
    }

    /// The names of an open folder: kept ones, or those that `read` finds.
    pub(super) fn names(
        &self,
        folder: &File,
        now: impl Fn() -> OffsetDateTime,
        read: impl FnOnce() -> io::Result<Names>,
    ) -> io::Result<Arc<Names>> {
        let version = Version::of(&folder.metadata()?);
        if let Some(kept) = self.kept.get(&version) {
            self.used.hit();
            return Ok(kept);
        }
        self.used.miss();
        let settled = version.is_settled(now());
        let names = Arc::new(read()?);
        // Changed while it was read: what was found may be neither the one nor the other.
        if settled && Version::of(&folder.metadata()?) == version {
            self.kept.insert(version, names.clone());
        }
        Ok(names)
    }

    /// How often a folder was at hand, and how often it was read.
    pub(super) fn counts(&self) -> CacheCounts {
        self.used.counts()
    }
}
