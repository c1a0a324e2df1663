//! What is known of files that were looked at lately. A file as it is now goes in, its object's attributes come out: those that were kept, where they are of that
//! state of that file, or those that are read. It saves a system call, and making every text of them anew, for each request.

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

use super::version::Version;

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
    /// Was a file changed that looked the same afterwards? Then its times tell nothing, and nothing is kept any more.
    distrusted: AtomicBool,
}

struct Entry {
    /// A file can have several names, and the type of what was dropped in comes from its name.
    key: ObjectKey,
    attributes: Arc<ObjectAttributes>,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Version, Arc<Entry>> for Weight {
    fn weight(&self, _: &Version, entry: &Arc<Entry>) -> u64 {
        let texts = entry.key.as_str().len() + text_bytes(&entry.attributes.properties);
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
    /// Does the file's own state tell when they change?
    pub(super) shows: bool,
}

impl Known {
    /// `clock` is compared with times of the file system.
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            kept: Cache::with_weighter(ENTRIES, BUDGET, Weight),
            used: CacheUse::default(),
            clock,
            distrusted: AtomicBool::new(false),
        }
    }

    /// The attributes of the open file of this key.
    pub(super) fn attributes(
        &self,
        metadata: &Metadata,
        key: &ObjectKey,
        look: impl FnOnce() -> io::Result<Looked>,
    ) -> io::Result<Arc<ObjectAttributes>> {
        let version = Version::of(metadata);
        if let Some(entry) = self.kept.get(&version).filter(|entry| entry.key == *key) {
            self.used.hit();
            return Ok(entry.attributes.clone());
        }
        self.used.miss();
        // Before the look: what changes from here on is another state.
        let is_settled = version.is_settled(self.clock.now());
        let Looked { attributes, shows } = look()?;
        let attributes = Arc::new(attributes);
        if shows && is_settled && !self.distrusted.load(Ordering::Relaxed) {
            let entry = Entry {
                key: key.clone(),
                attributes: attributes.clone(),
            };
            self.kept.insert(version, Arc::new(entry));
        }
        Ok(attributes)
    }

    /// Changes the record of a file. A file system need not move a file's times when an attribute of it changes (some that pass through to others do not): where
    /// one that had been left alone for a while looks the same afterwards, nothing is kept from here on.
    pub(super) fn changing(
        &self,
        file: &File,
        before: &Metadata,
        change: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let before = Version::of(before);
        let is_settled = before.is_settled(self.clock.now());
        change()?;
        // What was changed is changed, whatever the second look finds.
        let looks_the_same = file.metadata().is_ok_and(|after| Version::of(&after) == before);
        if is_settled && looks_the_same {
            self.distrusted.store(true, Ordering::Relaxed);
            self.kept.clear();
        }
        Ok(())
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
