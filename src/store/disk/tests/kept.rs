//! What is kept with an object, where it is kept, and when it no longer counts.

use super::*;
use crate::types::{CameBy, Checksum, ChecksumAlgorithm, Parts, Tag, UploadId};

fn everything(metadata: usize) -> Properties {
    let text = |text: &str| Some(text.to_owned());
    Properties {
        content_type: "text/x-test".to_owned(),
        cache_control: text("max-age=1"),
        content_disposition: text("inline; filename=\"ü\""),
        content_encoding: text("gzip"),
        content_language: text("de, en"),
        expires: text("Wed, 21 Oct 2026 07:28:00 GMT"),
        website_redirect_location: text("/elsewhere"),
        storage_class: text("GLACIER"),
        user_metadata: [("a".to_owned(), "ä".repeat(metadata))].into(),
        tags: vec![Tag {
            key: "k".to_owned(),
            value: "v & w".to_owned(),
        }],
        checksum: Some(Checksum {
            algorithm: ChecksumAlgorithm::Crc32,
            value: vec![1, 2, 3, 4],
            composite_of: Some(3),
        }),
        parts: Some(Parts::new([5, 5, 2], (0..12).collect()).of_upload(CameBy {
            upload_id: UploadId::parse("u-1").unwrap(),
            initiator: Some("alice".to_owned()),
        })),
    }
}

