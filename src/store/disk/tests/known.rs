//! Attributes that are kept are those of the file as it is now, whoever changed it and however fast.

use std::{fs::FileTimes, os::unix::fs::MetadataExt, time::Duration};

use rustix::fs::removexattr;

use super::*;
use crate::types::Tag;

fn bucket() -> BucketName {
    BucketName::parse("abc").unwrap()
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

async fn attributes(store: &DiskStore, name: &str) -> Arc<ObjectAttributes> {
    store.open(&bucket(), &key(name)).await.unwrap().attributes
}

/// The attributes once they are kept.
async fn kept(store: &DiskStore, name: &str) -> Arc<ObjectAttributes> {
    for _ in 0..4_000 {
        let first = attributes(store, name).await;
        if Arc::ptr_eq(&first, &attributes(store, name).await) {
            return first;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the attributes of {name} are never kept");
}

fn tagged(number: usize) -> Properties {
    Properties {
        content_type: "text/plain".to_owned(),
        tags: vec![Tag {
            key: "number".to_owned(),
            value: number.to_string(),
        }],
        ..Properties::default()
    }
}

async fn put_tagged(store: &DiskStore, name: &str, properties: Properties) {
    stored(store, name, b"content", properties, WriteCondition::Always)
        .await
        .unwrap();
}

#[tokio::test]
async fn whoever_changes_an_object_its_new_attributes_are_told() {
    let sample = sample(&[]);
    if !has_attributes(sample.folder.path()) {
        // Nothing is kept there.
        return;
    }
    let path = sample.folder.path().join("data/abc/a.txt");
    put_tagged(&sample.store, "a.txt", tagged(1)).await;
    let first = kept(&sample.store, "a.txt").await;
    assert_eq!(first.properties, tagged(1));

    // By us: its tags, and all of it.
    let two = tagged(2).tags;
    sample
        .store
        .replace_tags(&bucket(), &key("a.txt"), two.clone(), LastLook::none())
        .await
        .unwrap();
    assert_eq!(kept(&sample.store, "a.txt").await.properties.tags, two);
    put_tagged(&sample.store, "a.txt", tagged(3)).await;
    assert_eq!(kept(&sample.store, "a.txt").await.properties, tagged(3));

    // By others: another content of the same length and the same time.
    let before = fs::metadata(&path).unwrap();
    let modified = before.modified().unwrap();
    fs::write(&path, b"CONTENT").unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mtime_nsec(), before.mtime_nsec());
    let again = kept(&sample.store, "a.txt").await;
    assert!(!Arc::ptr_eq(&again, &first));

    // The record taken away.
    removexattr(&path, "user.postern").unwrap();
    let dropped_in = kept(&sample.store, "a.txt").await;
    assert!(dropped_in.etag.as_str().starts_with("file-"));
    assert!(dropped_in.properties.tags.is_empty());

    // Another file moved there.
    fs::write(path.with_extension("other"), "longer content").unwrap();
    fs::rename(path.with_extension("other"), &path).unwrap();
    assert_eq!(attributes(&sample.store, "a.txt").await.size, 14);
}

#[tokio::test]
async fn each_name_of_a_file_has_a_type_of_its_own() {
    let sample = sample(&["a.txt"]);
    if !has_attributes(sample.folder.path()) {
        // Nothing is kept there.
        return;
    }
    let folder = sample.folder.path().join("data/abc");
    fs::hard_link(folder.join("a.txt"), folder.join("a.png")).unwrap();
    for _ in 0..2 {
        for (name, expected) in [("a.txt", "text/plain"), ("a.png", "image/png")] {
            assert_eq!(kept(&sample.store, name).await.properties.content_type, expected);
        }
    }
}

#[tokio::test]
async fn changes_in_quick_succession_are_all_seen() {
    let sample = sample(&[]);
    if !has_attributes(sample.folder.path()) {
        // Nothing is kept there.
        return;
    }
    put_tagged(&sample.store, "a", tagged(0)).await;
    kept(&sample.store, "a").await;
    for number in 1..300 {
        let tags = tagged(number).tags;
        sample
            .store
            .replace_tags(&bucket(), &key("a"), tags.clone(), LastLook::none())
            .await
            .unwrap();
        assert_eq!(attributes(&sample.store, "a").await.properties.tags, tags);
        assert_eq!(attributes(&sample.store, "a").await.properties.tags, tags);
    }
}

#[tokio::test]
async fn spilled_record_is_kept_until_its_object_changes() {
    let sample = sample(&[]);
    if !has_attributes(sample.folder.path()) {
        // Nothing is kept there.
        return;
    }
    let long = |number| Properties {
        user_metadata: [("long".to_owned(), "x".repeat(4000))].into(),
        ..tagged(number)
    };
    put_tagged(&sample.store, "a", long(1)).await;
    assert_eq!(kept(&sample.store, "a").await.properties, long(1));
    put_tagged(&sample.store, "a", long(2)).await;
    assert_eq!(attributes(&sample.store, "a").await.properties, long(2));
    let tags = tagged(3).tags;
    sample
        .store
        .replace_tags(&bucket(), &key("a"), tags, LastLook::none())
        .await
        .unwrap();
    assert_eq!(attributes(&sample.store, "a").await.properties, long(3));
}

#[test]
fn own_change_is_seen_whatever_the_times_of_the_file_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "x").unwrap();
    let metadata = fs::metadata(&path).unwrap();
    let later = Clock::fixed(Clock::system().now() + Duration::from_secs(3600));
    let generations = Arc::<generations::Generations>::default();
    let known = super::super::known::Known::new(later, generations.clone(), Arc::default());
    let looks = std::cell::Cell::new(0);
    let look = || {
        looks.set(looks.get() + 1);
        Ok(looked(&metadata))
    };
    for expected in [1, 1] {
        let generation = generations.now(&"a");
        known
            .attributes(&metadata, (&key("a"), generation), look)
            .unwrap();
        assert_eq!(looks.get(), expected);
    }
    // The same file, the same times: only this process knows that it has changed.
    let before = generations.now(&"a");
    generations.changed(&"a");
    known.attributes(&metadata, (&key("a"), before), look).unwrap();
    known
        .attributes(&metadata, (&key("a"), generations.now(&"a")), look)
        .unwrap();
    assert_eq!(looks.get(), 2, "what is kept of before does not count");
}

