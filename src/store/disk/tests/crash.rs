//! What a killed process leaves behind: a child process writes and is killed with SIGKILL at a chosen point; then the store is opened again.

use std::{path::PathBuf, process::Command, sync::atomic::Ordering};

use super::*;
use crate::types::Tag;

/// Names the point at which the child ends.
const FAILPOINT: &str = "POSTERN_TEST_FAILPOINT";
/// Names the child's store.
const ROOT: &str = "POSTERN_TEST_CRASH_ROOT";
/// What the child does.
pub(super) const SCENARIO: &str = "POSTERN_TEST_CRASH_SCENARIO";
/// The name of the test that is the child.
const CHILD: &str = "store::disk::tests::crash::the_child_that_is_killed";

/// Ends this process, as a power cut would, if the point is the chosen one.
pub(in crate::store::disk) fn reached(name: &str) {
    if std::env::var(FAILPOINT).is_ok_and(|chosen| chosen == name) {
        let own = rustix::process::getpid();
        _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    }
}

fn spilled() -> Properties {
    Properties {
        content_type: "text/spilled".to_owned(),
        tags: (0..10)
            .map(|n| Tag {
                key: format!("{n}{}", "k".repeat(100)),
                value: "v".repeat(256),
            })
            .collect(),
        ..Properties::default()
    }
}

fn write(store: &DiskStore, key: &str, content: &[u8], properties: Properties) {
    run(stored(store, key, content, properties, WriteCondition::Always)).unwrap();
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(work)
}

/// Not a test by itself: without a root it does nothing.
#[test]
fn the_child_that_is_killed() {
    let Ok(root) = std::env::var(ROOT) else { return };
    let store = reopened(&settings(Path::new(&root)));
    match std::env::var(SCENARIO).unwrap().as_str() {
        "new" => write(&store, "fresh/key", b"new", Properties::default()),
        "replaced" => write(&store, "old", b"newer", Properties::default()),
        "spilled" => write(&store, "old", b"newer", spilled()),
        "large" => write(&store, "old", &vec![b'n'; 3_000_000], Properties::default()),
        "folder" => write(&store, "old/below", b"new", Properties::default()),
        "folder without exchange" => {
            store.now().exchange.store(false, Ordering::Relaxed);
            write(&store, "old/below", b"new", Properties::default());
        }
        "deleted" => {
            let key = ObjectKey::parse("x/y/deleted").unwrap();
            let bucket = BucketName::parse("abc").unwrap();
            let done = store.delete(&bucket, &key, WriteCondition::Always, LastLook::none());
            run(done).unwrap();
        }
        "tagged" => {
            let key = ObjectKey::parse("other").unwrap();
            let bucket = BucketName::parse("abc").unwrap();
            let done = store.replace_tags(&bucket, &key, spilled().tags, LastLook::none());
            run(done).unwrap();
        }
        "part" | "completed" | "one part" | "aborted" => super::multipart::scenario(&store),
        other => panic!("{other}"),
    }
    std::process::exit(0);
}

/// Runs the child, and tells whether it was killed.
pub(super) fn killed(root: &Path, scenario: &str, failpoint: &str) -> bool {
    let ended = Command::new(std::env::current_exe().unwrap())
        .args([CHILD, "--exact", "--nocapture"])
        .env(ROOT, root)
        .env(SCENARIO, scenario)
        .env(FAILPOINT, failpoint)
        .output()
        .unwrap();
    !ended.status.success()
}

pub(super) fn content(store: &DiskStore, key: &str) -> Option<(String, Vec<u8>)> {
    let key = ObjectKey::parse(key).unwrap();
    let found = store
        .now()
        .find_now(&BucketName::parse("abc").unwrap(), &key)
        .ok()?;
    let mut content = Vec::new();
    io::Read::read_to_end(&mut { found.file }, &mut content).unwrap();
    Some((found.attributes.etag.as_str().to_owned(), content))
}

