//! Folders that go and come back while the store is open: what a file system that is unmounted and mounted again looks like from here.

use super::*;
use crate::store::BucketFolder;

fn out_of_service<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::OutOfService(_)))
}

async fn try_put(store: &DiskStore, key: &str, content: &[u8]) -> Result<ObjectAttributes, StoreError> {
    stored(store, key, content, Properties::default(), WriteCondition::Always).await
}

/// A whole tree, with its times.
fn copied(from: &Path, to: &Path) {
    let done = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status();
    assert!(done.unwrap().success());
}

#[tokio::test]
async fn a_root_that_is_unmounted_is_out_of_service_and_is_taken_up_again_when_it_is_the_store_again() {
    let Sample { folder, store } = &sample(&["a"]);
    let (root, away) = (folder.path().join("data"), folder.path().join("away"));
    store.look_around();
    assert_eq!(store.problem(), None);

    fs::rename(&root, &away).unwrap();
    // Before anybody has looked: nothing is told as done that nobody would find.
    fs::create_dir_all(root.join("abc")).unwrap();
    assert!(out_of_service(try_put(store, "b", b"b").await));
    assert!(!root.join("abc/b").exists() && !away.join("abc/b").exists());
    store.look_around();
    let problem = store.problem().unwrap();
    assert!(
        problem.contains(root.to_str().unwrap()) && problem.contains("mount it again"),
        "{problem}"
    );
    assert!(out_of_service(read(store, "abc", "a").await));
    assert!(out_of_service(store.buckets().await));
    assert!(out_of_service(
        store
            .create_bucket(&BucketName::parse("xyz").unwrap(), LastLook::none())
            .await
    ));
    assert!(out_of_service(try_put(store, "b", b"b").await));
    // However long it takes: the folder underneath is never taken for the store, and nothing is made in it.
    for _ in 0..3 {
        store.look_around();
    }
    assert!(store.problem().is_some());
    assert_eq!(fs::read_dir(&root).unwrap().count(), 1, "no mark, no bucket");

    fs::remove_dir_all(&root).unwrap();
    store.look_around();
    assert!(out_of_service(read(store, "abc", "a").await));
    copied(&away, &root);
    store.look_around();
    assert_eq!(store.problem(), None);
    assert_eq!(read(store, "abc", "a").await.unwrap(), "content of a");
    try_put(store, "b", b"b").await.unwrap();
    assert_eq!(fs::read(root.join("abc/b")).unwrap(), b"b");
    // It is locked again.
    assert!(matches!(
        DiskStore::open(&settings(&root), &[]),
        Err(OpenError::Locked { .. })
    ));
}

#[tokio::test]
async fn what_began_before_the_folder_went_ends_whole_or_not_at_all() {
    let Sample { folder, store } = &sample(&["a"]);
    let (root, away) = (folder.path().join("data"), folder.path().join("away"));
    let bucket = BucketName::parse("abc").unwrap();
    let key = |key| ObjectKey::parse(key).unwrap();
    let begun = async || {
        let mut upload = store.upload(&bucket, None, LastLook::none()).await.unwrap();
        upload.write(Bytes::from(vec![b'n'; 3_000_000])).await.unwrap();
        upload
    };
    let commit = async |upload: DiskUpload| {
        let etag = ETag::new("tag".to_owned());
        upload
            .commit(&key("new"), etag, Properties::default(), WriteCondition::Always)
            .await
    };
    let (before, across) = (begun().await, begun().await);
    let download = store.open(&bucket, &key("a")).await.unwrap();
    fs::rename(&root, &away).unwrap();
    assert!(out_of_service(commit(before).await));
    store.look_around();
    // Back, and the very same folder: what was opened by the lock that is still held.
    fs::rename(&away, &root).unwrap();
    store.look_around();
    assert_eq!(store.problem(), None);
    commit(across).await.unwrap();
    assert!(root.join("abc/new").exists());

    let across = begun().await;
    fs::rename(&root, &away).unwrap();
    store.look_around();
    copied(&away, &root);
    fs::remove_file(root.join("abc/new")).unwrap();
    store.look_around();
    assert_eq!(store.problem(), None);
    assert!(
        out_of_service(commit(across).await),
        "it was written into the folder that went"
    );
    assert!(!root.join("abc/new").exists());
    let Content::File(file) = download.content;
    let mut body = FileBody::new(file, 0..download.attributes.size);
    assert_eq!(body.next().await.unwrap().unwrap(), "content of a");
}

