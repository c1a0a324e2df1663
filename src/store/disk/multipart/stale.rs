//! Uploads that nobody ends. Clients forget them, and each keeps its parts: those to which nothing has come for a while are aborted.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html>

use std::{fs, path::Path, time::SystemTime};

use crate::{
    store::{StillAllowed, StoreError, UploadName},
    types::BucketName,
};

use super::super::Folders;

impl Folders {
    /// Aborts every upload to which nothing has come since. How many there were comes out; what cannot be removed is told in the log.
    pub(in crate::store::disk) fn abort_stale(&self, since: SystemTime) -> Result<usize, StoreError> {
        let mut aborted = 0usize;
        for bucket in self.buckets()? {
            match self.abort_stale_of(&bucket.name, since) {
                Ok(count) => aborted = aborted.saturating_add(count),
                // Somebody removed it.
                Err(StoreError::NoSuchBucket(_)) => {}
                Err(error) => {
                    tracing::warn!(bucket = %bucket.name, %error, "cannot look for uploads that nobody ends")
                }
            }
        }
        Ok(aborted)
    }

    fn abort_stale_of(&self, bucket: &BucketName, since: SystemTime) -> Result<usize, StoreError> {
        if self.bucket(bucket).0.lock().is_none() {
            return Ok(0);
        }
        let opened = self.open_bucket(bucket)?;
        let mut aborted = 0usize;
        for found in self.multiparts(bucket)? {
            let upload = UploadName {
                bucket: bucket.clone(),
                key: found.began.key,
                id: found.id,
            };
            let path = self.path_of(bucket, &format!("{}/{}", super::UPLOADS, upload.id));
            let ended = {
                // Under the lock no part can come between the look and the end.
                let _guard = self.lock(bucket, &upload.key);
                if last_change(&path).is_none_or(|last| last >= since) {
                    continue;
                }
                self.end_upload(&opened, &upload, &StillAllowed::housekeeping())?
            };
            ended.remove();
            aborted = aborted.saturating_add(1);
        }
        Ok(aborted)
    }
}

/// When the upload began, or its last part came. None: it has ended.
fn last_change(upload: &Path) -> Option<SystemTime> {
    let of = |path: &Path| fs::symlink_metadata(path).and_then(|found| found.modified()).ok();
    let groups = fs::read_dir(upload).ok()?.flatten();
    let groups = groups.filter_map(|entry| of(&entry.path()));
    groups.chain(of(upload)).max()
}
