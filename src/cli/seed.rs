//! Seeding: each folder in a folder is a bucket, and its files are copied in where there is no object of that key yet.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use md5::{Digest, Md5};

use crate::{
    store::{LastLook, Store, StoreError, Upload},
    types::{BucketName, ETag, ObjectKey, Properties, WriteCondition},
};

use super::Problem;

/// How much of a file is in memory at a time.
const PIECE_BYTES: usize = 1024 * 1024;

/// What was done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seeded {
    /// Objects that were copied in.
    pub(super) copied: usize,
    /// Objects that were there already.
    pub(super) kept: usize,
    /// What is no object, and why.
    pub(super) skipped: Vec<String>,
}

/// Copies a folder of folders in.
pub(super) async fn seed<S: Store>(store: &S, folder: &Path) -> Result<Seeded, Problem> {
    let mut seeded = Seeded::default();
    for entry in sorted(folder)? {
        let name = entry
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        match BucketName::parse(&name) {
            Ok(bucket) if entry.symlink_metadata()?.is_dir() => {
                store.create_bucket(&bucket, LastLook::none()).await?;
                copy_folder(store, &bucket, &entry, &mut seeded).await?;
            }
            Ok(_) => seeded.skipped.push(format!("{}: not a folder", entry.display())),
            Err(error) => seeded.skipped.push(format!("{}: {error}", entry.display())),
        }
    }
    Ok(seeded)
}

async fn copy_folder<S: Store>(
    store: &S,
    bucket: &BucketName,
    root: &Path,
    seeded: &mut Seeded,
) -> Result<(), Problem> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in sorted(&folder)? {
            let metadata = path.symlink_metadata()?;
            let relative = path.strip_prefix(root).unwrap_or(&path).to_str();
            match relative.and_then(|name| ObjectKey::parse(name).ok()) {
                _ if metadata.is_dir() => folders.push(path),
                Some(key) if metadata.is_file() => match copy_file(store, bucket, &key, &path).await {
                    Ok(()) => seeded.copied = seeded.copied.saturating_add(1),
                    Err(Failure::There) => seeded.kept = seeded.kept.saturating_add(1),
                    Err(Failure::Failed(problem)) => return Err(problem),
                },
                Some(_) => seeded
                    .skipped
                    .push(format!("{}: neither a file nor a folder", path.display())),
                None => seeded
                    .skipped
                    .push(format!("{}: its name is no key", path.display())),
            }
        }
    }
    Ok(())
}

enum Failure {
    /// There is an object of this key.
    There,
    /// This.
    Failed(Problem),
}

impl<E: Into<Problem>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

async fn copy_file<S: Store>(
    store: &S,
    bucket: &BucketName,
    key: &ObjectKey,
    path: &Path,
) -> Result<(), Failure> {
    if store.open(bucket, key).await.is_ok() {
        return Err(Failure::There);
    }
    let mut file = File::open(path)?;
    let mut upload = store.upload(bucket, None, LastLook::none()).await?;
    let mut md5 = Md5::new();
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        if Read::by_ref(&mut file)
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut piece)?
            == 0
        {
            break;
        }
        md5.update(&piece);
        upload.write(Bytes::from(piece)).await?;
    }
    let content_type = mime_guess::from_path(path)
        .first_raw()
        .unwrap_or("binary/octet-stream");
    let properties = Properties {
        content_type: content_type.to_owned(),
        ..Properties::default()
    };
    let etag = ETag::of_md5(md5.finalize().into());
    match upload.commit(key, etag, properties, WriteCondition::Absent).await {
        Ok(_) => Ok(()),
        Err(StoreError::ConditionFailed) => Err(Failure::There),
        Err(error) => Err(error.into()),
    }
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let entries =
        fs::read_dir(folder).map_err(|error| format!("{}: cannot be read: {error}", folder.display()))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{DiskStore, ListQuery, Settings};

    #[tokio::test]
    async fn folders_become_buckets_and_what_is_there_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let seeds = home.path().join("seeds");
        fs::create_dir_all(seeds.join("films/deep er")).unwrap();
        fs::create_dir_all(seeds.join("Not A Bucket")).unwrap();
        fs::write(seeds.join("films/deep er/a.txt"), "one").unwrap();
        fs::write(seeds.join("films/~=odd%"), "two").unwrap();
        std::os::unix::fs::symlink("a.txt", seeds.join("films/link")).unwrap();
        let settings = Settings {
            root: home.path().join("data"),
            ..Settings::default()
        };
        let store = DiskStore::open(&settings, &[]).unwrap();
        let first = seed(&store, &seeds).await.unwrap();
        assert_eq!(
            (first.copied, first.kept, first.skipped.len()),
            (2, 0, 2),
            "{first:?}"
        );
        let second = seed(&store, &seeds).await.unwrap();
        assert_eq!((second.copied, second.kept), (0, 2));
        let bucket = BucketName::parse("films").unwrap();
        let query = ListQuery {
            limit: 10,
            ..ListQuery::default()
        };
        assert_eq!(store.list(&bucket, query).await.unwrap().entries.len(), 2);
        let object = store
            .open(&bucket, &ObjectKey::parse("deep er/a.txt").unwrap())
            .await
            .unwrap();
        assert_eq!(
            object.attributes.etag.as_str(),
            "f97c5d29941bfb1b2fdab0874906ab82"
        );
        assert_eq!(object.attributes.properties.content_type, "text/plain");
    }
}
