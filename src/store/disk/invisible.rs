//! What lies in a bucket's folder and is no object: symlinks, devices, names that are no key's. In go the settings, out comes a list for the
//! operator, who may wonder why a file cannot be linked to. It reads names only, and takes no lock.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    store::{BucketFolder, Settings},
    types::BucketName,
};

use super::mapping::{self, OWN_PREFIX};

/// Files that cannot be objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invisible {
    /// The first of them, each with the reason.
    pub found: Vec<(PathBuf, &'static str)>,
    /// How many there are in all.
    pub count: usize,
}

/// Looks through every bucket, and keeps the first `limit` of what it finds. A folder that cannot be read is passed over: `serve` tells of it.
pub fn invisible(settings: &Settings, buckets: &[BucketFolder], limit: usize) -> Invisible {
    let below_root = below_root(settings).into_iter().flatten().map(|(_, path)| path);
    let elsewhere = buckets.iter().map(|bucket| bucket.path.clone());
    let mut folders: Vec<_> = below_root.chain(elsewhere).collect();
    folders.sort();
    let mut invisible = Invisible::default();
    for bucket in folders {
        look(&bucket, &bucket, limit, &mut invisible);
    }
    invisible
}

/// The buckets that there are. `None`: the root cannot be read, so nobody knows.
pub fn bucket_names(settings: &Settings, buckets: &[BucketFolder]) -> Option<Vec<BucketName>> {
    let below_root = below_root(settings)?.into_iter().map(|(name, _)| name);
    let elsewhere = buckets.iter().map(|bucket| bucket.name.clone());
    Some(below_root.chain(elsewhere).collect())
}

fn below_root(settings: &Settings) -> Option<Vec<(BucketName, PathBuf)>> {
    let entries = fs::read_dir(&settings.root).ok()?.flatten();
    let bucket = |entry: fs::DirEntry| {
        let name = BucketName::parse(entry.file_name().to_str()?).ok()?;
        let path = entry.path();
        path.is_dir().then_some((name, path))
    };
    Some(entries.filter_map(bucket).collect())
}

fn look(bucket: &Path, folder: &Path, limit: usize, invisible: &mut Invisible) {
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(OWN_PREFIX)) {
            continue;
        }
        match why(bucket, &entry) {
            Ok(Some(reason)) => {
                invisible.count = invisible.count.saturating_add(1);
                if invisible.found.len() < limit {
                    invisible.found.push((entry.path(), reason));
                }
            }
            Ok(None) if entry.file_type().is_ok_and(|kind| kind.is_dir()) => {
                look(bucket, &entry.path(), limit, invisible);
            }
            Ok(None) | Err(_) => {}
        }
    }
}

/// Why it is no object; none for one, and for a folder that may hold some.
fn why(bucket: &Path, entry: &fs::DirEntry) -> io::Result<Option<&'static str>> {
    let kind = entry.file_type()?;
    let path = entry.path();
    let relative = path.strip_prefix(bucket).unwrap_or(&path);
    Ok(if kind.is_symlink() {
        Some("a symlink is never followed")
    } else if kind.is_dir() {
        None
    } else if !kind.is_file() {
        Some("neither a file nor a folder")
    } else if mapping::from_path(relative).is_none() {
        Some("its name is that of no key (docs/CONFIGURATION.md, «Keys on disk»)")
    } else {
        None
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_no_object_is_named_and_counted() {
        let root = tempfile::tempdir().unwrap();
        let bucket = root.path().join("films");
        fs::create_dir_all(bucket.join("a/~!tmp")).unwrap();
        fs::create_dir_all(root.path().join("Not A Bucket")).unwrap();
        for good in ["a/b", "a/~=", "~=~@", "a/~!tmp/x"] {
            fs::write(bucket.join(good), "").unwrap();
        }
        for odd in ["~=needless", "a/~+x", "a/~=%zz"] {
            fs::write(bucket.join(odd), "").unwrap();
        }
        symlink("a", bucket.join("link")).unwrap();
        let settings = Settings {
            root: root.path().to_owned(),
            ..Settings::default()
        };
        let all = invisible(&settings, &[], 100);
        let names: Vec<_> = all
            .found
            .iter()
            .map(|(path, _)| path.strip_prefix(&bucket).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["a/~+x", "a/~=%zz", "link", "~=needless"]);
        let two = invisible(&settings, &[], 2);
        assert_eq!((two.found.len(), two.count), (2, 4));
    }
}
