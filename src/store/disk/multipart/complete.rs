//! Completing an upload: its parts become one file, which is then placed like any other upload.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::{
    store::{Completion, Content, StoreError, StoredPart, Upload, UploadName},
    types::{BucketName, ObjectAttributes, UploadId},
};

use super::super::{DiskUpload, Folders, ObjectFile, change_off_thread, look_off_thread, place::Placing};

/// The most requests that wait while another one completes the same upload.
const MOST_WAITING: usize = 4;

/// The uploads that are being completed. Each is by one request at a time: many at once would each
/// join the parts into a file of their own, and all but one of them in vain.
#[derive(Default)]
pub(in crate::store::disk) struct Completions(Mutex<Queues>);

type Queues = HashMap<(BucketName, UploadId), Queue>;

/// The requests to complete one upload.
#[derive(Default)]
struct Queue {
    /// The one that has its turn, and those that wait.
    requests: usize,
    lock: Arc<AsyncMutex<()>>,
}

/// The turn of one request to complete an upload, or its place among those who wait.
struct Turn {
    completions: Arc<Completions>,
    upload: (BucketName, UploadId),
    held: Option<OwnedMutexGuard<()>>,
}

impl Completions {
    /// Waits until no other request completes this upload.
    ///
    /// Errors: `TooManyCompletions`, at once.
    async fn turn(self: &Arc<Self>, upload: &UploadName) -> Result<Turn, StoreError> {
        let key = (upload.bucket.clone(), upload.id.clone());
        let lock = self.map(|queues| {
            let queue = queues.entry(key.clone()).or_default();
            if queue.requests > MOST_WAITING {
                return Err(StoreError::TooManyCompletions(upload.id.clone()));
            }
            queue.requests = queue.requests.saturating_add(1);
            Ok(queue.lock.clone())
        })?;
        let mut turn = Turn {
            completions: self.clone(),
            upload: key,
            held: None,
        };
        turn.held = Some(lock.lock_owned().await);
        Ok(turn)
    }

    /// Whether no upload is being completed.
    #[cfg(test)]
    pub(in crate::store::disk) fn is_empty(&self) -> bool {
        self.map(|queues| queues.is_empty())
    }

    fn map<T>(&self, work: impl FnOnce(&mut Queues) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let completions = self.completions.clone();
        completions.map(|queues| {
            self.held = None;
            let Some(queue) = queues.get_mut(&self.upload) else {
                return;
            };
            queue.requests = queue.requests.saturating_sub(1);
            if queue.requests == 0 {
                queues.remove(&self.upload);
            }
        });
    }
}

/// Joins the parts and places the object. The parts' bytes are shared where the file system can,
/// else copied by the kernel; one part alone is the object's file as it is.
pub(in crate::store::disk) async fn complete(
    folders: &Arc<Folders>,
    upload: &UploadName,
    completion: Completion,
) -> Result<ObjectAttributes, StoreError> {
    let _turn = folders.completions.turn(upload).await?;
    may_begin(folders, upload, &completion).await?;
    let mut object = match completion.parts.as_slice() {
        [only] => {
            let (name, only) = (upload.clone(), only.clone());
            let work = move |folders: &Folders| folders.link_part(&name, &only.part);
            let file = change_off_thread(folders.clone(), Some(&upload.bucket), work).await?;
            let file = file.ok_or_else(|| gone(upload))?;
            DiskUpload::with(
                folders.clone(),
                upload.bucket.clone(),
                file,
                completion.last_look.clone(),
            )
        }
        parts => {
            let mut object = DiskUpload::new(
                folders.clone(),
                upload.bucket.clone(),
                completion.last_look.clone(),
            );
            for part in parts {
                let content = open(folders, upload, part).await?;
                object.write_from(&content, 0..part.size).await?;
            }
            object
        }
    };
    object.ends(upload.clone());
    object
        .commit(
            &upload.key,
            completion.etag,
            completion.properties,
            completion.condition,
        )
        .await
}

/// Asks all that the placing asks, before a byte is written: requests that waited, and would fail
/// at the end, must not each write the whole object first.
async fn may_begin(
    folders: &Arc<Folders>,
    upload: &UploadName,
    completion: &Completion,
) -> Result<(), StoreError> {
    let name = upload.clone();
    let (condition, last_look) = (completion.condition.clone(), completion.last_look.clone());
    let work = move |folders: &Folders| {
        let _guard = folders.lock(&name.bucket, &name.key);
        folders.multipart(&name)?;
        let placing = Placing {
            folders,
            bucket: &name.bucket,
            key: &name.key,
            ends: Some(&name),
            last_look: &last_look,
        };
        let before = placing.holds(&condition)?;
        last_look.ask(before.tags()).map(|_| ())
    };
    look_off_thread(folders.clone(), Some(&upload.bucket), work).await
}

async fn open(folders: &Arc<Folders>, upload: &UploadName, part: &StoredPart) -> Result<Content, StoreError> {
    let (name, part) = (upload.clone(), part.part.clone());
    let work = move |folders: &Folders| {
        let file = folders.open_part(&name, &part)?;
        let Some(file) = file else { return Ok(None) };
        let metadata = file
            .metadata()
            .map_err(|error| folders.unreadable(&name.bucket, "", error))?;
        let gate = folders.gate(Some(&name.bucket));
        Ok(Some(ObjectFile::new(file, &metadata, gate)))
    };
    let file = look_off_thread(folders.clone(), Some(&upload.bucket), work).await?;
    Ok(Content::File(file.ok_or_else(|| gone(upload))?))
}

/// A part was replaced while the upload was being completed: what the client named is not there.
fn gone(upload: &UploadName) -> StoreError {
    StoreError::NoSuchUpload(upload.id.clone())
}
