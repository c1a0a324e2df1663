pub(super) mod crash;
mod full;
mod gone;
mod kept;
mod known;
mod leftovers;
mod listing;
mod model;
mod multipart;
mod races;
mod records;

use std::{
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use bytes::Bytes;

use super::*;
use crate::{
    store::{Completion, Content, LastLook, ListQuery, Page, Store, Upload},
    types::{ETag, ObjectAttributes, ObjectKey, Properties, WriteCondition},
};

/// Stores an object, as the gateway does.
async fn stored(
    store: &DiskStore,
    key: &str,
    content: &[u8],
    properties: Properties,
    condition: WriteCondition,
) -> Result<ObjectAttributes, StoreError> {
    let mut upload = store
        .upload(&BucketName::parse("abc").unwrap(), None, LastLook::none())
        .await?;
    for piece in content.chunks(700_000) {
        upload.write(Bytes::copy_from_slice(piece)).await?;
    }
    let etag = ETag::new(format!("tag-of-{}", content.len()));
    upload
        .commit(&ObjectKey::parse(key).unwrap(), etag, properties, condition)
        .await
}

fn put(store: &DiskStore, key: &str, content: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime
        .block_on(stored(
            store,
            key,
            content,
            Properties::default(),
            WriteCondition::Always,
        ))
        .unwrap_or_else(|error| panic!("{key:?}: {error}"));
}

/// Opens a store that another one had a moment ago. A test beside this one may be starting a process just then: until that process runs its own program it
/// holds what this one had open, locks too.
fn reopened(settings: &Settings) -> DiskStore {
    unlocked(settings).unwrap()
}

fn unlocked(settings: &Settings) -> Result<DiskStore, OpenError> {
    for _ in 0..2_000 {
        match DiskStore::open(settings, &[]) {
            Err(OpenError::Locked { .. }) => std::thread::sleep(std::time::Duration::from_millis(5)),
            opened => return opened,
        }
    }
    panic!("{:?} stays locked", settings.root);
}

struct Sample {
    folder: tempfile::TempDir,
    store: DiskStore,
}

fn settings(root: &Path) -> Settings {
    Settings {
        root: root.to_owned(),
        ..Settings::default()
    }
}

fn sample(files: &[&str]) -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    fs::create_dir_all(root.join("abc")).unwrap();
    for file in files {
        let path = root.join("abc").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("content of {file}")).unwrap();
    }
    let store = DiskStore::open(&settings(&root), &[]).unwrap();
    Sample { folder, store }
}

#[test]
fn mark_of_a_store_is_its_users_alone() {
    let Sample { folder, store } = sample(&[]);
    let mark = folder.path().join("data").join(lock::MARK);
    let mode = fs::metadata(&mark).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // One that an older version made, for all to read, is still that of a store.
    drop(store);
    fs::set_permissions(&mark, fs::Permissions::from_mode(0o644)).unwrap();
    DiskStore::open(&settings(&folder.path().join("data")), &[]).unwrap();
}

