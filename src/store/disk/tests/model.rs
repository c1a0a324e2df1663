//! Any sequence of writes, removals and readings against a plain map, over keys that are in each other's way on disk.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{store::Listed, types::Tag};

/// What the map holds of a key: its content and the tags that were set later.
type Model = BTreeMap<String, (Vec<u8>, Vec<Tag>)>;

#[derive(Clone, Debug)]
enum Step {
    Put(String, u8),
    PutWhereAbsent(String, u8),
    Delete(String),
    Tag(String, u8),
    Reopen,
}

fn key() -> impl Strategy<Value = String> {
    let long = "l".repeat(250);
    let keys = ["a", "a/", "a/b", "a//b", "a/b/c", "~@", "a/~@", "~=x", "."];
    let keys: Vec<String> = keys
        .iter()
        .map(|key| key.to_string())
        .chain([
            format!("{long}{}", "x".repeat(20)),
            format!("{long}{}/y", "x".repeat(20)),
            format!("{long}y"),
        ])
        .collect();
    prop::sample::select(keys)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (key(), any::<u8>()).prop_map(|(key, n)| Step::Put(key, n)),
        1 => (key(), any::<u8>()).prop_map(|(key, n)| Step::PutWhereAbsent(key, n)),
        3 => key().prop_map(Step::Delete),
        1 => (key(), any::<u8>()).prop_map(|(key, n)| Step::Tag(key, n)),
        1 => Just(Step::Reopen),
    ]
}

fn content(n: u8) -> Vec<u8> {
    vec![n; usize::from(n)]
}

fn tags(n: u8) -> Vec<Tag> {
    vec![Tag {
        key: "n".to_owned(),
        value: n.to_string(),
    }]
}

fn look(store: &DiskStore, keys: &Model) -> Result<(), TestCaseError> {
    let bucket = BucketName::parse("abc").unwrap();
    let query = ListQuery {
        limit: 1000,
        ..ListQuery::default()
    };
    let listed: Vec<_> = store.now().list(&bucket, &query).unwrap().entries;
    let names: Vec<_> = listed
        .iter()
        .map(|entry| match entry {
            Listed::Object(key, _) => key.as_str().to_owned(),
            Listed::CommonPrefix(prefix) => prefix.clone(),
        })
        .collect();
    prop_assert_eq!(names, keys.keys().cloned().collect::<Vec<_>>());
    let rolled = ListQuery {
        delimiter: Some("/".to_owned()),
        ..query
    };
    let mut expected: Vec<&str> = Vec::new();
    for key in keys.keys() {
        let entry = key.find('/').map_or(key.as_str(), |at| &key[..=at]);
        if expected.last() != Some(&entry) {
            expected.push(entry);
        }
    }
    let page = store.now().list(&bucket, &rolled).unwrap();
    let found: Vec<_> = page
        .entries
        .iter()
        .map(|entry| match entry {
            Listed::Object(key, _) => key.as_str(),
            Listed::CommonPrefix(prefix) => prefix.as_str(),
        })
        .collect();
    prop_assert_eq!(found, expected);
    for (key, (content, tags)) in keys {
        let Opened { attributes, file, .. } = store
            .now()
            .find_now(&bucket, &ObjectKey::parse(key).unwrap())
            .unwrap();
        let mut read = Vec::new();
        io::Read::read_to_end(&mut { file }, &mut read).unwrap();
        prop_assert_eq!(&read, content);
        prop_assert_eq!(attributes.etag.as_str(), format!("tag-of-{}", content.len()));
        prop_assert_eq!(&attributes.properties.tags, tags);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_store_is_a_map(steps in prop::collection::vec(step(), 1..30), exchange in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("abc")).unwrap();
        let open = || {
            let settings = Settings { durable: false, ..settings(folder.path()) };
            let store = reopened(&settings);
            store.now().exchange.store(exchange, std::sync::atomic::Ordering::Relaxed);
            store
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let bucket = BucketName::parse("abc").unwrap();
        let (mut store, mut model) = (open(), Model::new());
        for step in steps {
            match step {
                Step::Put(key, n) => {
                    runtime.block_on(stored(&store, &key, &content(n), Properties::default(), WriteCondition::Always)).unwrap();
                    model.insert(key, (content(n), Vec::new()));
                }
                Step::PutWhereAbsent(key, n) => {
                    let outcome = runtime.block_on(stored(&store, &key, &content(n), Properties::default(), WriteCondition::Absent));
                    prop_assert_eq!(outcome.is_ok(), !model.contains_key(&key));
                    model.entry(key).or_insert((content(n), Vec::new()));
                }
                Step::Delete(key) => {
                    let parsed = ObjectKey::parse(&key).unwrap();
                    runtime.block_on(store.delete(&bucket, &parsed, WriteCondition::Always, LastLook::none())).unwrap();
                    model.remove(&key);
                }
                Step::Tag(key, n) => {
                    let parsed = ObjectKey::parse(&key).unwrap();
                    let outcome = runtime.block_on(store.replace_tags(&bucket, &parsed, tags(n), LastLook::none()));
                    prop_assert_eq!(outcome.is_ok(), model.contains_key(&key));
                    if let Some((_, kept)) = model.get_mut(&key) {
                        *kept = tags(n);
                    }
                }
                Step::Reopen => {
                    drop(store);
                    store = open();
                }
            }
            look(&store, &model)?;
        }
        for key in model.keys() {
            let parsed = ObjectKey::parse(key).unwrap();
            runtime.block_on(store.delete(&bucket, &parsed, WriteCondition::Always, LastLook::none())).unwrap();
        }
        prop_assert_eq!(own_names(&folder.path().join("abc")), Vec::<String>::new());
        // With the last object the folders are gone too, so that the bucket can be.
        runtime.block_on(store.delete_bucket(&bucket, LastLook::none())).unwrap();
    }
}
