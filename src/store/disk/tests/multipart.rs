//! Uploads in parts on disk: what a killed process, a race and time leave of them.

use std::time::Duration;

use super::{
    crash::{SCENARIO, content, killed},
    *,
};
use crate::{
    store::{
        FoundUpload, LastLook, MultipartStore, NewMultipart, Part, PartsQuery, StoredPart, UploadName,
        UploadsQuery,
    },
    types::{CameBy, PartNumber, Parts, Tag},
};

fn bucket() -> BucketName {
    BucketName::parse("abc").unwrap()
}

fn key() -> ObjectKey {
    ObjectKey::parse("films/a").unwrap()
}

async fn begin(store: &DiskStore) -> UploadName {
    let upload = NewMultipart {
        key: key(),
        initiator: "alice".to_owned(),
        properties: Properties {
            content_type: "text/x-parts".to_owned(),
            ..Properties::default()
        },
        checksum: None,
    };
    let id = store
        .create_multipart(&bucket(), upload, LastLook::none())
        .await
        .unwrap();
    UploadName {
        bucket: bucket(),
        key: key(),
        id,
    }
}

async fn part(
    store: &DiskStore,
    upload: &UploadName,
    number: u32,
    body: &[u8],
) -> Result<StoredPart, StoreError> {
    let mut file = store.upload(&bucket(), None, LastLook::none()).await?;
    file.write(Bytes::copy_from_slice(body)).await?;
    let mut md5 = [0; 16];
    md5[..body.len().min(16)].copy_from_slice(&body[..body.len().min(16)]);
    let part = Part {
        number: PartNumber::new(number).unwrap(),
        md5,
        checksum: None,
    };
    file.keep_as_part(upload, part).await
}

async fn complete(store: &DiskStore, upload: &UploadName) -> Result<ObjectAttributes, StoreError> {
    complete_if(store, upload, WriteCondition::Always).await
}

async fn complete_if(
    store: &DiskStore,
    upload: &UploadName,
    condition: WriteCondition,
) -> Result<ObjectAttributes, StoreError> {
    let parts = store.parts(upload, PartsQuery::ALL).await?;
    let sizes: Vec<_> = parts.iter().map(|part| part.size).collect();
    let of_upload = Parts::new(sizes, Vec::new()).of_upload(CameBy {
        upload_id: upload.id.clone(),
        initiator: Some("alice".to_owned()),
    });
    let completion = Completion {
        parts,
        etag: ETag::new("parts".to_owned()),
        properties: Properties {
            parts: Some(of_upload),
            ..Properties::default()
        },
        condition,
        last_look: LastLook::none(),
    };
    store.complete_multipart(upload, completion).await
}

