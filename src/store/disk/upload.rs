//! An object on its way to the disk. A small one stays in memory until it is committed, and then costs one hop to another thread; a larger
//! one goes to a temporary file in batches, the next of which is gathered while one is written.

use std::{
    fs::File,
    io::{self, Write},
    ops::Range,
    os::unix::fs::FileExt,
    sync::Arc,
};

use bytes::Bytes;
use rustix::{
    fs::{self as rfs, Mode},
    io::Errno,
};
use tokio::task::JoinHandle;

use crate::{
    store::{Content, LastLook, Part, StoreError, StoredPart, Upload, UploadName},
    types::{BucketName, ETag, ObjectAttributes, ObjectKey, Properties, WriteCondition},
};

use super::{Folders, change_off_thread, place::Placing, temporary::Temporary};

/// The most bytes that are gathered before they are written: at most twice as many are in memory.
const BATCH_BYTES: usize = 1024 * 1024;
/// The most bytes that one call copies, so that a shutdown need not wait for gigabytes.
const COPIED_AT_ONCE: u64 = 64 * 1024 * 1024;
/// The piece in which a copy goes through memory where the kernel cannot do it.
const COPY_BUFFER: usize = 256 * 1024;

/// An object on its way to the disk.
pub struct DiskUpload {
    folders: Arc<Folders>,
    bucket: BucketName,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    file: Target,
    /// The upload in parts that ends in the moment in which the object becomes visible.
    ends: Option<UploadName>,
    last_look: LastLook,
}

/// Where the bytes go.
enum Target {
    /// Nowhere yet.
    Memory,
    /// Into this file.
    File(Temporary),
    /// Into the file that comes back from another thread.
    Writing(JoinHandle<Result<Temporary, StoreError>>),
}

impl DiskUpload {
    pub(super) fn new(folders: Arc<Folders>, bucket: BucketName, last_look: LastLook) -> Self {
        Self {
            folders,
            bucket,
            gathered: Vec::new(),
            gathered_bytes: 0,
            file: Target::Memory,
            ends: None,
            last_look,
        }
    }

    /// One whose bytes are in this file already.
    pub(super) fn with(
        folders: Arc<Folders>,
        bucket: BucketName,
        file: Temporary,
        last_look: LastLook,
    ) -> Self {
        let mut upload = Self::new(folders, bucket, last_look);
        upload.file = Target::File(file);
        upload
    }

    /// Ends an upload in parts with the commit.
    pub(super) fn ends(&mut self, upload: UploadName) {
        self.ends = Some(upload);
    }

    /// The file, once nothing is being written to it; none where everything is in memory.
    async fn file(&mut self) -> Result<Option<Temporary>, StoreError> {
        match std::mem::replace(&mut self.file, Target::Memory) {
            Target::Memory => Ok(None),
            Target::File(file) => Ok(Some(file)),
            Target::Writing(task) => match task.await {
                Ok(written) => written.map(Some),
                Err(error) => Err(self.folders.unwritable(&self.bucket, io::Error::other(error))),
            },
        }
    }

    /// Begins to write what is gathered.
    async fn flush(&mut self) -> Result<(), StoreError> {
        let file = self.file().await?;
        // A file whose turn does not come is dropped, and with it its bytes: the upload has failed.
        let turn = self.folders.gate(Some(&self.bucket)).turn().await?;
        let batch = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        let (folders, bucket) = (self.folders.clone(), self.bucket.clone());
        self.file = Target::Writing(tokio::task::spawn_blocking(move || {
            let _turn = turn;
            write_all(&folders, &bucket, file, &batch)
        }));
        Ok(())
    }
}

