//! Writers, removers and readers of the same names at once.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn bucket() -> BucketName {
    BucketName::parse("abc").unwrap()
}

fn quick() -> (tempfile::TempDir, DiskStore) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("abc")).unwrap();
    let settings = Settings {
        durable: false,
        ..settings(folder.path())
    };
    let store = DiskStore::open(&settings, &[]).unwrap();
    (folder, store)
}

/// The content of which the ETag says the length.
async fn whole(store: &DiskStore, key: &str) -> bool {
    let object = match store.open(&bucket(), &ObjectKey::parse(key).unwrap()).await {
        Ok(object) => object,
        Err(StoreError::NoSuchKey) => return false,
        Err(error) => panic!("{error}"),
    };
    let Content::File(file) = object.content;
    let mut content = vec![0; usize::try_from(object.attributes.size).unwrap()];
    std::os::unix::fs::FileExt::read_exact_at(file.file(), &mut content, 0).unwrap();
    let expected = format!("tag-of-{}", content.len());
    assert_eq!(object.attributes.etag.as_str(), expected);
    assert!(
        content
            .iter()
            .all(|byte| usize::from(*byte) == content.len() % 251)
    );
    true
}

fn version(n: usize) -> Vec<u8> {
    let length = 1000 + 77 * n;
    vec![(length % 251) as u8; length]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_of_a_key_that_is_written_see_one_version_whole() {
    let (_folder, store) = quick();
    stored(
        &store,
        "key",
        &version(0),
        Properties::default(),
        WriteCondition::Always,
    )
    .await
    .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (store, stop) = (store.clone(), stop.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    assert!(whole(&store, "key").await, "it is never missing");
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let writers = (0..4usize).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..100 {
                let content = version(writer * 100 + round);
                stored(
                    &store,
                    "key",
                    &content,
                    Properties::default(),
                    WriteCondition::Always,
                )
                .await
                .unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_object_is_never_missing_while_a_folder_of_its_name_comes_and_goes() {
    let (folder, store) = quick();
    stored(
        &store,
        "a",
        &version(0),
        Properties::default(),
        WriteCondition::Always,
    )
    .await
    .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, stop) = (store.clone(), stop.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                assert!(whole(&store, "a").await, "it is never missing");
                tokio::task::yield_now().await;
            }
        })
    };
    let below = (0..3usize).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let key = format!("a/{n}/b");
            for round in 0..60 {
                stored(
                    &store,
                    &key,
                    &version(round),
                    Properties::default(),
                    WriteCondition::Always,
                )
                .await
                .unwrap();
                assert!(whole(&store, &key).await);
                store
                    .delete(
                        &bucket(),
                        &ObjectKey::parse(&key).unwrap(),
                        WriteCondition::Always,
                        LastLook::none(),
                    )
                    .await
                    .unwrap();
            }
        })
    });
    let above = {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..60 {
                stored(
                    &store,
                    "a",
                    &version(round),
                    Properties::default(),
                    WriteCondition::Always,
                )
                .await
                .unwrap();
            }
        })
    };
    for writer in below.collect::<Vec<_>>().into_iter().chain([above]) {
        writer.await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    // Without attributes each object has a record of its own.
    let own = own_names(&folder.path().join("abc"));
    assert!(
        own.iter().all(|name| name.starts_with("~!metadata/key-")),
        "{own:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_writers_who_want_to_be_first_one_is() {
    let (_folder, store) = quick();
    for round in 0..20 {
        let key = format!("folder-{round}/key");
        let racers = (0..8usize).map(|n| {
            let (store, key) = (store.clone(), key.clone());
            tokio::spawn(async move {
                stored(
                    &store,
                    &key,
                    &version(n),
                    Properties::default(),
                    WriteCondition::Absent,
                )
                .await
                .is_ok()
            })
        });
        let mut won = 0;
        for racer in racers.collect::<Vec<_>>() {
            won += usize::from(racer.await.unwrap());
        }
        assert_eq!(won, 1);
        assert!(whole(&store, &key).await);
    }
}
