//! A disk without space: a small file system in memory, mounted in a namespace of the test's own. Where that is not permitted, the test says so
//! and shows nothing.

#![allow(clippy::print_stderr)] // a skipped test says so

use std::process::Command;

use super::*;

const ROOT: &str = "POSTERN_TEST_FULL_ROOT";
const CHILD: &str = "store::disk::tests::full::the_child_on_the_small_disk";

/// Not a test by itself: without a root it does nothing.
#[tokio::test]
async fn the_child_on_the_small_disk() {
    let Ok(root) = std::env::var(ROOT) else { return };
    let root = PathBuf::from(root);
    fs::create_dir_all(root.join("abc")).unwrap();
    let store = DiskStore::open(&settings(&root), &[]).unwrap();
    let put = async |key: &str, bytes: usize| {
        stored(
            &store,
            key,
            &vec![b'x'; bytes],
            Properties::default(),
            WriteCondition::Always,
        )
        .await
    };
    put("old", 1000).await.unwrap();
    for bytes in [8_000_000, 4_300_000] {
        let full = put("old", bytes).await;
        assert!(matches!(full, Err(StoreError::Full { .. })), "{full:?}");
        let full = put("new/key", bytes).await;
        assert!(matches!(full, Err(StoreError::Full { .. })), "{full:?}");
    }
    // The temporary file of an upload that failed goes on another thread.
    while !own_names(&root.join("abc")).is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(fs::read(root.join("abc/old")).unwrap().len(), 1000);
    assert!(!root.join("abc/new").join("key").exists());
    put("small", 100_000).await.unwrap();
}

#[test]
fn a_full_disk_is_told_and_nothing_is_kept_where_mounting_is_permitted() {
    let folder = tempfile::tempdir().unwrap();
    let mount = format!(
        "mount -t tmpfs -o size=4m tmpfs '{}' || exit 77; exec \"$0\" {CHILD} --exact --nocapture",
        folder.path().display()
    );
    let ended = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount])
        .arg(std::env::current_exe().unwrap())
        .env(ROOT, folder.path())
        .output();
    match ended {
        Ok(ended) if ended.status.success() => {}
        Ok(ended) if String::from_utf8_lossy(&ended.stdout).contains("running 1 test") => {
            panic!(
                "{}",
                String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat())
            );
        }
        // No `unshare`, or no leave to mount: nothing is shown on this machine.
        Ok(ended) => eprintln!(
            "skipped: cannot mount here: {}",
            String::from_utf8_lossy(&ended.stderr)
        ),
        Err(error) => eprintln!("skipped: cannot mount here: {error}"),
    }
}