#[test]
fn where_a_change_does_not_show_nothing_is_kept_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::create_new(folder.path().join("a")).unwrap();
    let later = Clock::system().now() + Duration::from_secs(3600);
    let generations = Arc::<generations::Generations>::default();
    let known = super::super::known::Known::new(Clock::fixed(later), generations.clone(), Arc::default());
    let looks = |times: usize| {
        let metadata = file.metadata().unwrap();
        let looks = std::cell::Cell::new(0);
        for _ in 0..times {
            let look = || {
                looks.set(looks.get() + 1);
                Ok(looked(&metadata))
            };
            let generation = generations.now(&"a");
            known
                .attributes(&metadata, (&key("a"), generation), look)
                .unwrap();
        }
        looks.get()
    };
    assert_eq!(looks(3), 1);
    let change = |change: &dyn Fn() -> std::io::Result<()>| {
        let before = file.metadata().unwrap();
        known.changing(&file, &before, change).unwrap();
    };
    change(&|| file.set_times(FileTimes::new().set_modified(std::time::UNIX_EPOCH)));
    assert_eq!(looks(3), 1, "a change that shows");
    change(&|| Ok(()));
    assert_eq!(looks(3), 3);
}

fn looked(metadata: &fs::Metadata) -> super::super::known::Looked {
    super::super::known::Looked {
        attributes: attributes::written(metadata, ETag::new("e".to_owned()), Properties::default()),
        spilled: None,
        has_record: true,
        shows: true,
    }
}

#[test]
fn however_much_is_looked_at_no_more_than_the_budget_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let later = Clock::fixed(Clock::system().now() + Duration::from_secs(3600));
    let generations = Arc::<generations::Generations>::default();
    let known = super::super::known::Known::new(later, generations.clone(), Arc::default());
    let name = "k".repeat(900);
    let mut most = 0;
    for number in 0..4_000 {
        let file = folder.path().join(number.to_string());
        fs::write(&file, "x").unwrap();
        let metadata = fs::metadata(&file).unwrap();
        known
            .attributes(
                &metadata,
                (&key(&format!("{name}{number}")), generations.now(&number)),
                || Ok(looked(&metadata)),
            )
            .unwrap();
        most = most.max(known.weight());
    }
    assert!((3 << 20..=4 << 20).contains(&most), "{most}");
}