/// Waits until the clock of the file system has moved on: the next change has another time.
pub(super) fn wait_for_next_time(folder: &Path) {
    let probe = tempfile::NamedTempFile::new_in(folder).unwrap();
    let modified = || {
        fs::write(probe.path(), "x").unwrap();
        fs::metadata(probe.path()).unwrap().modified().unwrap()
    };
    let first = modified();
    while modified() == first {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Whether the file system keeps extended attributes.
fn has_attributes(folder: &Path) -> bool {
    let probe = tempfile::NamedTempFile::new_in(folder).unwrap();
    rustix::fs::fsetxattr(
        probe.as_file(),
        "user.probe",
        b"1",
        rustix::fs::XattrFlags::empty(),
    )
    .is_ok()
}

/// What is in the bucket's own folders.
fn own_names(bucket: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for own in [temporary::FOLDER, record::SPILLED] {
        let entries = fs::read_dir(bucket.join(own)).into_iter().flatten().flatten();
        names.extend(entries.map(|entry| format!("{own}/{}", entry.file_name().to_string_lossy())));
    }
    names.sort();
    names
}

/// One round of housekeeping that finds everything old enough.
fn keep_house(store: &DiskStore) -> Removed {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime
        .block_on(store.keep_house(std::time::Duration::ZERO))
        .unwrap()
}

async fn read(store: &DiskStore, bucket: &str, key: &str) -> Result<String, StoreError> {
    let object = store
        .open(
            &BucketName::parse(bucket).unwrap(),
            &ObjectKey::parse(key).unwrap(),
        )
        .await?;
    let Content::File(file) = object.content;
    let mut body = FileBody::new(file, 0..object.attributes.size);
    let mut all = Vec::new();
    while let Some(chunk) = body.next().await {
        all.extend_from_slice(&chunk.unwrap());
    }
    Ok(String::from_utf8(all).unwrap())
}

#[tokio::test]
async fn a_key_is_the_file_that_the_mapping_names_and_no_other() {
    let sample = sample(&[
        "films/a.mp4",
        "100%.txt",
        "dir/~=",
        "~=%2e%2e/x",
        "both/~@",
        "both/b",
        "~+file",
    ]);
    for (key, file) in [
        ("films/a.mp4", "films/a.mp4"),
        ("100%.txt", "100%.txt"),
        ("dir/", "dir/~="),
        ("../x", "~=%2e%2e/x"),
        ("both", "both/~@"),
        ("both/b", "both/b"),
    ] {
        assert_eq!(
            read(&sample.store, "abc", key).await.unwrap(),
            format!("content of {file}"),
            "{key}"
        );
    }
    for key in [
        "films",
        "films/",
        "/films/a.mp4",
        "films//a.mp4",
        "films/./a.mp4",
        "films/a.mp4/",
        "~+file",
        "both/~@",
        "a\0b",
    ] {
        assert!(
            matches!(read(&sample.store, "abc", key).await, Err(StoreError::NoSuchKey)),
            "{key}"
        );
    }
}

#[tokio::test]
async fn nothing_outside_the_bucket_can_be_opened() {
    let sample = sample(&["a"]);
    let outside = sample.folder.path().join("secret");
    fs::write(&outside, "secret").unwrap();
    let bucket = sample.folder.path().join("data/abc");
    symlink(&outside, bucket.join("absolute")).unwrap();
    symlink("../../secret", bucket.join("relative")).unwrap();
    symlink(sample.folder.path(), bucket.join("folder")).unwrap();
    symlink(sample.folder.path(), sample.folder.path().join("data/linked")).unwrap();
    for key in [
        "absolute",
        "relative",
        "folder/secret",
        "../../secret",
        "/../../secret",
        "..%2f..%2fsecret",
        "../abc/a",
    ] {
        assert!(
            matches!(read(&sample.store, "abc", key).await, Err(StoreError::NoSuchKey)),
            "{key}"
        );
    }
    assert!(matches!(
        read(&sample.store, "linked", "secret").await,
        Err(StoreError::NoSuchKey | StoreError::NoSuchBucket(_))
    ));
}

#[tokio::test]
async fn what_is_no_regular_file_is_no_object_and_does_not_hang() {
    let sample = sample(&[]);
    let fifo = sample.folder.path().join("data/abc/fifo");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    assert!(matches!(
        read(&sample.store, "abc", "fifo").await,
        Err(StoreError::NoSuchKey)
    ));
}

#[tokio::test]
async fn a_missing_bucket_is_told_from_a_missing_key() {
    let sample = sample(&["a"]);
    assert!(matches!(
        read(&sample.store, "none", "a").await,
        Err(StoreError::NoSuchBucket(_))
    ));
    assert!(matches!(
        read(&sample.store, "abc", "none").await,
        Err(StoreError::NoSuchKey)
    ));
    assert!(matches!(
        read(&sample.store, "abc", &"k/".repeat(512)).await,
        Err(StoreError::NoSuchKey)
    ));
    let names: Vec<_> = sample
        .store
        .buckets()
        .await
        .unwrap()
        .iter()
        .map(|bucket| bucket.name.to_string())
        .collect();
    assert_eq!(names, ["abc"]);
}

#[tokio::test]
async fn a_folder_elsewhere_can_be_a_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let films = folder.path().join("films");
    fs::create_dir(&films).unwrap();
    fs::write(films.join("a"), "elsewhere").unwrap();
    let mounted = BucketFolder {
        name: BucketName::parse("movies").unwrap(),
        path: films,
    };
    let store = DiskStore::open(
        &settings(&folder.path().join("data")),
        std::slice::from_ref(&mounted),
    )
    .unwrap();
    assert_eq!(read(&store, "movies", "a").await.unwrap(), "elsewhere");
    assert!(store.bucket_exists(&mounted.name).await.unwrap());
    drop(store);
    let twice = DiskStore::open(
        &settings(&folder.path().join("data")),
        &[mounted.clone(), mounted],
    );
    assert!(matches!(twice, Err(OpenError::DuplicateBucket(_))));
}

#[test]
fn a_root_serves_one_process_and_one_format() {
    let folder = tempfile::tempdir().unwrap();
    let first = DiskStore::open(&settings(folder.path()), &[]).unwrap();
    assert!(matches!(
        DiskStore::open(&settings(folder.path()), &[]),
        Err(OpenError::Locked { .. })
    ));
    drop(first);
    fs::write(folder.path().join("~!postern"), "postern store, format 99\n").unwrap();
    let error = unlocked(&settings(folder.path()))
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(error.contains("format 99"), "{error}");
}

#[tokio::test]
async fn an_object_that_is_replaced_while_it_is_read_stays_the_old_one() {
    let sample = sample(&["a"]);
    let object = sample
        .store
        .open(
            &BucketName::parse("abc").unwrap(),
            &ObjectKey::parse("a").unwrap(),
        )
        .await
        .unwrap();
    let (bucket, new) = (
        sample.folder.path().join("data/abc"),
        sample.folder.path().join("new"),
    );
    fs::write(&new, "new").unwrap();
    fs::rename(new, bucket.join("a")).unwrap();
    let Content::File(file) = object.content;
    let mut body = FileBody::new(file, 0..object.attributes.size);
    assert_eq!(body.next().await.unwrap().unwrap(), "content of a");
    assert_eq!(read(&sample.store, "abc", "a").await.unwrap(), "new");
}

#[test]
fn a_folder_elsewhere_is_locked_swept_and_may_have_two_names() {
    let home = tempfile::tempdir().unwrap();
    let films = home.path().join("films");
    fs::create_dir_all(films.join("~!tmp")).unwrap();
    fs::write(films.join("~!tmp/left"), "").unwrap();
    fs::write(films.join("a"), "a").unwrap();
    let named = |name: &str| BucketFolder {
        name: BucketName::parse(name).unwrap(),
        path: films.clone(),
    };
    let open = |root: &str, names: &[&str]| {
        let buckets: Vec<_> = names.iter().map(|name| named(name)).collect();
        DiskStore::open(&settings(&home.path().join(root)), &buckets)
    };
    let store = open("one", &["films", "movies"]).unwrap();
    assert_eq!(own_names(&films), Vec::<String>::new());
    assert!(matches!(open("two", &["films"]), Err(OpenError::Locked { .. })));
    drop(store);
    assert!(open("two", &["films"]).is_ok());
}

#[tokio::test]
async fn an_error_names_what_is_in_the_way_of_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = folder.path().join("abc");
    fs::create_dir_all(bucket.join("a")).unwrap();
    symlink("/", bucket.join("a/link")).unwrap();
    let settings = Settings {
        root: folder.path().to_owned(),
        ..Settings::default()
    };
    let store = DiskStore::open(&settings, &[]).unwrap();
    for key in ["a/link/b/c", "a/link/b", "a/link"] {
        let put = stored(&store, key, b"x", Properties::default(), WriteCondition::Always).await;
        let StoreError::InTheWay { path } = put.unwrap_err() else {
            panic!("{key}");
        };
        assert_eq!(path, bucket.join("a/link"), "{key}");
    }
}