impl Upload for DiskUpload {
    async fn write(&mut self, data: Bytes) -> Result<(), StoreError> {
        self.gathered_bytes = self.gathered_bytes.saturating_add(data.len());
        self.gathered.push(data);
        if self.gathered_bytes >= BATCH_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    async fn write_from(&mut self, content: &Content, range: Range<u64>) -> Result<(), StoreError> {
        let Content::File(source) = content;
        let mut from = range.start;
        self.flush().await?;
        while from < range.end {
            let Some(file) = self.file().await? else { break };
            let source = source.clone();
            let length = range.end.saturating_sub(from).min(COPIED_AT_ONCE);
            let bucket = self.bucket.clone();
            let file = change_off_thread(self.folders.clone(), Some(&self.bucket), move |folders| {
                copy(source.file(), from, length, &file.file)
                    .map_err(|error| folders.unwritable(&bucket, error))?;
                source
                    .unchanged()
                    .map_err(|error| folders.unreadable(&bucket, "", error))?;
                Ok(file)
            })
            .await?;
            self.file = Target::File(file);
            from = from.saturating_add(length);
        }
        Ok(())
    }

    async fn keep_as_part(mut self, upload: &UploadName, part: Part) -> Result<StoredPart, StoreError> {
        let file = self.file().await?;
        let batch = std::mem::take(&mut self.gathered);
        let (name, bucket, upload) = (self.bucket.clone(), self.bucket.clone(), upload.clone());
        let last_look = self.last_look.clone();
        change_off_thread(self.folders.clone(), Some(&name), move |folders| {
            let file = write_all(folders, &bucket, file, &batch)?;
            folders.place_part(file, &upload, part, &last_look)
        })
        .await
    }

    async fn commit(
        mut self,
        key: &ObjectKey,
        etag: ETag,
        properties: Properties,
        condition: WriteCondition,
    ) -> Result<ObjectAttributes, StoreError> {
        let file = self.file().await?;
        let batch = std::mem::take(&mut self.gathered);
        let name = self.bucket.clone();
        let (bucket, key, ends) = (self.bucket.clone(), key.clone(), self.ends.take());
        let last_look = self.last_look.clone();
        change_off_thread(self.folders.clone(), Some(&name), move |folders| {
            let file = write_all(folders, &bucket, file, &batch)?;
            Placing {
                folders,
                bucket: &bucket,
                key: &key,
                ends: ends.as_ref(),
                last_look: &last_look,
            }
            .place(file, &etag, properties, &condition)
        })
        .await
    }
}

/// A large file takes a while to remove: not on an async thread.
impl Drop for DiskUpload {
    fn drop(&mut self) {
        if let (Target::File(file), Ok(runtime)) = (
            std::mem::replace(&mut self.file, Target::Memory),
            tokio::runtime::Handle::try_current(),
        ) {
            runtime.spawn_blocking(move || drop(file));
        }
    }
}

/// Appends a batch, to a fresh file where there is none yet.
fn write_all(
    folders: &Folders,
    bucket: &BucketName,
    file: Option<Temporary>,
    batch: &[Bytes],
) -> Result<Temporary, StoreError> {
    let failed = |error| folders.unwritable(bucket, error);
    let mut file = match file {
        Some(file) => file,
        None => {
            let opened = folders.open_bucket(bucket)?;
            // As any program makes a file: the umask says who else may read it.
            Temporary::create(folders.writable(&opened), Mode::from_raw_mode(0o666)).map_err(failed)?
        }
    };
    for data in batch {
        file.file.write_all(data).map_err(failed)?;
    }
    Ok(file)
}

/// Appends a range of another file: shared where the file system can, copied by the kernel where it can, else through memory.
fn copy(source: &File, mut from: u64, length: u64, target: &File) -> io::Result<()> {
    let end = from.saturating_add(length);
    while from < end {
        let left = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX);
        match copied_by_kernel(source, &mut from, target, left) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                return copy_through_memory(source, from, end, target);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn copied_by_kernel(source: &File, from: &mut u64, target: &File, length: usize) -> Result<usize, Errno> {
    rfs::copy_file_range(source, Some(from), target, None, length)
}

#[cfg(not(target_os = "linux"))]
fn copied_by_kernel(_: &File, _: &mut u64, _: &File, _: usize) -> Result<usize, Errno> {
    Err(Errno::NOSYS)
}

fn copy_through_memory(source: &File, mut from: u64, end: u64, mut target: &File) -> io::Result<()> {
    let mut buffer = vec![0; COPY_BUFFER];
    while from < end {
        let wanted = usize::try_from(end.saturating_sub(from))
            .unwrap_or(COPY_BUFFER)
            .min(COPY_BUFFER);
        let piece = buffer.get_mut(..wanted).unwrap_or_default();
        source.read_exact_at(piece, from)?;
        target.write_all(piece)?;
        from = from.saturating_add(wanted as u64);
    }
    Ok(())
}
