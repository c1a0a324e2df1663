//! Finding an object: its file, confined below its bucket, and its attributes.

use std::{
    fs::{self, File},
    io,
    os::fd::AsFd,
    sync::Arc,
};

use rustix::io::Errno;

use crate::{
    store::StoreError,
    types::{BucketName, ObjectAttributes, ObjectKey},
};

use super::{
    Folders, attributes,
    confine::{self, Wait},
    folder::Folder,
    folding,
    generations::Generation,
    mapping,
    record::{self, RecordError},
};

/// How often an object is looked at that changes meanwhile.
const MOST_LOOKS: usize = 16;

/// An object as it was found.
pub(super) struct Opened {
    pub(super) attributes: Arc<ObjectAttributes>,
    /// The file of its record, if that is another than the object's.
    pub(super) spilled: Option<record::RecordName>,
    /// Whether a record was found.
    pub(super) has_record: bool,
    pub(super) file: File,
    pub(super) metadata: fs::Metadata,
}

/// Why nothing was found, as long as the disk was not waited for.
pub(super) enum Failure {
    /// Only a call that may wait can say.
    WouldWait,
    /// This.
    Told(StoreError),
}

impl Folders {
    /// Finds an object, waiting for the disk as long as it takes.
    pub(super) fn find_now(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Opened, StoreError> {
        self.find(bucket, key, Wait::Allowed)
            .map_err(|failure| match failure {
                Failure::Told(error) => error,
                Failure::WouldWait => {
                    StoreError::unreadable(self.root.path.clone(), io::ErrorKind::WouldBlock.into())
                }
            })
    }

    pub(super) fn find(&self, bucket: &BucketName, key: &ObjectKey, wait: Wait) -> Result<Opened, Failure> {
        for _ in 0..MOST_LOOKS {
            // Before the file is opened: what changes from here on is another state.
            let generation = self.generations.now(&self.changes_of(bucket, key));
            let found = self.look(bucket, key, wait, generation);
            // One that replaces the object removes its spilled record, and the file that was opened is
            // then without.
            let may_have_gone = match &found {
                Ok(found) => !found.has_record,
                Err(Failure::Told(StoreError::Undescribed { .. })) => true,
                Err(_) => false,
            };
            if !may_have_gone || self.generations.is_current(generation) {
                return found;
            }
        }
        self.look(
            bucket,
            key,
            wait,
            self.generations.now(&self.changes_of(bucket, key)),
        )
    }

    pub(super) fn look(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        wait: Wait,
        generation: Generation,
    ) -> Result<Opened, Failure> {
        let (folder, bucket_path) = self.bucket(bucket);
        let (file, metadata, path) = self.open_object(bucket, key, wait)?;
        let above = record::Bucket {
            folder: folder.kept().map_err(Failure::Told)?.opened.as_fd(),
            path: bucket_path,
        };
        let look = || attributes::of(above, &file, &metadata, key);
        match self.known.attributes(&metadata, (key, generation), look) {
            Ok(found) => Ok(Opened {
                attributes: found.attributes,
                spilled: found.spilled,
                has_record: found.has_record,
                file,
                metadata,
            }),
            Err(source) => {
                let path = folder.path.join(path);
                let is_of_record = source.get_ref().is_some_and(|inner| inner.is::<RecordError>());
                Err(Failure::Told(match is_of_record {
                    true => StoreError::Undescribed { path, source },
                    false => StoreError::unreadable(path, source),
                }))
            }
        }
    }

    /// What an object's file says of itself, for one whose record cannot be had.
    pub(super) fn undescribed(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<ObjectAttributes, StoreError> {
        match self.open_object(bucket, key, Wait::Allowed) {
            Ok((_, metadata, _)) => Ok(attributes::of_file(&metadata, key)),
            Err(Failure::Told(error)) => Err(error),
            Err(Failure::WouldWait) => Err(StoreError::NoSuchKey),
        }
    }

    /// Opens an object's file. Its state and its path below the folder that holds its bucket come out
    /// too.
    pub(super) fn open_object(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        wait: Wait,
    ) -> Result<(File, fs::Metadata, String), Failure> {
        let (folder, bucket_path) = self.bucket(bucket);
        let kept = folder.kept().map_err(Failure::Told)?;
        let mut path = String::with_capacity(bucket_path.len() + key.as_str().len() + 8);
        if !bucket_path.is_empty() {
            path.push_str(bucket_path);
            path.push('/');
        }
        mapping::push_path(&mut path, key);
        let mut found = self.open_at(folder, &path, wait, bucket)?;
        if found.1.is_dir() {
            path = format!("{path}/{}", mapping::OBJECT_OF_FOLDER);
            found = self.open_at(folder, &path, wait, bucket)?;
        }
        let (file, metadata) = found;
        if !metadata.is_file() {
            return Err(Failure::Told(StoreError::NoSuchKey));
        }
        if kept.folds {
            match wait {
                Wait::Never => return Err(Failure::WouldWait),
                Wait::Allowed if folding::is_spelled(&folder.path, &path) => {}
                Wait::Allowed => return Err(Failure::Told(StoreError::NoSuchKey)),
            }
        }
        Ok((file, metadata, path))
    }

    pub(super) fn open_at(
        &self,
        folder: &Folder,
        path: &str,
        wait: Wait,
        bucket: &BucketName,
    ) -> Result<(File, fs::Metadata), Failure> {
        let unreadable = |source| Failure::Told(StoreError::unreadable(folder.path.join(path), source));
        let kept = folder.kept().map_err(Failure::Told)?;
        match confine::open(kept.opened.as_fd(), path, wait) {
            Ok(file) => {
                let metadata = file.metadata().map_err(unreadable)?;
                Ok((file, metadata))
            }
            Err(Errno::AGAIN) if wait == Wait::Never => Err(Failure::WouldWait),
            // A missing bucket is looked for only once something is missing; that may wait for the disk.
            Err(Errno::NOENT) if wait == Wait::Never => Err(Failure::WouldWait),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(Failure::Told(match self.bucket_folder(bucket) {
                Ok(true) => StoreError::NoSuchKey,
                Ok(false) => StoreError::NoSuchBucket(bucket.clone()),
                Err(error) => error,
            })),
            // A symlink, a socket or a device without its driver, a name that the file system cannot hold: no object.
            Err(Errno::LOOP | Errno::XDEV | Errno::NXIO | Errno::NODEV | Errno::NAMETOOLONG) => {
                Err(Failure::Told(StoreError::NoSuchKey))
            }
            Err(error) => Err(unreadable(error.into())),
        }
    }

    pub(super) fn bucket_folder(&self, bucket: &BucketName) -> Result<bool, StoreError> {
        let (folder, path) = self.bucket(bucket);
        if path.is_empty() {
            return folder.kept().map(|_| true);
        }
        let unreadable = |source| StoreError::unreadable(folder.path.join(path), source);
        match confine::open(folder.kept()?.opened.as_fd(), path, Wait::Allowed) {
            Ok(file) => Ok(file.metadata().map_err(unreadable)?.is_dir()),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => Ok(false),
            Err(error) => Err(unreadable(error.into())),
        }
    }

    /// Is there a bucket of this name, as far as that can be told without waiting for the disk?
    pub(super) fn is_cached_bucket(&self, bucket: &BucketName) -> bool {
        let (folder, path) = self.bucket(bucket);
        let Ok(kept) = folder.kept() else { return false };
        path.is_empty()
            || confine::open(kept.opened.as_fd(), path, Wait::Never)
                .is_ok_and(|file| file.metadata().is_ok_and(|metadata| metadata.is_dir()))
    }
}
