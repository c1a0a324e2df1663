//! The records of a store of format 1, whose names were made from inodes, get names that travel with
//! their objects. A copy of such a store has other inodes: there a record is known by its object's key,
//! size and time. A record that no object claims stays: the object may be restored yet.

use std::{
    collections::{HashMap, HashSet},
    fs::{File, Metadata},
    io::{self, Read},
    os::fd::AsFd,
    path::Path,
};

use rustix::{
    fs::{self as rfs, AtFlags, Mode, OFlags},
    io::Errno,
};

use crate::{
    store::disk::{
        Folders, confine, mapping,
        record::{
            Attribute, MAX_SPILLED_BYTES, NameKind, RecordError, RecordName, SPILLED, SpilledKey,
            mark_as_spilled, read_attribute,
        },
        structure,
        temporary::write_synced,
    },
    types::{BucketName, ObjectKey},
};

/// The records of format 1 that no object has claimed yet.
struct Unclaimed {
    folder: File,
    records: HashMap<RecordName, Option<SpilledKey>>,
    /// Those that were copied to their new names. A file may have several names, each with its own.
    copied: HashSet<RecordName>,
    by_key: HashMap<ObjectKey, Vec<RecordName>>,
}

impl Folders {
    /// Renames every record of format 1. Where there is none, nothing but their folder is looked at.
    pub(super) fn upgrade_records(&self, bucket: &BucketName) -> io::Result<()> {
        let opened = self.open_bucket(bucket).map_err(io::Error::other)?;
        let Some(mut unclaimed) = Unclaimed::read(&opened)? else {
            return Ok(());
        };
        tracing::info!(%bucket, records = unclaimed.records.len(), "upgrading a store of format 1");
        walk(&opened, "", &mut |path, file| unclaimed.claim(path, file))?;
        unclaimed.remove_copied()?;
        if !unclaimed.records.is_empty() {
            let path = self.path_of(bucket, SPILLED);
            tracing::warn!(
                folder = %path.display(),
                records = unclaimed.records.len(),
                "records of format 1 have no object: restore it and restart postern, or remove them"
            );
        }
        Ok(rfs::fsync(&unclaimed.folder)?)
    }
}

