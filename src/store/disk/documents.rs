//! What is kept of a bucket besides its objects: one file each, in the bucket's own folder `~!bucket`.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    fs::{self as rfs, AtFlags, Mode, OFlags},
    io::Errno,
};

use crate::{
    store::{BucketDocument, LastLook, StillAllowed, StoreError},
    types::BucketName,
};

use super::{Folders, confine, temporary};

const FOLDER: &str = "~!bucket";
/// Longer than any of S3's.
const MAX_BYTES: u64 = 1024 * 1024;

fn file_name(document: BucketDocument) -> &'static str {
    match document {
        BucketDocument::Cors => "cors.xml",
    }
}

impl Folders {
    /// Reads a document. None: there is none.
    pub(super) fn bucket_document(
        &self,
        bucket: &BucketName,
        document: BucketDocument,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let path = format!("{FOLDER}/{}", file_name(document));
        let opened = self.open_bucket(bucket)?;
        let file = match confine::open(opened.as_fd(), &path, confine::Wait::Allowed) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(error) => return Err(self.unreadable(bucket, &path, error.into())),
        };
        let mut content = Vec::new();
        let read = file.take(MAX_BYTES).read_to_end(&mut content);
        read.map_err(|error| self.unreadable(bucket, &path, error))?;
        Ok(Some(content))
    }

    /// Replaces a document whole, or removes it.
    pub(super) fn keep_bucket_document(
        &self,
        bucket: &BucketName,
        document: BucketDocument,
        content: Option<&[u8]>,
        last_look: &LastLook,
    ) -> Result<(), StoreError> {
        let opened = self.open_bucket(bucket)?;
        let name = file_name(document);
        let done = match content {
            Some(content) => self.put_document(opened.as_fd(), name, content, last_look),
            None => self.remove_document(opened.as_fd(), name, &last_look.ask(None)?),
        };
        done.map_err(|error| self.unwritable_at(bucket, FOLDER, error))
    }

    fn put_document(
        &self,
        bucket: BorrowedFd<'_>,
        name: &str,
        content: &[u8],
        last_look: &LastLook,
    ) -> io::Result<()> {
        let folder = temporary::own_folder(bucket, FOLDER)?;
        let (beside, fresh) = (temporary::folder(bucket)?, temporary::name()?);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut file = File::from(rfs::openat(&beside, &fresh, flags, Mode::from_raw_mode(0o666))?);
        file.write_all(content)?;
        if self.durable {
            file.sync_all()?;
        }
        match last_look.ask(None) {
            Ok(allowed) => self.show_document(&folder, name, (&beside, &fresh), &allowed),
            Err(withdrawn) => {
                _ = rfs::unlinkat(&beside, &fresh, AtFlags::empty());
                Err(io::Error::other(withdrawn))
            }
        }
    }

    /// Renames a written document into its place.
    fn show_document(
        &self,
        folder: &File,
        name: &str,
        (beside, fresh): (&File, &str),
        _: &StillAllowed,
    ) -> io::Result<()> {
        rfs::renameat(beside, fresh, folder, name)?;
        if self.durable {
            rfs::fsync(folder)?;
        }
        Ok(())
    }

    fn remove_document(&self, bucket: BorrowedFd<'_>, name: &str, _: &StillAllowed) -> io::Result<()> {
        let folder = match confine::open(bucket, FOLDER, confine::Wait::Allowed) {
            Err(Errno::NOENT) => return Ok(()),
            opened => opened?,
        };
        match rfs::unlinkat(&folder, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        if self.durable {
            rfs::fsync(&folder)?;
        }
        Ok(())
    }
}
