//! Records travel with their objects: through copies of a store, moves by hand, and from format 1.

use std::{fs::FileTimes, os::unix::fs::MetadataExt, process::Command, time::Duration};

use rustix::fs::{XattrFlags, fsetxattr, getxattr};

use super::*;
use crate::{store::OpenError, types::Tag};

fn bucket() -> BucketName {
    BucketName::parse("abc").unwrap()
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

/// Properties that an attribute holds.
fn short() -> Properties {
    Properties {
        user_metadata: Default::default(),
        ..long(0)
    }
}

/// Properties that no attribute holds.
fn long(number: usize) -> Properties {
    Properties {
        content_type: "text/long".to_owned(),
        user_metadata: [("long".to_owned(), "x".repeat(4000))].into(),
        tags: vec![Tag {
            key: "number".to_owned(),
            value: number.to_string(),
        }],
        ..Properties::default()
    }
}

/// Stores an object whose content is its name.
fn write(store: &DiskStore, name: &str, properties: Properties) {
    block_on(stored(
        store,
        name,
        name.as_bytes(),
        properties,
        WriteCondition::Always,
    ))
    .unwrap();
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

fn properties(store: &DiskStore, name: &str) -> Properties {
    let found = block_on(store.open(&bucket(), &key(name))).unwrap();
    found.attributes.properties.clone()
}

/// Copies a folder with the attributes and times of all that is in it.
fn copy(from: &Path, to: &Path, options: &[&str]) {
    let copied = Command::new("cp")
        .args(options)
        .args([from, to])
        .status()
        .unwrap();
    assert!(copied.success());
}

fn records(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join("abc").join(record::SPILLED)).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn copied_store_keeps_every_record() {
    let Sample { folder, store } = sample(&[]);
    write(&store, "long", long(1));
    write(&store, "films/long", long(2));
    write(&store, "short", Properties::default());
    drop(store);
    let (root, copied) = (folder.path().join("data"), folder.path().join("copy"));
    copy(&root, &copied, &["-a"]);
    let store = reopened(&settings(&copied));
    for _ in 0..2 {
        assert_eq!(properties(&store, "long"), long(1));
        assert_eq!(properties(&store, "films/long"), long(2));
        assert_eq!(properties(&store, "short"), Properties::default());
        assert_eq!(keep_house(&store), Removed::default());
    }
}

#[test]
fn copy_without_attributes_is_not_served() {
    let Sample { folder, store } = sample(&[]);
    if !has_attributes(folder.path()) {
        return;
    }
    write(&store, "long", long(1));
    drop(store);
    let copied = folder.path().join("copy");
    copy(
        &folder.path().join("data"),
        &copied,
        &["-r", "--preserve=timestamps"],
    );
    let refused = DiskStore::open(&settings(&copied), &[]);
    assert!(matches!(refused, Err(OpenError::CopiedWithoutAttributes { .. })));
    // As the message says.
    fs::remove_file(copied.join(lock::MARK)).unwrap();
    let store = reopened(&settings(&copied));
    assert_eq!(properties(&store, "long").tags, []);
}

#[test]
fn object_without_its_record_is_an_error_and_can_be_replaced() {
    let Sample { folder, store } = sample(&[]);
    if !has_attributes(folder.path()) {
        return;
    }
    for name in ["read", "replaced", "deleted"] {
        write(&store, name, long(1));
    }
    for record in records(&folder.path().join("data")) {
        fs::remove_file(record).unwrap();
    }
    let open = |name: &str| block_on(store.open(&bucket(), &key(name)));
    let undescribed = open("read").unwrap_err();
    assert!(
        matches!(undescribed, StoreError::Undescribed { .. }),
        "{undescribed}"
    );
    assert!(undescribed.to_string().contains("~!metadata"), "{undescribed}");
    // One such object keeps no other from being listed.
    let query = ListQuery {
        limit: 10,
        ..ListQuery::default()
    };
    let page = block_on(store.list(&bucket(), query)).unwrap();
    assert_eq!(page.entries.len(), 3);

    let put = |condition| {
        block_on(stored(
            &store,
            "replaced",
            b"new",
            Properties::default(),
            condition,
        ))
    };
    assert!(matches!(
        put(WriteCondition::Absent),
        Err(StoreError::ConditionFailed)
    ));
    let matches = WriteCondition::Matches("tag-of-8".to_owned());
    assert!(matches!(put(matches), Err(StoreError::Undescribed { .. })));
    put(WriteCondition::Always).unwrap();
    assert_eq!(properties(&store, "replaced"), Properties::default());
    let always = WriteCondition::Always;
    block_on(store.delete(&bucket(), &key("deleted"), always, LastLook::none())).unwrap();
    assert!(matches!(open("deleted"), Err(StoreError::NoSuchKey)));
}

#[test]
fn record_of_another_version_is_an_error() {
    let Sample { folder, store } = sample(&[]);
    if !has_attributes(folder.path()) {
        return;
    }
    write(&store, "a", Properties::default());
    let file = File::open(folder.path().join("data/abc/a")).unwrap();
    for other in [&b"{"[..], b"{\"version\":2}", b"{\"spilled\":3}", b"\xff", b""] {
        fsetxattr(&file, record::ATTRIBUTE, other, XattrFlags::empty()).unwrap();
        let found = block_on(store.open(&bucket(), &key("a")));
        assert!(matches!(found, Err(StoreError::Undescribed { .. })), "{other:?}");
    }
}

#[test]
fn times_that_an_archive_has_cut_leave_the_record() {
    let Sample { folder, store } = sample(&[]);
    write(&store, "short", short());
    write(&store, "long", long(1));
    for name in ["short", "long"] {
        let path = folder.path().join("data/abc").join(name);
        let modified = fs::metadata(&path).unwrap().mtime();
        let cut = std::time::UNIX_EPOCH + Duration::from_secs(modified.try_into().unwrap());
        let file = File::options().write(true).open(&path).unwrap();
        file.set_times(FileTimes::new().set_modified(cut)).unwrap();
    }
    keep_house(&store);
    assert_eq!(properties(&store, "short"), short());
    assert_eq!(properties(&store, "long"), long(1));
}

/// Makes of a store what an earlier version would have made.
fn downgrade(root: &Path) {
    let path = |name: &str| root.join("abc").join(name);
    for name in ["long", "moved"] {
        let file = File::open(path(name)).unwrap();
        let mut text = [0; 200];
        let length = getxattr(path(name), record::ATTRIBUTE, &mut text).unwrap();
        let text = String::from_utf8(text[..length].to_vec()).unwrap();
        let record = text.split('"').rev().nth(1).unwrap();
        let old = record::RecordName::of_inode(&file.metadata().unwrap());
        let records = path(record::SPILLED);
        fs::rename(records.join(record), records.join(old.as_str())).unwrap();
        fsetxattr(&file, record::ATTRIBUTE, b"{\"spilled\":1}", XattrFlags::empty()).unwrap();
    }
    let mark = root.join(lock::MARK);
    let made = fs::metadata(&mark).unwrap().modified().unwrap();
    fs::write(&mark, "postern store, format 1\n").unwrap();
    rustix::fs::removexattr(&mark, record::ATTRIBUTE).unwrap();
    let mark = File::options().write(true).open(&mark).unwrap();
    mark.set_modified(made).unwrap();
}

#[test]
fn store_of_format_1_and_its_copies_keep_every_record() {
    // As it is with a file moved by hand, a copy, and a copy with a file moved by hand before.
    for copies in 0..3 {
        let Sample { folder, store } = sample(&[]);
        if !has_attributes(folder.path()) {
            return;
        }
        write(&store, "long", long(1));
        write(&store, "moved", long(2));
        write(&store, "lost", long(3));
        drop(store);
        let mut root = folder.path().join("data");
        downgrade(&root);
        if copies == 1 {
            let copied = folder.path().join("copy");
            copy(&root, &copied, &["-a"]);
            root = copied;
        }
        if copies != 1 {
            fs::rename(root.join("abc/moved"), root.join("abc/elsewhere")).unwrap();
        }
        if copies == 2 {
            let copied = folder.path().join("copy");
            copy(&root, &copied, &["-a"]);
            root = copied;
        }
        let made = fs::metadata(root.join(lock::MARK)).unwrap().modified().unwrap();
        let store = reopened(&settings(&root));
        let moved = if copies == 1 { "moved" } else { "elsewhere" };
        assert_eq!(properties(&store, "long"), long(1));
        assert_eq!(properties(&store, moved), long(2));
        let mark = root.join(lock::MARK);
        assert_eq!(fs::metadata(&mark).unwrap().modified().unwrap(), made);
        assert!(
            fs::read_to_string(mark)
                .unwrap()
                .starts_with("postern store, format 2\n")
        );
        drop(store);
        // What was upgraded can be copied as it is.
        let again = folder.path().join("again");
        copy(&root, &again, &["-a"]);
        let store = reopened(&settings(&again));
        assert_eq!(properties(&store, "long"), long(1));
        assert_eq!(properties(&store, moved), long(2));
    }
}

#[test]
fn record_whose_object_is_restored_later_is_found_again() {
    let Sample { folder, store } = sample(&[]);
    if !has_attributes(folder.path()) {
        return;
    }
    write(&store, "long", long(1));
    write(&store, "moved", long(2));
    drop(store);
    let root = folder.path().join("data");
    downgrade(&root);
    let elsewhere = folder.path().join("not restored yet");
    fs::rename(root.join("abc/moved"), &elsewhere).unwrap();
    let store = reopened(&settings(&root));
    keep_house(&store);
    assert_eq!(properties(&store, "long"), long(1));
    drop(store);
    copy(&elsewhere, &root.join("abc/moved"), &["-a"]);
    let store = reopened(&settings(&root));
    assert_eq!(properties(&store, "moved"), long(2));
}

#[test]
fn file_moved_to_another_bucket_by_hand_keeps_its_record_from_being_removed() {
    let Sample { folder, store } = sample(&[]);
    if !has_attributes(folder.path()) {
        return;
    }
    let root = folder.path().join("data");
    write(&store, "moved", long(1));
    fs::create_dir(root.join("other")).unwrap();
    fs::rename(root.join("abc/moved"), root.join("other/moved")).unwrap();
    assert_eq!(keep_house(&store), Removed::default());
    fs::rename(root.join("other/moved"), root.join("abc/back")).unwrap();
    assert_eq!(properties(&store, "back"), long(1));
}

#[test]
fn store_of_a_later_format_is_not_opened() {
    let Sample { folder, store } = sample(&[]);
    drop(store);
    let root = folder.path().join("data");
    fs::write(root.join(lock::MARK), "postern store, format 3\nid x\n").unwrap();
    let refused = DiskStore::open(&settings(&root), &[]);
    assert!(matches!(refused, Err(OpenError::Format { found, .. }) if found.contains("format 3")));
}

#[test]
fn only_records_whose_object_is_gone_are_removed() {
    let Sample { folder, store } = sample(&[]);
    if !has_attributes(folder.path()) {
        return;
    }
    for (number, name) in ["stays", "films/moved", "removed", "replaced"]
        .into_iter()
        .enumerate()
    {
        write(&store, name, long(number));
    }
    let path = |name: &str| folder.path().join("data/abc").join(name);
    fs::rename(path("films/moved"), path("elsewhere")).unwrap();
    fs::remove_file(path("removed")).unwrap();
    fs::remove_file(path("replaced")).unwrap();
    fs::write(path("replaced"), "dropped in").unwrap();
    let keep_for = |leftover_for| {
        let work = store.keep_house(leftover_for);
        block_on(work).unwrap()
    };
    assert_eq!(
        keep_for(Duration::from_secs(3600)),
        Removed::default(),
        "too young"
    );
    let removed = keep_for(Duration::ZERO);
    assert_eq!((removed.records, removed.folders), (2, 1));
    assert_eq!(records(&folder.path().join("data")).len(), 2);
    assert_eq!(properties(&store, "stays"), long(0));
    assert_eq!(properties(&store, "elsewhere"), long(1));
}

#[test]
fn another_name_of_a_file_keeps_the_record() {
    let Sample { folder, store } = sample(&[]);
    if !has_attributes(folder.path()) {
        return;
    }
    let path = |name: &str| folder.path().join("data/abc").join(name);
    for (name, other) in [("deleted", "one"), ("replaced", "two")] {
        write(&store, name, long(1));
        fs::hard_link(path(name), path(other)).unwrap();
    }
    let always = WriteCondition::Always;
    block_on(store.delete(&bucket(), &key("deleted"), always, LastLook::none())).unwrap();
    write(&store, "replaced", short());
    assert_eq!(keep_house(&store), Removed::default());
    for other in ["one", "two"] {
        assert_eq!(properties(&store, other), long(1));
        let always = WriteCondition::Always;
        block_on(store.delete(&bucket(), &key(other), always, LastLook::none())).unwrap();
    }
    keep_house(&store);
    assert_eq!(records(&folder.path().join("data")).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn reader_of_an_object_that_is_replaced_finds_a_record() {
    let Sample { store, .. } = &sample(&[]);
    let put = async |number| {
        stored(store, "a", b"content", long(number), WriteCondition::Always)
            .await
            .unwrap();
    };
    put(0).await;
    let reader = {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..2_000 {
                let found = store.open(&bucket(), &key("a")).await.unwrap();
                assert_eq!(found.attributes.properties.content_type, "text/long");
            }
        })
    };
    let mut number = 0;
    while !reader.is_finished() {
        number += 1;
        put(number).await;
        let tags = long(number).tags;
        store
            .replace_tags(&bucket(), &key("a"), tags, LastLook::none())
            .await
            .unwrap();
    }
    reader.await.unwrap();
}
