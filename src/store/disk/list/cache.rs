//! Sorted folders, kept while they do not change: neither by their times nor by this process.

use std::{fs::File, hash::Hash, io, sync::Arc};

use quick_cache::{Weighter, sync};

use crate::{
    clock::Clock,
    store::disk::{
        generations::{Generation, Generations},
        grain::Grains,
        version::Version,
    },
    types::{CacheCounts, CacheUse},
};

use super::names::Names;

/// What an entry takes besides its names.
const OVERHEAD: u64 = 128;

#[derive(Clone)]
struct Weight;

impl Weighter<Version, (Generation, Arc<Names>)> for Weight {
    fn weight(&self, _: &Version, (_, names): &(Generation, Arc<Names>)) -> u64 {
        names.weight().saturating_add(OVERHEAD)
    }
}

/// The folders that were sorted last, within a budget of bytes.
pub(super) struct Cache {
    kept: sync::Cache<Version, (Generation, Arc<Names>), Weight>,
    used: CacheUse,
    /// Compared with times of the file system, so never a clock that a test has set.
    clock: Clock,
    generations: Arc<Generations>,
    grains: Arc<Grains>,
}

impl Cache {
    pub(super) fn new(budget: u64, generations: Arc<Generations>, grains: Arc<Grains>) -> Self {
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
            clock: Clock::system(),
            generations,
            grains,
        }
    }

    /// The names of an open folder: kept ones, or those that `read` finds. `changes` is what this
    /// process's own changes in it are counted by.
    pub(super) fn names(
        &self,
        folder: &File,
        changes: &impl Hash,
        read: impl FnOnce() -> io::Result<Names>,
    ) -> io::Result<Arc<Names>> {
        let generation = self.generations.now(changes);
        let version = Version::of(&folder.metadata()?);
        if let Some((at, kept)) = self.kept.get(&version)
            && at == generation
        {
            self.used.hit();
            return Ok(kept);
        }
        self.used.miss();
        let settled = version.is_settled(self.clock.now(), self.grains.of(version.device()));
        let names = Arc::new(read()?);
        // Changed while it was read: what was found may be neither the one nor the other.
        if settled && !names.is_of_several_folders() && Version::of(&folder.metadata()?) == version {
            self.kept.insert(version, (generation, names.clone()));
        }
        Ok(names)
    }

    /// How often a folder was at hand, and how often it was read.
    pub(super) fn counts(&self) -> CacheCounts {
        self.used.counts()
    }
}
