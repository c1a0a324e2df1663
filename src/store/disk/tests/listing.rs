//! Listings against a plain model: every key, sorted, filtered and rolled up by definition.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::store::{Listed, disk::list::Listings};

/// What a listing is, by its definition.
fn model(keys: &BTreeSet<String>, query: &ListQuery) -> (Vec<String>, bool) {
    let mut entries: Vec<String> = Vec::new();
    let rolled = |key: &str| -> Option<String> {
        let delimiter = query.delimiter.as_deref()?;
        let at = key[query.prefix.len()..].find(delimiter)?;
        Some(key[..query.prefix.len() + at + delimiter.len()].to_owned())
    };
    for key in keys.iter().filter(|key| key.starts_with(&query.prefix)) {
        if let Some(after) = &query.after {
            let skipped = after.starts_with(&query.prefix)
                && rolled(after).as_deref() == Some(after)
                && key.starts_with(after.as_str());
            if key <= after || skipped {
                continue;
            }
        }
        let entry = rolled(key).unwrap_or_else(|| key.clone());
        if entries.last() != Some(&entry) {
            entries.push(entry);
        }
    }
    let more = query.limit > 0 && entries.len() > query.limit;
    entries.truncate(query.limit);
    (entries, more)
}

fn names(page: &Page) -> Vec<String> {
    let name = |entry: &Listed| match entry {
        Listed::Object(key, _) => key.as_str().to_owned(),
        Listed::CommonPrefix(prefix) => prefix.clone(),
    };
    page.entries.iter().map(name).collect()
}

fn store_of(keys: &BTreeSet<String>, budget: Option<u64>) -> (tempfile::TempDir, Folders) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("abc")).unwrap();
    let settings = Settings {
        durable: false,
        ..settings(folder.path())
    };
    let store = DiskStore::open(&settings, &[]).unwrap();
    for key in keys {
        put(&store, key, b"x");
    }
    let parts = Arc::into_inner(store.0).unwrap();
    let mut folders = Arc::into_inner(parts.folders.into_inner()).unwrap();
    if let Some(budget) = budget {
        folders.listings = Listings::with_budget(budget, Arc::default(), Arc::default());
    }
    (folder, folders)
}

fn bucket() -> BucketName {
    BucketName::parse("abc").unwrap()
}

fn list(folders: &Folders, query: &ListQuery) -> (Vec<String>, bool) {
    let page = folders.list(&bucket(), query).unwrap();
    (names(&page), page.more)
}

fn query(prefix: &str, delimiter: &str, after: Option<&str>, limit: usize) -> ListQuery {
    ListQuery {
        prefix: prefix.to_owned(),
        delimiter: (!delimiter.is_empty()).then(|| delimiter.to_owned()),
        after: after.map(str::to_owned),
        limit,
    }
}

fn set(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|key| key.to_string()).collect()
}