/// Calls `each` with every file of the bucket that is an object's, by its path.
fn walk(folder: &File, path: &str, each: &mut impl FnMut(&str, &File) -> io::Result<()>) -> io::Result<()> {
    for name in structure::entries(folder)? {
        if name.starts_with(mapping::OWN_PREFIX) {
            continue;
        }
        let path = match path {
            "" => name.clone(),
            path => format!("{path}/{name}"),
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let found = match rfs::openat(folder, name.as_str(), flags, Mode::empty()) {
            Ok(found) => File::from(found),
            // A symlink, a socket, a device without its driver; or gone by now.
            Err(Errno::LOOP | Errno::NXIO | Errno::NODEV | Errno::NOENT | Errno::ACCESS) => continue,
            Err(error) => return Err(error.into()),
        };
        let kind = found.metadata()?.file_type();
        if kind.is_dir() {
            walk(&found, &path, each)?;
        } else if kind.is_file() {
            each(&path, &found)?;
        }
    }
    Ok(())
}

impl Unclaimed {
    /// None: there are no records of format 1.
    fn read(bucket: &File) -> io::Result<Option<Self>> {
        let folder = match confine::open(bucket.as_fd(), SPILLED, confine::Wait::Allowed) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut records = HashMap::new();
        let mut by_key: HashMap<ObjectKey, Vec<RecordName>> = HashMap::new();
        for text in structure::entries(&folder)? {
            let Some((name, NameKind::Inode)) = RecordName::found(&text) else {
                continue;
            };
            let content = read_record(&folder, &name)?;
            if let Some(content) = &content {
                by_key.entry(content.key.clone()).or_default().push(name.clone());
            }
            records.insert(name, content);
        }
        Ok((!records.is_empty()).then_some(Self {
            folder,
            records,
            copied: HashSet::new(),
            by_key,
        }))
    }

    /// Gives a file the record that is its own.
    fn claim(&mut self, path: &str, file: &File) -> io::Result<()> {
        let attribute = match read_attribute(file) {
            Ok(attribute @ (Attribute::SpilledOfFormat1 | Attribute::Unsupported)) => attribute,
            Ok(Attribute::Record(_) | Attribute::Spilled(_) | Attribute::None) => return Ok(()),
            Err(error) if error.get_ref().is_some_and(|inner| inner.is::<RecordError>()) => return Ok(()),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        let Some(key) = mapping::from_path(Path::new(path)) else {
            return Ok(());
        };
        let Some(old) = self.record_of(&key, &metadata) else {
            return Ok(());
        };
        match attribute {
            Attribute::SpilledOfFormat1 => {
                self.name_in_attribute(&old, file)?;
                self.records.remove(&old);
            }
            _ => {
                let new = RecordName::of_key(&key, &metadata);
                if self.copy_to(&new, &old, &key)? {
                    self.copied.insert(old);
                }
            }
        }
        Ok(())
    }

    /// The record of a file: by its inode, or for a copy by its key, size and time. A copy of a file that
    /// was moved has another key: then the only record of its size and time is its own.
    fn record_of(&self, key: &ObjectKey, metadata: &Metadata) -> Option<RecordName> {
        // Inodes are others in a copy, and may be those of other files of before: the key counts more.
        let by_inode = RecordName::of_inode(metadata);
        let is_of_key = |content: &SpilledKey| content.key == *key;
        let found = self.records.get(&by_inode);
        if found.is_some_and(|content| content.as_ref().is_some_and(is_of_key)) {
            return Some(by_inode);
        }
        let describes = |name: &&RecordName| {
            let content = self.records.get(*name).and_then(Option::as_ref);
            content.is_some_and(|content| content.record.describes(metadata))
        };
        let of_key = self
            .by_key
            .get(key)
            .and_then(|names| names.iter().find(describes));
        of_key.cloned().or_else(|| {
            if found.is_some() {
                return Some(by_inode);
            }
            let mut all = self.records.keys().filter(describes);
            all.next().filter(|_| all.next().is_none()).cloned()
        })
    }

    /// Copies a record to the name that its object's key makes, with that key in it. `false`: it cannot
    /// be read.
    fn copy_to(&self, new: &RecordName, old: &RecordName, key: &ObjectKey) -> io::Result<bool> {
        let Some(Some(content)) = self.records.get(old) else {
            return Ok(false);
        };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
        let file = rfs::openat(&self.folder, new.as_str(), flags, Mode::from_raw_mode(0o600))?;
        let text = content.record.clone().of_key(key).to_text()?;
        write_synced(&File::from(file), &text, true)?;
        Ok(true)
    }

    /// Removes what was copied.
    fn remove_copied(&mut self) -> io::Result<()> {
        rfs::fsync(&self.folder)?;
        for name in self.copied.drain() {
            rfs::unlinkat(&self.folder, name.as_str(), AtFlags::empty())?;
            self.records.remove(&name);
        }
        Ok(())
    }

    /// Gives the record a second name, writes that into the attribute, and removes the first: whatever
    /// ends this process in between, one of them holds.
    fn name_in_attribute(&self, old: &RecordName, file: &File) -> io::Result<()> {
        let new = RecordName::random()?;
        rfs::linkat(
            &self.folder,
            old.as_str(),
            &self.folder,
            new.as_str(),
            AtFlags::empty(),
        )?;
        rfs::fsync(&self.folder)?;
        mark_as_spilled(file, &new)?;
        file.sync_all()?;
        Ok(rfs::unlinkat(&self.folder, old.as_str(), AtFlags::empty())?)
    }
}

fn read_record(folder: &File, name: &RecordName) -> io::Result<Option<SpilledKey>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rfs::openat(folder, name.as_str(), flags, Mode::empty())?);
    let mut text = Vec::new();
    file.take(MAX_SPILLED_BYTES).read_to_end(&mut text)?;
    Ok(SpilledKey::parse(&text))
}
