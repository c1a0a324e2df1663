//! What is kept of a bucket besides its objects: one file each, in the bucket's own folder `~!bucket`.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    fs::{self as rfs, AtFlags, Mode},
    io::Errno,
};

use crate::{
    store::{BucketDocument, LastLook, StillAllowed, StoreError},
    types::BucketName,
};

use super::{
    Folders, confine,
    temporary::{self, Temporary, write_synced},
};

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
            Some(content) => self.put_document(&opened, name, content, last_look),
            None => self.remove_document(opened.as_fd(), name, &last_look.ask(None)?),
        };
        done.map_err(|error| self.unwritable_at(bucket, FOLDER, error))
    }

    fn put_document(
        &self,
        bucket: &File,
        name: &str,
        content: &[u8],
        last_look: &LastLook,
    ) -> io::Result<()> {
        let folder = temporary::own_folder(bucket.as_fd(), FOLDER)?;
        let fresh = Temporary::create(self.writable(bucket), Mode::from_raw_mode(0o666))?;
        write_synced(&fresh.file, content, self.durable)?;
        let allowed = last_look.ask(None).map_err(io::Error::other)?;
        self.show_document(&folder, name, fresh, &allowed)
    }

    /// Renames a written document into its place.
    fn show_document(&self, folder: &File, name: &str, fresh: Temporary, _: &StillAllowed) -> io::Result<()> {
        rfs::renameat(&fresh.folder, fresh.name(), folder, name)?;
        fresh.placed();
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
        // One that is not there may have gone a moment ago: its folder is synced too.
        match rfs::unlinkat(&folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        if self.durable {
            rfs::fsync(&folder)?;
        }
        Ok(())
    }
}