/// Whether the file system of the tests can exchange two names.
fn can_exchange() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    fs::write(&one, "").unwrap();
    fs::write(&other, "").unwrap();
    let (here, flags) = (rustix::fs::CWD, rustix::fs::RenameFlags::EXCHANGE);
    rustix::fs::renameat_with(here, &one, here, &other, flags).is_ok()
}

#[test]
fn a_process_killed_at_any_point_leaves_the_old_object_or_the_new_and_no_litter() {
    let points = [
        "described",
        "synced",
        "renamed",
        "linked",
        "exchanged",
        "journalled",
        "unlinked",
        "folder placed",
        "placed",
        "tags written",
        "unlinked object",
        "never",
    ];
    let mut reached = std::collections::BTreeSet::new();
    for scenario in [
        "new",
        "replaced",
        "spilled",
        "large",
        "folder",
        "folder without exchange",
        "deleted",
        "tagged",
    ] {
        for point in points {
            let folder = tempfile::tempdir().unwrap();
            let root: PathBuf = folder.path().join("data");
            fs::create_dir_all(root.join("abc")).unwrap();
            let store = reopened(&settings(&root));
            write(&store, "old", b"older", Properties::default());
            write(&store, "other", b"other", spilled());
            write(&store, "x/y/deleted", b"gone", spilled());
            drop(store);
            let was_killed = killed(&root, scenario, point);
            if was_killed {
                reached.insert(point);
            }

            let case = format!("{scenario}, killed at {point}");
            let store = reopened(&settings(&root));
            let tagged = |content: &[u8]| (format!("tag-of-{}", content.len()), content.to_vec());
            assert_eq!(content(&store, "other"), Some(tagged(b"other")), "{case}");
            let old = content(&store, "old");
            let new = match scenario {
                "new" => content(&store, "fresh/key"),
                "folder" | "folder without exchange" => content(&store, "old/below"),
                _ => None,
            };
            let large = vec![b'n'; 3_000_000];
            let replaced = match scenario {
                "replaced" | "spilled" => Some(tagged(b"newer")),
                "large" => Some(tagged(&large)),
                _ => None,
            };
            assert!(
                old == Some(tagged(b"older")) || (replaced.is_some() && old == replaced),
                "{case}: the old object or the new, whole"
            );
            assert!(new.is_none() || new == Some(tagged(b"new")), "{case}");
            let writes = !["deleted", "tagged"].contains(&scenario);
            if !was_killed && writes {
                let wanted = replaced.unwrap_or(tagged(b"new"));
                assert_eq!(new.clone().or(old.clone()), Some(wanted), "{case}");
            }
            let deleted = content(&store, "x/y/deleted");
            assert!(
                deleted == Some(tagged(b"gone")) || (scenario == "deleted" && deleted.is_none()),
                "{case}"
            );
            keep_house(&store);
            // Each object with a spilled record has one, and nothing else is left.
            let own = own_names(&root.join("abc"));
            let replaced = scenario == "spilled" && old != Some(tagged(b"older"));
            let spilled = 1 + usize::from(replaced) + usize::from(deleted.is_some());
            let objects = 2 + usize::from(deleted.is_some()) + usize::from(new.is_some());
            // Without attributes every record spills.
            let expected = if has_attributes(folder.path()) {
                spilled
            } else {
                objects
            };
            let is_plain = |name: &String| name.starts_with("~!metadata/");
            assert!(
                own.len() == expected && own.iter().all(is_plain),
                "{case}: {own:?}"
            );
            assert_eq!(root.join("abc/x").exists(), deleted.is_some(), "{case}");
            let folder = root.join("abc/fresh");
            assert_eq!(folder.exists(), scenario == "new" && new.is_some(), "{case}");
            assert_eq!(keep_house(&store), Removed::default(), "{case}");
        }
    }
    let mut all: std::collections::BTreeSet<_> =
        points.into_iter().filter(|point| *point != "never").collect();
    if !can_exchange() {
        all.remove("exchanged");
    }
    assert_eq!(reached, all, "every point was reached in some scenario");
}
