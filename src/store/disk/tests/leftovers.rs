//! What failures and killed processes leave is removed while the store runs, and blocks nothing.

use std::time::Duration;

use super::*;

fn bucket() -> BucketName {
    BucketName::parse("abc").unwrap()
}

fn delete_bucket(store: &DiskStore) -> Result<(), StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.delete_bucket(&bucket(), LastLook::none()))
}

#[test]
fn empty_folders_and_files_of_the_store_keep_no_bucket() {
    let Sample { folder, store } = sample(&["films/a"]);
    let path = folder.path().join("data/abc");
    fs::create_dir_all(path.join("x/y/z")).unwrap();
    fs::create_dir_all(path.join("old")).unwrap();
    fs::write(path.join("old/~!place"), "1\nx").unwrap();
    fs::create_dir_all(path.join("~!tmp/left")).unwrap();
    fs::write(path.join("~!tmp/left/file"), "x").unwrap();
    assert!(matches!(
        delete_bucket(&store),
        Err(StoreError::BucketNotEmpty(_))
    ));
    assert!(path.join("films/a").exists());
    fs::remove_file(path.join("films/a")).unwrap();
    delete_bucket(&store).unwrap();
    assert!(!path.exists());
    assert!(matches!(delete_bucket(&store), Err(StoreError::NoSuchBucket(_))));
}

#[tokio::test]
async fn deleted_bucket_takes_no_object_that_was_on_its_way() {
    let Sample { folder, store } = &sample(&[]);
    let path = folder.path().join("data");
    let begin = async || {
        let mut upload = store.upload(&bucket(), None, LastLook::none()).await.unwrap();
        for _ in 0..2 {
            // The second waits until the first is in a file of the bucket.
            upload.write(Bytes::from(vec![b'x'; 2 << 20])).await.unwrap();
        }
        upload
    };
    for made_again in [false, true] {
        let upload = begin().await;
        store.delete_bucket(&bucket(), LastLook::none()).await.unwrap();
        if made_again {
            store.create_bucket(&bucket(), LastLook::none()).await.unwrap();
        }
        let key = ObjectKey::parse("a").unwrap();
        let etag = ETag::new("e".to_owned());
        let always = WriteCondition::Always;
        let refused = upload.commit(&key, etag, Properties::default(), always).await;
        assert!(refused.is_err(), "{refused:?}");
        store.create_bucket(&bucket(), LastLook::none()).await.unwrap();
    }
    assert_eq!(own_names(&path.join("abc")), [""; 0]);
    assert!(!path.join("abc/a").exists());
    // What a killed process left of a deleted bucket.
    fs::create_dir_all(path.join("~!gone-x/~!bucket")).unwrap();
    assert_eq!(store.keep_house(Duration::ZERO).await.unwrap().temporary, 1);
    assert!(!path.join("~!gone-x").exists());
}

#[test]
fn bucket_configured_within_another_keeps_that_one() {
    let Sample { folder, store } = sample(&[]);
    let path = folder.path().join("data/abc/inner");
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join(lock::MARK), "of another bucket").unwrap();
    assert!(matches!(
        delete_bucket(&store),
        Err(StoreError::BucketNotEmpty(_))
    ));
    assert!(path.join(lock::MARK).exists());
}

#[test]
fn file_that_is_no_object_keeps_its_bucket() {
    let Sample { folder, store } = sample(&[]);
    let path = folder.path().join("data/abc");
    fs::create_dir_all(path.join("x/y")).unwrap();
    symlink("nowhere", path.join("x/y/link")).unwrap();
    assert!(matches!(
        delete_bucket(&store),
        Err(StoreError::BucketNotEmpty(_))
    ));
    assert!(path.join("x/y/link").symlink_metadata().is_ok());
}