#[tokio::test]
async fn another_store_in_the_place_of_the_one_that_was_opened_is_not_served() {
    let Sample { folder, store } = &sample(&["a"]);
    let root = folder.path().join("data");
    fs::rename(&root, folder.path().join("away")).unwrap();
    store.look_around();
    fs::create_dir_all(root.join("abc")).unwrap();
    drop(DiskStore::open(&settings(&root), &[]).unwrap());
    store.look_around();
    let problem = store.problem().unwrap();
    assert!(problem.contains("another store"), "{problem}");
    assert!(out_of_service(
        store
            .list(&BucketName::parse("abc").unwrap(), ListQuery::default())
            .await
    ));
}

#[tokio::test]
async fn a_store_that_another_process_has_taken_meanwhile_is_left_to_it() {
    let Sample { folder, store } = &sample(&["a"]);
    let (root, away) = (folder.path().join("data"), folder.path().join("away"));
    fs::rename(&root, &away).unwrap();
    store.look_around();
    copied(&away, &root);
    let other = reopened(&settings(&root));
    store.look_around();
    let problem = store.problem().unwrap();
    assert!(problem.contains("another process"), "{problem}");
    drop(other);
    for _ in 0..2_000 {
        store.look_around();
        if store.problem().is_none() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(read(store, "abc", "a").await.unwrap(), "content of a");
}

#[tokio::test]
async fn a_bucket_elsewhere_that_goes_takes_no_other_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("data/abc")).unwrap();
    fs::create_dir(path("films")).unwrap();
    for file in ["data/abc/a", "films/a"] {
        fs::write(path(file), file).unwrap();
    }
    let films = BucketFolder {
        name: BucketName::parse("films").unwrap(),
        path: path("films"),
    };
    let store = DiskStore::open(&settings(&path("data")), &[films]).unwrap();
    fs::rename(path("films"), path("away")).unwrap();
    store.look_around();
    assert!(store.problem().unwrap().contains("films cannot be opened"));
    assert!(out_of_service(read(&store, "films", "a").await));
    assert!(out_of_service(
        store.bucket_exists(&BucketName::parse("films").unwrap()).await
    ));
    assert_eq!(read(&store, "abc", "a").await.unwrap(), "data/abc/a");
    try_put(&store, "b", b"b").await.unwrap();
    fs::rename(path("away"), path("films")).unwrap();
    store.look_around();
    assert_eq!(store.problem(), None);
    assert_eq!(read(&store, "films", "a").await.unwrap(), "films/a");
}

#[tokio::test]
async fn a_mark_that_is_gone_or_is_no_mark_is_a_problem_and_the_folder_stays_in_service() {
    let Sample { folder, store } = &sample(&["a"]);
    let mark = folder.path().join("data/~!postern");
    let text = fs::read(&mark).unwrap();
    fs::remove_file(&mark).unwrap();
    store.look_around();
    assert!(store.problem().unwrap().contains("lost its mark"));
    assert_eq!(read(store, "abc", "a").await.unwrap(), "content of a");
    fs::write(&mark, "torn").unwrap();
    store.look_around();
    assert!(store.problem().is_some());
    fs::write(&mark, text).unwrap();
    store.look_around();
    assert_eq!(store.problem(), None);
}

#[tokio::test]
async fn a_spilled_record_outlives_a_sweep_while_its_object_is_there() {
    let Sample { folder, store } = &sample(&[]);
    let tags = (0..10)
        .map(|n| crate::types::Tag {
            key: format!("{n}{}", "k".repeat(100)),
            value: "v".repeat(256),
        })
        .collect();
    let properties = Properties {
        tags,
        ..Properties::default()
    };
    stored(store, "a", b"a", properties, WriteCondition::Always)
        .await
        .unwrap();
    let own = || own_names(&folder.path().join("data/abc"));
    assert_eq!(own().len(), 1);
    store.now().recover();
    assert_eq!(own().len(), 1);
}