fn bucket() -> BucketName {
    BucketName::parse("abc").unwrap()
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

#[tokio::test]
async fn every_property_comes_back_from_an_attribute_and_from_a_spilled_record() {
    let sample = sample(&[]);
    let path = sample.folder.path().join("data/abc");
    for (name, metadata, spills) in [("small", 10, 0), ("large", 2000, 1)] {
        let properties = everything(metadata);
        let stored = stored(
            &sample.store,
            name,
            b"content",
            properties.clone(),
            WriteCondition::Always,
        )
        .await
        .unwrap();
        let found = sample.store.open(&bucket(), &key(name)).await.unwrap().attributes;
        assert_eq!(found.properties, properties, "{name}");
        assert_eq!(*found, stored);
        if has_attributes(&path) {
            assert_eq!(own_names(&path).len(), spills, "{name}");
        }
    }
    // Replaced, tagged and removed, a spilled record leaves nothing.
    stored(
        &sample.store,
        "large",
        b"again",
        everything(1999),
        WriteCondition::Always,
    )
    .await
    .unwrap();
    if has_attributes(&path) {
        assert_eq!(own_names(&path).len(), 1);
    }
    sample
        .store
        .replace_tags(&bucket(), &key("large"), Vec::new(), LastLook::none())
        .await
        .unwrap();
    let found = sample
        .store
        .open(&bucket(), &key("large"))
        .await
        .unwrap()
        .attributes;
    assert_eq!(
        (found.properties.tags.len(), found.properties.user_metadata.len()),
        (0, 1)
    );
    sample
        .store
        .delete(&bucket(), &key("large"), WriteCondition::Always, LastLook::none())
        .await
        .unwrap();
    if has_attributes(&path) {
        assert_eq!(own_names(&path).len(), 0);
    }
}

#[tokio::test]
async fn a_file_changed_by_hand_counts_as_dropped_in() {
    let sample = sample(&[]);
    let file = sample.folder.path().join("data/abc/a.txt");
    stored(
        &sample.store,
        "a.txt",
        b"content",
        everything(1),
        WriteCondition::Always,
    )
    .await
    .unwrap();
    fs::write(&file, "changed by hand").unwrap();
    let found = sample
        .store
        .open(&bucket(), &key("a.txt"))
        .await
        .unwrap()
        .attributes;
    assert!(found.etag.as_str().starts_with("file-") && !found.etag.is_md5());
    assert_eq!(found.properties.content_type, "text/plain");
    assert!(found.properties.user_metadata.is_empty());
}

#[tokio::test]
async fn tags_of_a_dropped_in_file_leave_its_etag_alone() {
    let sample = sample(&["dropped.txt"]);
    let before = sample
        .store
        .open(&bucket(), &key("dropped.txt"))
        .await
        .unwrap()
        .attributes;
    let tags = everything(0).tags;
    sample
        .store
        .replace_tags(&bucket(), &key("dropped.txt"), tags.clone(), LastLook::none())
        .await
        .unwrap();
    let after = sample
        .store
        .open(&bucket(), &key("dropped.txt"))
        .await
        .unwrap()
        .attributes;
    assert_eq!(
        (&after.etag, after.last_modified, after.properties.tags.clone()),
        (&before.etag, before.last_modified, tags)
    );
    assert_eq!(after.properties.content_type, "text/plain");
}

#[tokio::test]
async fn an_upload_that_is_dropped_or_fails_its_condition_leaves_nothing() {
    let sample = sample(&["there"]);
    let path = sample.folder.path().join("data/abc");
    for bytes in [10, 5_000_000] {
        let mut upload = sample
            .store
            .upload(&bucket(), None, LastLook::none())
            .await
            .unwrap();
        upload.write(Bytes::from(vec![b'x'; bytes])).await.unwrap();
        upload.write(Bytes::from(vec![b'x'; bytes])).await.unwrap();
        drop(upload);
        let refused = stored(
            &sample.store,
            "there",
            &vec![b'x'; bytes],
            Properties::default(),
            WriteCondition::Absent,
        )
        .await;
        assert!(matches!(refused, Err(StoreError::ConditionFailed)));
        let missing = stored(
            &sample.store,
            "none",
            b"x",
            Properties::default(),
            WriteCondition::Matches("*".to_owned()),
        )
        .await;
        assert!(matches!(missing, Err(StoreError::NoSuchKey)));
    }
    // What was being written goes on another thread.
    for _ in 0..500 {
        if own_names(&path).is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(own_names(&path), Vec::<String>::new());
    assert_eq!(fs::read(path.join("there")).unwrap(), b"content of there");
    assert!(!path.join("none").exists());
}

#[tokio::test]
async fn what_is_no_file_is_never_written_through_or_over() {
    let sample = sample(&["target"]);
    let path = sample.folder.path().join("data/abc");
    let outside = sample.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink("target", path.join("link")).unwrap();
    symlink(&outside, path.join("folder-link")).unwrap();
    for name in ["link", "folder-link", "folder-link/x", "link/x"] {
        let refused = stored(
            &sample.store,
            name,
            b"x",
            Properties::default(),
            WriteCondition::Always,
        )
        .await;
        assert!(refused.is_err(), "{name}");
    }
    assert_eq!(fs::read(path.join("target")).unwrap(), b"content of target");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(path.join("link").symlink_metadata().unwrap().is_symlink());
}

#[tokio::test]
async fn a_range_of_another_object_is_copied_exactly() {
    let sample = sample(&[]);
    let content: Vec<u8> = (0..2_000_000u32).map(|n| (n % 253) as u8).collect();
    stored(
        &sample.store,
        "from",
        &content,
        Properties::default(),
        WriteCondition::Always,
    )
    .await
    .unwrap();
    let source = sample.store.open(&bucket(), &key("from")).await.unwrap();
    let mut upload = sample
        .store
        .upload(&bucket(), None, LastLook::none())
        .await
        .unwrap();
    upload.write(Bytes::from_static(b"head")).await.unwrap();
    upload
        .write_from(&source.content, 1_000..1_500_000)
        .await
        .unwrap();
    upload.write(Bytes::from_static(b"tail")).await.unwrap();
    let tag = ETag::new("t".to_owned());
    upload
        .commit(&key("to"), tag, Properties::default(), WriteCondition::Always)
        .await
        .unwrap();
    let copied = fs::read(sample.folder.path().join("data/abc/to")).unwrap();
    assert_eq!(copied, [b"head", &content[1_000..1_500_000], b"tail"].concat());
}