async fn only_upload(store: &DiskStore) -> Option<UploadName> {
    let query = UploadsQuery {
        limit: 10,
        ..UploadsQuery::default()
    };
    let found = store.list_multiparts(&bucket(), query).await.unwrap();
    found.entries.into_iter().next_back().map(|entry| match entry {
        FoundUpload::Upload(found) => UploadName {
            bucket: bucket(),
            key: found.began.key,
            id: found.id,
        },
        FoundUpload::CommonPrefix(_) => panic!("nothing is rolled up"),
    })
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// What the child does before it is killed: see [`super::crash`].
pub(super) fn scenario(store: &DiskStore) {
    block_on(async {
        let upload = only_upload(store).await.unwrap();
        match std::env::var(SCENARIO).unwrap().as_str() {
            "part" => drop(part(store, &upload, 2, b"newer").await.unwrap()),
            "completed" | "one part" => drop(complete(store, &upload).await.unwrap()),
            _ => store.abort_multipart(&upload, LastLook::none()).await.unwrap(),
        }
    });
}

#[test]
fn a_process_killed_at_any_point_leaves_the_upload_or_the_object_and_every_part_whole() {
    let mut reached = std::collections::BTreeSet::new();
    for scenario in ["part", "completed", "one part", "aborted"] {
        for point in [
            "part placed",
            "described",
            "synced",
            "upload ending",
            "renamed",
            "placed",
            "upload ended",
            "never",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("data");
            fs::create_dir_all(root.join("abc")).unwrap();
            let store = reopened(&settings(&root));
            let upload = block_on(async {
                let upload = begin(&store).await;
                part(&store, &upload, 1, b"one ").await.unwrap();
                if scenario != "one part" {
                    part(&store, &upload, 2, b"two").await.unwrap();
                }
                upload
            });
            drop(store);
            if killed(&root, scenario, point) {
                reached.insert(point);
            }

            let case = format!("{scenario}, killed at {point}");
            let store = reopened(&settings(&root));
            let object = content(&store, "films/a").map(|(_, content)| content);
            let left = block_on(only_upload(&store));
            let whole = if scenario == "one part" {
                &b"one "[..]
            } else {
                b"one two"
            };
            if let Some(object) = &object {
                assert_eq!(object, whole, "{case}");
            }
            if left.is_some() {
                // Whatever was under way can be done again.
                let sizes: Vec<_> = block_on(store.parts(&upload, PartsQuery::ALL))
                    .unwrap()
                    .iter()
                    .map(|p| p.size)
                    .collect();
                assert_eq!(sizes[0], 4, "{case}");
                block_on(complete(&store, &upload)).unwrap();
                let now = content(&store, "films/a").unwrap().1;
                let newer = scenario == "part" && sizes[1] == 5;
                assert_eq!(now, if newer { b"one newer" } else { whole }, "{case}");
            } else {
                assert!(
                    scenario == "aborted" || object.is_some(),
                    "{case}: nothing is lost"
                );
            }
            if object.is_some() {
                assert!(left.is_none(), "{case}: a completion takes effect once");
            }
            keep_house(&store);
            // On a file system without attributes each object has a record of its own.
            let own = own_names(&root.join("abc"));
            assert!(
                own.iter().all(|name| name.starts_with("~!metadata/key-")),
                "{case}: {own:?}"
            );
        }
    }
    assert_eq!(reached.len(), 7, "{reached:?}");
}

#[test]
fn refused_completion_changes_nothing_of_the_object() {
    let Sample { folder, store } = &sample(&[]);
    let path = folder.path().join("data/abc");
    let upload = block_on(async {
        let upload = begin(store).await;
        part(store, &upload, 1, b"one ").await.unwrap();
        upload
    });
    // As a process that was killed between the two steps of a completion leaves it: the part and the
    // object are one file, and the object has tags by now.
    let group = path.join(format!("~!uploads/{}/00", upload.id));
    let file = fs::read_dir(group).unwrap().next().unwrap().unwrap().path();
    fs::create_dir_all(path.join("films")).unwrap();
    fs::hard_link(file, path.join("films/a")).unwrap();
    let tags = vec![Tag {
        key: "secret".to_owned(),
        value: "yes".to_owned(),
    }];
    block_on(store.replace_tags(&bucket(), &key(), tags.clone(), LastLook::none())).unwrap();
    let refused = block_on(complete_if(store, &upload, WriteCondition::Absent));
    assert!(matches!(refused, Err(StoreError::ConditionFailed)), "{refused:?}");
    let object = block_on(store.open(&bucket(), &key())).unwrap();
    assert_eq!(object.attributes.properties.tags, tags);
}

#[test]
fn upload_of_another_version_is_an_error_and_hides_no_other() {
    let Sample { store, .. } = &sample(&[]);
    let (one, other) = block_on(async { (begin(store).await, begin(store).await) });
    let description = format!("~!uploads/{}/upload.json", one.id);
    let path = store.now().path_of(&bucket(), &description);
    fs::write(path, r#"{"version":2,"of":"another form"}"#).unwrap();
    let found = block_on(store.multipart(&one));
    assert!(matches!(found, Err(StoreError::Unreadable { .. })), "{found:?}");
    let query = UploadsQuery {
        limit: 10,
        ..UploadsQuery::default()
    };
    let listed = block_on(store.list_multiparts(&bucket(), query)).unwrap();
    assert_eq!(listed.entries.len(), 1);
    block_on(store.multipart(&other)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_completions_wins_and_an_abort_beside_it_ends_in_one_of_two_ways() {
    for _ in 0..20 {
        let Sample { store, .. } = &sample(&[]);
        let upload = begin(store).await;
        part(store, &upload, 1, b"one ").await.unwrap();
        part(store, &upload, 2, b"two").await.unwrap();
        let (one, two, abort) = tokio::join!(
            complete(store, &upload),
            complete(store, &upload),
            store.abort_multipart(&upload, LastLook::none())
        );
        let won = [one.is_ok(), two.is_ok(), abort.is_ok()]
            .into_iter()
            .filter(|won| *won)
            .count();
        assert_eq!(won, 1, "{one:?} {two:?} {abort:?}");
        let object = read(store, "abc", "films/a").await;
        match abort {
            Ok(()) => assert!(matches!(object, Err(StoreError::NoSuchKey))),
            Err(_) => assert_eq!(object.unwrap(), "one two"),
        }
        // What lost removes its file beside everything else.
        let own = || own_names(&store.now().path_of(&bucket(), ""));
        for _ in 0..2_000 {
            if own().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(own(), [""; 0]);
    }
}

#[tokio::test]
async fn the_last_of_two_parts_of_a_number_counts_and_one_file_is_left() {
    let Sample { store, .. } = &sample(&[]);
    let upload = begin(store).await;
    for body in [&b"first"[..], b"second", b"third"] {
        part(store, &upload, 101, body).await.unwrap();
    }
    let parts = store.parts(&upload, PartsQuery::ALL).await.unwrap();
    assert_eq!(parts.iter().map(|part| part.size).collect::<Vec<_>>(), [5]);
    let group = store
        .now()
        .path_of(&bucket(), &format!("~!uploads/{}/01", upload.id));
    assert_eq!(fs::read_dir(group).unwrap().count(), 1);
}

#[tokio::test]
async fn a_clock_that_steps_backwards_aborts_no_upload() {
    let Sample { store, .. } = &sample(&[]);
    let upload = begin(store).await;
    // The gateway's clock is behind the times of the files, as far as it can be.
    for since in [
        std::time::SystemTime::UNIX_EPOCH,
        std::time::SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 33),
    ] {
        assert_eq!(store.abort_stale_uploads(since).await.unwrap(), 0);
    }
    part(store, &upload, 1, b"one").await.unwrap();
}

#[tokio::test]
async fn only_uploads_to_which_nothing_came_for_long_are_aborted() {
    let Sample { store, .. } = &sample(&[]);
    let (old, used, fresh) = (begin(store).await, begin(store).await, begin(store).await);
    let file = |upload: &UploadName| {
        store
            .now()
            .path_of(&bucket(), &format!("~!uploads/{}", upload.id))
    };
    let now = fs::metadata(file(&fresh)).unwrap().modified().unwrap();
    let long_ago = now - Duration::from_secs(1_000);
    part(store, &used, 1, b"one").await.unwrap();
    for upload in [&old, &used] {
        let folder = file(upload);
        for path in [folder.join("upload.json"), folder] {
            File::open(path).unwrap().set_modified(long_ago).unwrap();
        }
    }
    let since = now - Duration::from_secs(500);
    assert_eq!(store.abort_stale_uploads(since).await.unwrap(), 1);
    assert!(matches!(
        store.multipart(&old).await,
        Err(StoreError::NoSuchUpload(_))
    ));
    assert!(store.multipart(&used).await.is_ok() && store.multipart(&fresh).await.is_ok());
    assert!(matches!(
        part(store, &old, 1, b"late").await,
        Err(StoreError::NoSuchUpload(_))
    ));
    assert!(own_names(&store.now().path_of(&bucket(), "")).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_parts_make_an_object_that_knows_each_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    fs::create_dir_all(root.join("abc")).unwrap();
    let settings = Settings {
        durable: false,
        ..settings(&root)
    };
    let store = &DiskStore::open(&settings, &[]).unwrap();
    let upload = begin(store).await;
    // Sizes that follow no pattern, and a checksum each: the record is as long as records get.
    let size = |number: u32| (number % 7 + 1) as usize;
    for number in 1..=10_000 {
        part(store, &upload, number, &vec![b'x'; size(number)])
            .await
            .unwrap();
    }
    let parts = store.parts(&upload, PartsQuery::ALL).await.unwrap();
    let sizes: Vec<_> = parts.iter().map(|part| part.size).collect();
    let kept = Parts::new(sizes.iter().copied(), vec![7; 10_000 * 32]).of_upload(CameBy {
        upload_id: upload.id.clone(),
        initiator: Some("alice".to_owned()),
    });
    let completion = Completion {
        parts,
        etag: ETag::new("parts".to_owned()),
        properties: Properties {
            parts: Some(kept.clone()),
            ..Properties::default()
        },
        condition: WriteCondition::Always,
        last_look: LastLook::none(),
    };
    let stored = store.complete_multipart(&upload, completion).await.unwrap();
    assert_eq!(stored.size, sizes.iter().sum::<u64>());
    let found = store.open(&bucket(), &key()).await.unwrap();
    assert_eq!(found.attributes.properties.parts, Some(kept));
    let own = own_names(&root.join("abc"));
    assert!(own.len() == 1 && own[0].starts_with("~!metadata/"), "{own:?}");
}

#[tokio::test]
async fn an_upload_is_completed_once_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("abc")).unwrap();
    let settings = Settings {
        root: folder.path().to_owned(),
        ..Settings::default()
    };
    let store = DiskStore::open(&settings, &[]).unwrap();
    let upload = begin(&store).await;
    for number in [1, 2] {
        part(&store, &upload, number, &[number as u8; 1024])
            .await
            .unwrap();
    }
    let parts = store.parts(&upload, PartsQuery::ALL).await.unwrap();
    let (reached, is_reached) = std::sync::mpsc::channel();
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let may_go = std::sync::Mutex::new(may_go);
    let completing = |last_look| {
        let (store, upload, parts) = (store.clone(), upload.clone(), parts.clone());
        tokio::spawn(async move {
            let completion = Completion {
                parts,
                etag: ETag::new("parts".to_owned()),
                properties: Properties::default(),
                condition: WriteCondition::Always,
                last_look,
            };
            store.complete_multipart(&upload, completion).await
        })
    };
    // The first stands right before its end, and the others come. Its first look is before the
    // parts are joined.
    let looks = std::sync::atomic::AtomicUsize::new(0);
    let first = completing(LastLook::new(move |_| {
        if looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0 {
            reached.send(()).unwrap();
            may_go.lock().unwrap().recv().unwrap();
        }
        true
    }));
    tokio::task::spawn_blocking(move || is_reached.recv().unwrap())
        .await
        .unwrap();
    let others: Vec<_> = (0..8).map(|_| completing(LastLook::none())).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let waiting: Vec<_> = others.iter().filter(|other| !other.is_finished()).collect();
    assert_eq!(waiting.len(), 4, "the others are turned away at once");
    waiting[3].abort();
    let beside = fs::read_dir(folder.path().join("abc/~!tmp")).unwrap().count();
    assert_eq!(beside, 1, "only the first has joined the parts");
    go.send(()).unwrap();
    assert!(first.await.unwrap().is_ok());
    let (mut gone, mut refused) = (0, 0);
    for other in others {
        match other.await {
            Ok(Err(StoreError::NoSuchUpload(_))) => gone += 1,
            Ok(Err(StoreError::TooManyCompletions(_))) => refused += 1,
            Err(aborted) => assert!(aborted.is_cancelled()),
            Ok(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((gone, refused), (3, 4));
    assert!(store.now().completions.is_empty());
}

#[tokio::test]
async fn a_completion_that_must_fail_joins_no_parts() {
    let Sample { store, .. } = &sample(&["films/a"]);
    let upload = begin(store).await;
    for number in [1, 2] {
        part(store, &upload, number, b"part").await.unwrap();
    }
    let parts = store.parts(&upload, PartsQuery::ALL).await.unwrap();
    let folder = store.now().path_of(&bucket(), "");
    // A joined file could not be made here, and its error would be another.
    fs::remove_dir_all(folder.join("~!tmp")).ok();
    fs::write(folder.join("~!tmp"), "").unwrap();
    let complete = async |condition, allowed| {
        let completion = Completion {
            parts: parts.clone(),
            etag: ETag::new("parts".to_owned()),
            properties: Properties::default(),
            condition,
            last_look: LastLook::new(move |_| allowed),
        };
        store.complete_multipart(&upload, completion).await
    };
    let failed = complete(WriteCondition::Absent, true).await;
    assert!(matches!(failed, Err(StoreError::ConditionFailed)), "{failed:?}");
    let other = WriteCondition::Matches("other".to_owned());
    let failed = complete(other, true).await;
    assert!(matches!(failed, Err(StoreError::ConditionFailed)), "{failed:?}");
    let denied = complete(WriteCondition::Always, false).await;
    assert!(matches!(denied, Err(StoreError::Withdrawn)), "{denied:?}");
    let unwritable = complete(WriteCondition::Always, true).await;
    assert!(
        matches!(unwritable, Err(StoreError::Unwritable { .. })),
        "{unwritable:?}"
    );
    fs::remove_file(folder.join("~!tmp")).unwrap();
    store.abort_multipart(&upload, LastLook::none()).await.unwrap();
    let gone = complete(WriteCondition::Always, true).await;
    assert!(matches!(gone, Err(StoreError::NoSuchUpload(_))), "{gone:?}");
}

#[tokio::test]
async fn pages_of_parts_hold_each_part_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("abc")).unwrap();
    let settings = Settings {
        root: folder.path().to_owned(),
        ..Settings::default()
    };
    let store = DiskStore::open(&settings, &[]).unwrap();
    let upload = begin(&store).await;
    let numbers = [1, 2, 99, 100, 101, 250, 9_900, 9_901, 10_000];
    for number in numbers {
        part(&store, &upload, number, b"part").await.unwrap();
    }
    for limit in 1..=numbers.len() + 1 {
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let page = store.parts(&upload, PartsQuery { after, limit }).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = last.part.number.get();
            found.extend(page.iter().map(|part| part.part.number.get()));
        }
        assert_eq!(found, numbers, "{limit}");
    }
}