#[test]
fn keys_come_in_the_order_of_their_bytes_whatever_the_disk_says() {
    let long = "k".repeat(1000);
    let keys = set(&[
        "a", "a-b", "a.b", "a/", "a/b", "a//c", "a0", "b/c/d", "/lead", "//", "../x", "~=q", "~@", "~!own",
        "é", "z/é", "100%", &long,
    ]);
    let (_folder, folders) = store_of(&keys, None);
    for prefix in [
        "",
        "a",
        "a/",
        "a//",
        "b/c/",
        "b/x",
        "/",
        "~",
        "é",
        "nothing",
        &long[..300],
    ] {
        for delimiter in ["", "/", "b", "//", "-"] {
            for after in [
                None,
                Some("a"),
                Some("a/"),
                Some("a//"),
                Some("b"),
                Some("zz"),
                Some("/"),
            ] {
                for limit in [0, 1, 2, 100] {
                    let query = query(prefix, delimiter, after, limit);
                    assert_eq!(list(&folders, &query), model(&keys, &query), "{query:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_no_key_is_not_listed_and_an_empty_folder_is_no_prefix() {
    let keys = set(&["a", "f/x"]);
    let (folder, folders) = store_of(&keys, None);
    let bucket = folder.path().join("abc");
    fs::create_dir_all(bucket.join("empty/deeper")).unwrap();
    fs::create_dir_all(bucket.join("only-odd")).unwrap();
    symlink("a", bucket.join("link")).unwrap();
    symlink("f", bucket.join("folder-link")).unwrap();
    for odd in ["~=needless", "~+piece", "~!ours", "only-odd/~=x", "~=%zz"] {
        fs::write(bucket.join(odd), "").unwrap();
    }
    assert_eq!(list(&folders, &query("", "", None, 100)).0, ["a", "f/x"]);
    assert_eq!(list(&folders, &query("", "/", None, 100)).0, ["a", "f/"]);
}

#[test]
fn the_object_named_like_a_folder_is_not_in_it() {
    let keys = set(&["a", "a/b", "c/d", "c/d/e", "c/f"]);
    let (_folder, folders) = store_of(&keys, None);
    for gone in ["a/b", "c/d/e", "c/f"] {
        let key = ObjectKey::parse(gone).unwrap();
        folders
            .delete(&bucket(), &key, &WriteCondition::Always, &LastLook::none())
            .unwrap();
    }
    // `a` and `c/d` still lie in folders of their names, where nothing else is.
    let left = set(&["a", "c/d"]);
    for prefix in ["", "a", "a/", "c/", "c/d", "c/d/"] {
        for delimiter in ["", "/"] {
            let query = query(prefix, delimiter, None, 100);
            assert_eq!(list(&folders, &query), model(&left, &query), "{query:?}");
        }
    }
}

#[test]
fn paging_through_an_unchanged_folder_reads_it_once() {
    let keys: BTreeSet<String> = (0..500).map(|n| format!("f/{n:04}")).collect();
    let (folder, folders) = store_of(&keys, None);
    // Long unchanged, as far as the file system tells.
    let device = fs::metadata(folder.path()).unwrap().dev();
    let grain = folders.grains.of(device).unsigned_abs();
    std::thread::sleep(grain + std::time::Duration::from_millis(50));
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = folders
            .list(&bucket(), &query("f/", "", after.as_deref(), 10))
            .unwrap();
        seen.extend(names(&page));
        if !page.more {
            break;
        }
        after = seen.last().cloned();
    }
    assert_eq!(seen, keys.iter().cloned().collect::<Vec<_>>());
    // The bucket and the folder.
    assert_eq!(folders.listings.counts().misses, 2);
    fs::write(folder.path().join("abc/f/0000a"), "").unwrap();
    assert_eq!(list(&folders, &query("f/", "", Some("f/0000"), 1)).0, ["f/0000a"]);
    assert_eq!(folders.listings.counts().misses, 3);
}

#[test]
fn a_folder_beyond_the_budget_is_sorted_on_disk_and_leaves_nothing_there() {
    let keys: BTreeSet<String> = (0..3000)
        .map(|n| format!("{:x}/{n}", n % 7))
        .chain((0..3000).map(|n| format!("{n}")))
        .collect();
    let (folder, folders) = store_of(&keys, Some(20_000));
    for query in [
        query("", "", None, 10_000),
        query("", "/", Some("2"), 500),
        query("3", "", Some("3/77"), 900),
        query("", "", Some("2999"), 10),
    ] {
        assert_eq!(list(&folders, &query), model(&keys, &query), "{query:?}");
    }
    // Without attributes each object has a record of its own.
    let own = own_names(&folder.path().join("abc"));
    assert!(
        own.iter().all(|name| name.starts_with("~!metadata/key-")),
        "{own:?}"
    );
}

fn key() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a", "b", "/", "/", "-", ".", "~", "=", "@", "0", "é", "%", "\0",
    ]);
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_listing_is_the_one_of_its_definition_and_pages_join_to_the_whole(
        keys in prop::collection::btree_set(key(), 0..25),
        prefix in "[ab/-]{0,3}",
        delimiter in prop::sample::select(vec!["", "/", "a", "/a", "-", "é"]),
        after in prop::option::of(key()),
        limit in 1usize..6,
        budget in prop::sample::select(vec![None, Some(64), Some(200)]),
    ) {
        let (_folder, folders) = store_of(&keys, budget);
        let whole = query(&prefix, delimiter, after.as_deref(), 1000);
        prop_assert_eq!(list(&folders, &whole), model(&keys, &whole));
        let (mut seen, mut from) = (Vec::new(), after.clone());
        loop {
            let (page, more) = list(&folders, &query(&prefix, delimiter, from.as_deref(), limit));
            prop_assert!(page.len() <= limit);
            from = page.last().cloned().or(from);
            seen.extend(page);
            if !more {
                break;
            }
        }
        prop_assert_eq!(seen, model(&keys, &whole).0);
    }
}