#[test]
fn leftovers_go_without_a_restart_and_nothing_else_does() {
    let Sample { folder, store } = sample(&["films/a", "both/~@"]);
    let path = folder.path().join("data/abc");
    fs::create_dir_all(path.join("films/x/y")).unwrap();
    fs::create_dir_all(path.join("old")).unwrap();
    fs::write(path.join("old/~!place"), "1\nx").unwrap();
    fs::create_dir_all(path.join("~!tmp/folder/00")).unwrap();
    fs::write(path.join("~!tmp/folder/00/part"), "x").unwrap();
    for number in 0..600 {
        fs::write(path.join(format!("~!tmp/{number}")), "x").unwrap();
    }
    let young = Duration::from_secs(3600);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let removed = runtime.block_on(store.keep_house(young)).unwrap();
    assert_eq!((removed.temporary, removed.folders), (601, 0));
    assert_eq!(keep_house(&store).folders, 3);
    assert!(path.join("films/a").exists() && path.join("both/~@").exists());
    assert!(!path.join("films/x").exists() && !path.join("old").exists());
    assert_eq!(own_names(&path), [""; 0]);
    assert_eq!(keep_house(&store), Removed::default());
}

#[tokio::test]
async fn upload_in_flight_is_not_left_over() {
    let Sample { store, .. } = &sample(&[]);
    let mut upload = store.upload(&bucket(), None, LastLook::none()).await.unwrap();
    for _ in 0..3 {
        upload.write(Bytes::from(vec![b'x'; 1 << 20])).await.unwrap();
    }
    let removed = store.keep_house(Duration::ZERO).await.unwrap();
    assert_eq!(removed, Removed::default());
    let etag = ETag::new("e".to_owned());
    let key = ObjectKey::parse("a").unwrap();
    let always = WriteCondition::Always;
    let stored = upload.commit(&key, etag, Properties::default(), always).await;
    assert_eq!(stored.unwrap().size, 3 << 20);
}

#[test]
fn object_whose_folder_cannot_take_its_place_is_not_removed() {
    let Sample { folder, store } = sample(&["x"]);
    let path = folder.path().join("data/abc");
    fs::create_dir_all(path.join("~!tmp/made")).unwrap();
    fs::write(path.join("~!tmp/made/~@"), "object").unwrap();
    // A file is where its folder would be.
    fs::write(path.join("~!tmp/made.place"), "x/y\na").unwrap();
    for _ in 0..2 {
        keep_house(&store);
        assert_eq!(fs::read_to_string(path.join("~!tmp/made/~@")).unwrap(), "object");
    }
    fs::remove_file(path.join("x")).unwrap();
    keep_house(&store);
    assert_eq!(fs::read_to_string(path.join("x/y/a/~@")).unwrap(), "object");
    assert_eq!(own_names(&path), [""; 0]);
}

#[test]
fn damaged_object_keeps_no_empty_folder_and_deep_keys_take_few_descriptors() {
    let Sample { folder, store } = sample(&["damaged"]);
    let path = folder.path().join("data/abc");
    if has_attributes(&path) {
        let file = File::open(path.join("damaged")).unwrap();
        rustix::fs::fsetxattr(&file, record::ATTRIBUTE, b"{", rustix::fs::XattrFlags::empty()).unwrap();
    }
    put(&store, &"d/".repeat(500), b"deep");
    fs::create_dir(path.join("empty")).unwrap();
    fs::create_dir_all(path.join("e/".repeat(500))).unwrap();
    assert_eq!(keep_house(&store).folders, 501);
    assert!(!path.join("e").exists() && path.join("d").exists());
}

#[test]
fn folder_that_was_taking_the_place_of_an_object_gets_there() {
    for journal in ["beside", "inside"] {
        let Sample { folder, store } = sample(&["x/other"]);
        let path = folder.path().join("data/abc");
        fs::create_dir_all(path.join("~!tmp/made")).unwrap();
        fs::write(path.join("~!tmp/made/~@"), "object").unwrap();
        match journal {
            "beside" => fs::write(path.join("~!tmp/made.place"), "x\na").unwrap(),
            _ => {
                use std::os::unix::fs::MetadataExt;
                let inode = fs::metadata(path.join("x")).unwrap().ino();
                fs::write(path.join("~!tmp/made/~!place"), format!("{inode}\na")).unwrap();
            }
        }
        keep_house(&store);
        assert_eq!(
            fs::read_to_string(path.join("x/a/~@")).unwrap(),
            "object",
            "{journal}"
        );
        assert!(!path.join("x/a/~!place").exists());
        assert_eq!(own_names(&path), [""; 0]);
    }
}
