//! A cache of objects' attributes, by the state of their files. It saves a system call for each
//! request, and making every text of them again.

use std::{
    fs::{File, Metadata},
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use quick_cache::{Weighter, sync::Cache};

use crate::{
    clock::Clock,
    types::{CacheCounts, CacheUse, ObjectAttributes, ObjectKey, Properties},
};

use super::{
    generations::{Generation, Generations},
    grain::Grains,
    record::RecordName,
    version::Version,
};

/// The most bytes that all of it takes, about.
const BUDGET: u64 = 4 * 1024 * 1024;
/// What an entry takes besides its texts.
const OVERHEAD: usize = 640;
/// What a pair of texts takes besides them.
const PAIR: usize = 64;
/// How many entries it is made ready for.
const ENTRIES: usize = 1024;

/// The attributes of files, within a budget of bytes.
pub(super) struct Known {
    kept: Cache<Version, Arc<Entry>, Weight>,
    used: CacheUse,
    clock: Clock,
    generations: Arc<Generations>,
    grains: Arc<Grains>,
    /// Was a file changed that looked the same afterwards? Then its times tell nothing, and nothing is kept any more.
    distrusted: AtomicBool,
}

struct Entry {
    /// A file can have several names, and the type of what was dropped in comes from its name.
    key: ObjectKey,
    /// The count of this process's changes of the object, from before it was read.
    generation: Generation,
    found: FoundAttributes,
}

/// An object's attributes, and the file that holds their record, if it is another than the object's.
#[derive(Clone, Debug)]
pub(super) struct FoundAttributes {
    pub(super) attributes: Arc<ObjectAttributes>,
    pub(super) spilled: Option<RecordName>,
    /// Whether there is one at all.
    pub(super) has_record: bool,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Version, Arc<Entry>> for Weight {
    fn weight(&self, _: &Version, entry: &Arc<Entry>) -> u64 {
        let texts = entry.key.as_str().len() + text_bytes(&entry.found.attributes.properties);
        (texts + OVERHEAD) as u64
    }
}

/// What the texts take, about.
fn text_bytes(properties: &Properties) -> usize {
    let Properties {
        content_type,
        cache_control,
        content_disposition,
        content_encoding,
        content_language,
        expires,
        website_redirect_location,
        storage_class,
        user_metadata,
        tags,
        checksum: _,
        parts,
    } = properties;
    let single = [
        cache_control,
        content_disposition,
        content_encoding,
        content_language,
        expires,
        website_redirect_location,
        storage_class,
    ];
    let single: usize = single.into_iter().flatten().map(String::len).sum();
    let pairs = user_metadata
        .iter()
        .chain(tags.iter().map(|tag| (&tag.key, &tag.value)));
    let pairs: usize = pairs.map(|(name, value)| name.len() + value.len() + PAIR).sum();
    let parts = parts
        .as_ref()
        .map_or(0, |parts| parts.checksums().len() + size_of_val(parts.runs()));
    content_type.len() + single + pairs + parts
}

/// Attributes as they were read.
pub(super) struct Looked {
    pub(super) attributes: ObjectAttributes,
    pub(super) spilled: Option<RecordName>,
    pub(super) has_record: bool,
    /// Does the file's own state tell when they change?
    pub(super) shows: bool,
}

impl Known {
    /// `clock` is compared with times of the file system.
    pub(super) fn new(clock: Clock, generations: Arc<Generations>, grains: Arc<Grains>) -> Self {
        Self {
            kept: Cache::with_weighter(ENTRIES, BUDGET, Weight),
            used: CacheUse::default(),
            clock,
            generations,
            grains,
            distrusted: AtomicBool::new(false),
        }
    }

    /// The attributes of the open file of this key. `generation` is the count of this process's
    /// changes of the object, from before the file was opened.
    pub(super) fn attributes(
        &self,
        metadata: &Metadata,
        (key, generation): (&ObjectKey, Generation),
        look: impl FnOnce() -> io::Result<Looked>,
    ) -> io::Result<FoundAttributes> {
        let version = Version::of(metadata);
        let is_it = |entry: &Arc<Entry>| entry.generation == generation && entry.key == *key;
        if let Some(entry) = self.kept.get(&version).filter(is_it) {
            self.used.hit();
            return Ok(entry.found.clone());
        }
        self.used.miss();
        // Before the look: what changes from here on is another state.
        let is_settled = version.is_settled(self.clock.now(), self.grains.of(version.device()));
        let looked = look()?;
        let found = FoundAttributes {
            attributes: Arc::new(looked.attributes),
            spilled: looked.spilled,
            has_record: looked.has_record,
        };
        let is_kept = looked.shows && is_settled && !self.distrusted.load(Ordering::Relaxed);
        if is_kept && self.generations.is_current(generation) {
            let entry = Entry {
                key: key.clone(),
                generation,
                found: found.clone(),
            };
            self.kept.insert(version, Arc::new(entry));
        }
        Ok(found)
    }

    /// Changes the record of a file. A file system need not move a file's times when an attribute of it changes (some that pass through to others do not): where
    /// one that had been left alone for a while looks the same afterwards, nothing is kept from here on.
    pub(super) fn changing<T>(
        &self,
        file: &File,
        before: &Metadata,
        change: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let before = Version::of(before);
        let is_settled = before.is_settled(self.clock.now(), self.grains.of(before.device()));
        let changed = change()?;
        // What was changed is changed, whatever the second look finds.
        let looks_the_same = file.metadata().is_ok_and(|after| Version::of(&after) == before);
        if is_settled && looks_the_same {
            self.distrusted.store(true, Ordering::Relaxed);
            self.kept.clear();
        }
        Ok(changed)
    }

    /// How often attributes were at hand, and how often they were read.
    pub(super) fn counts(&self) -> CacheCounts {
        self.used.counts()
    }

    /// How many bytes are kept, about.
    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.kept.weight()
    }
}
