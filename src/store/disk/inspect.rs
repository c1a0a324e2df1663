//! What is wrong in a store, for `postern check`: objects whose record cannot be had or is not theirs,
//! and what killed processes and failing disks have left behind. It reads only, and takes no lock: a
//! gateway may be running, so what is younger than its housekeeping leaves alone is not looked at.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    store::{BucketFolder, Settings, StoreError},
    types::BucketName,
};

use super::{
    Folders,
    buckets::GONE,
    look::opened,
    mapping::{self, OWN_PREFIX},
    record::{Attribute, NameKind, RecordName, SPILLED, SpilledKey, read_attribute},
    structure::JOURNAL,
    temporary,
};

/// What was found.
#[derive(Debug, Default)]
pub struct Inspection {
    /// Objects that answer with an error, each with the reason.
    pub undescribed: Few<(PathBuf, String)>,
    /// Objects that count as dropped in, since their file changed after their record was written.
    pub outdated: Few<PathBuf>,
    /// Spilled records that no object under their key names.
    pub unnamed_records: Few<PathBuf>,
    /// Files and folders that are in the way of nothing, and should be gone.
    pub leftovers: Few<PathBuf>,
}

/// The first of what was found, and how much there is in all.
#[derive(Debug)]
pub struct Few<T> {
    /// The first.
    pub first: Vec<T>,
    /// How many there are.
    pub count: usize,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self {
            first: Vec::new(),
            count: 0,
        }
    }
}

impl<T> Few<T> {
    fn add(&mut self, found: T, most: usize) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < most {
            self.first.push(found);
        }
    }
}

struct Inspecting<'i> {
    folders: &'i Folders,
    bucket: &'i BucketName,
    root: PathBuf,
    since: SystemTime,
    most: usize,
    found: &'i mut Inspection,
}

/// Looks through every bucket, and names the first `most` of each kind of what it finds. What cannot be
/// read is passed over: `serve` reports it.
pub fn inspect(settings: &Settings, buckets: &[BucketFolder], now: SystemTime, most: usize) -> Inspection {
    let mut found = Inspection::default();
    let mounted = buckets.iter().filter_map(|bucket| {
        let folder = opened(&bucket.path).ok()?;
        Some((bucket.name.clone(), folder))
    });
    let Ok(root) = opened(&settings.root) else {
        return found;
    };
    let folders = Folders::new(root, mounted.collect(), false);
    for entry in entries(&settings.root) {
        if entry.file_name().to_string_lossy().starts_with(GONE) {
            found.leftovers.add(entry.path(), most);
        }
    }
    let leftover_for = settings.remove_leftovers_after.duration();
    for bucket in folders.buckets().unwrap_or_default() {
        let mut inspecting = Inspecting {
            folders: &folders,
            bucket: &bucket.name,
            root: folders.path_of(&bucket.name, ""),
            since: now.checked_sub(leftover_for).unwrap_or(SystemTime::UNIX_EPOCH),
            most,
            found: &mut found,
        };
        let root = inspecting.root.clone();
        inspecting.folder(&root);
        inspecting.temporary();
        inspecting.records();
    }
    found
}

impl Inspecting<'_> {
    /// Looks through a folder. Whether there is anything in it comes out.
    fn folder(&mut self, folder: &Path) -> bool {
        let mut holds = false;
        for entry in entries(folder) {
            let path = entry.path();
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(OWN_PREFIX)) {
                if name == JOURNAL {
                    self.leftover(&path);
                }
                continue;
            }
            holds = true;
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    if !self.folder(&path) {
                        self.leftover(&path);
                    }
                }
                Ok(kind) if kind.is_file() => self.file(&path),
                Ok(_) | Err(_) => {}
            }
        }
        holds
    }

    fn file(&mut self, path: &Path) {
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        let Some(key) = mapping::from_path(relative) else {
            return;
        };
        match self.folders.find_now(self.bucket, &key) {
            Err(StoreError::Undescribed { path, source }) => {
                let found = (path, source.to_string());
                self.found.undescribed.add(found, self.most);
            }
            Ok(found) if !found.has_record && has_own_record(&found.file) => {
                self.found.outdated.add(path.to_owned(), self.most);
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// What lies among the files that are not visible yet, and is too old to be on its way.
    fn temporary(&mut self) {
        for entry in entries(&self.root.join(temporary::FOLDER)) {
            self.leftover(&entry.path());
        }
    }

    fn records(&mut self) {
        for entry in entries(&self.root.join(SPILLED)) {
            let path = entry.path();
            if self.is_old(&path) && !self.is_named(&path) {
                self.found.unnamed_records.add(path, self.most);
            }
        }
    }

    /// Whether the object under a record's key names it, as far as that can be known.
    fn is_named(&self, path: &Path) -> bool {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let Some((name, kind)) = RecordName::found(name) else {
            return false;
        };
        let Ok(text) = fs::read(path) else { return true };
        let Some(record) = SpilledKey::parse(&text) else {
            return false;
        };
        match self.folders.find_now(self.bucket, &record.key) {
            Ok(found) => match kind {
                NameKind::Random => found.spilled == Some(name),
                NameKind::Key => RecordName::of_key(&record.key, &found.metadata) == name,
                NameKind::Inode => RecordName::of_inode(&found.metadata) == name,
            },
            Err(StoreError::NoSuchKey) => false,
            Err(_) => true,
        }
    }

    fn leftover(&mut self, path: &Path) {
        if self.is_old(path) {
            self.found.leftovers.add(path.to_owned(), self.most);
        }
    }

    fn is_old(&self, path: &Path) -> bool {
        path.symlink_metadata()
            .is_ok_and(|metadata| changed(&metadata) < self.since)
    }
}

/// Whether a file has a record in its attribute, whether that describes it or not.
fn has_own_record(file: &File) -> bool {
    matches!(
        read_attribute(file),
        Ok(Attribute::Record(_) | Attribute::Spilled(_))
    )
}

/// When a file last changed in any way: also when it was copied here with an older time of its content.
fn changed(metadata: &fs::Metadata) -> SystemTime {
    let seconds = metadata.ctime().try_into().unwrap_or(0);
    let nanoseconds = metadata.ctime_nsec().try_into().unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds)
}

fn entries(folder: &Path) -> Vec<fs::DirEntry> {
    let read = || -> io::Result<Vec<_>> { fs::read_dir(folder)?.collect() };
    let mut entries = read().unwrap_or_default();
    entries.sort_by_key(fs::DirEntry::file_name);
    entries
}
