//! Saves a policy in every way that people and tools do, and looks at what comes into force.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::symlink,
    path::PathBuf,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use tempfile::TempDir;
use time::macros::datetime;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// Longer than any wait of the watcher's: after it, nothing more comes.
const QUIET: Duration = Duration::from_millis(1_300);

/// A policy of one signer, told apart by its secret.
fn policy(mark: &str) -> String {
    format!(
        "[[signer]]\nname = 'alice'\naccess_key_id = 'AKIAALICE00000000000'\nsecret_access_key = 'secret-{mark}'\n"
    )
}

struct Home {
    folder: TempDir,
    live: Live,
    changes: watch::Receiver<Status>,
    _watcher: Watcher,
}

impl Home {
    fn new(on_invalid: OnInvalid, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let settings = Settings {
            file: folder.path().join("policy.toml"),
            on_invalid,
            ..Settings::default()
        };
        let (live, _) = Live::load(settings, Clock::fixed(datetime!(2026-11-23 12:00 UTC))).unwrap();
        let (changes, watcher) = (live.changes(), live.watch().unwrap());
        Self {
            folder,
            live,
            changes,
            _watcher: watcher,
        }
    }

    fn with(text: &str) -> Self {
        Self::new(OnInvalid::Keep, |folder| {
            fs::write(folder.join("policy.toml"), text).unwrap()
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("policy.toml")
    }

    /// Waits for a status. The bound is generous: it ends a test that has failed.
    async fn until(&mut self, wanted: impl FnMut(&Status) -> bool) -> Status {
        let found = tokio::time::timeout(Duration::from_secs(30), self.changes.wait_for(wanted)).await;
        let status = found.expect("no such status came").unwrap().clone();
        assert_eq!(self.live.snapshot().generation(), self.live.status().generation);
        status
    }

    /// Waits until what the files hold now is in force, as this generation.
    async fn until_taken(&mut self, generation: u64) {
        let digest = read(&self.file())
            .map(|loaded| loaded.digest)
            .unwrap_or_else(|error| panic!("{error}"));
        let status = self.until(|status| status.digest == digest).await;
        assert_eq!((status.generation, &status.problem), (generation, &None));
        assert_eq!(self.live.snapshot().digest(), digest);
    }

    /// Nothing comes into force and nothing is told for longer than the watcher ever waits.
    async fn stays_quiet(&mut self) {
        self.changes.mark_unchanged();
        let change = tokio::time::timeout(QUIET, self.changes.changed()).await;
        assert!(change.is_err(), "{:?}", self.live.status());
    }
}

#[tokio::test]
async fn a_save_in_place_comes_into_force() {
    let mut home = Home::with(&policy("one"));
    fs::write(home.file(), policy("two")).unwrap();
    home.until_taken(2).await;
}

#[tokio::test]
async fn a_save_by_rename_comes_into_force_again_and_again() {
    let mut home = Home::with(&policy("one"));
    for (generation, mark) in [(2, "two"), (3, "six"), (4, "ten")] {
        fs::write(home.path("policy.toml.new"), policy(mark)).unwrap();
        fs::rename(home.path("policy.toml.new"), home.file()).unwrap();
        home.until_taken(generation).await;
    }
}

#[tokio::test]
async fn a_save_that_moves_the_old_file_away_comes_into_force() {
    let mut home = Home::with(&policy("one"));
    fs::rename(home.file(), home.path("policy.toml~")).unwrap();
    fs::write(home.file(), policy("two")).unwrap();
    home.until_taken(2).await;
}

#[tokio::test]
async fn a_hard_link_put_in_place_comes_into_force() {
    let mut home = Home::with(&policy("one"));
    fs::write(home.path("new"), policy("two")).unwrap();
    fs::remove_file(home.file()).unwrap();
    fs::hard_link(home.path("new"), home.file()).unwrap();
    home.until_taken(2).await;
}

#[tokio::test]
async fn a_symlink_and_then_its_target_replaced_come_into_force() {
    let mut home = Home::with(&policy("one"));
    fs::create_dir(home.path("elsewhere")).unwrap();
    fs::write(home.path("elsewhere/p"), policy("two")).unwrap();
    symlink("elsewhere/p", home.path("link")).unwrap();
    fs::rename(home.path("link"), home.file()).unwrap();
    home.until_taken(2).await;
    fs::write(home.path("elsewhere/p"), policy("six")).unwrap();
    home.until_taken(3).await;
}

#[tokio::test]
async fn a_file_that_the_policy_refers_to_is_part_of_it() {
    let text = policy("one") + "policy_documents = ['a.json']\n";
    let document = |text: &str, home: &Path| fs::write(home.join("a.json"), text).unwrap();
    let statement = r#"{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}"#;
    let mut home = Home::new(OnInvalid::Keep, |folder| {
        document(statement, folder);
        fs::write(folder.join("policy.toml"), &text).unwrap();
    });
    document(&statement.replace("Allow", "Deny"), home.folder.path());
    home.until_taken(2).await;
    fs::remove_file(home.path("a.json")).unwrap();
    let told = home.until(|status| status.problem.is_some()).await;
    assert_eq!(told.generation, 2);
    assert!(told.problem.unwrap().contains("a.json"));
    document(statement, home.folder.path());
    home.until_taken(3).await;
}

/// A folder as Kubernetes mounts it: `policy.toml -> ..data/policy.toml`, `..data -> ..N`.
fn volume(folder: &Path, version: usize) {
    let data = folder.join(format!("..{version}"));
    fs::create_dir(&data).unwrap();
    let effect = if version.is_multiple_of(2) {
        "Allow"
    } else {
        "Deny"
    };
    let text = policy(effect) + "policy_documents = ['a.json']\n";
    fs::write(data.join("policy.toml"), text).unwrap();
    let document =
        format!(r#"{{"Statement":{{"Effect":"{effect}","Action":"s3:GetObject","Resource":"*"}}}}"#);
    fs::write(data.join("a.json"), document).unwrap();
    symlink(format!("..{version}"), folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    if let Some(before) = version.checked_sub(1) {
        fs::remove_dir_all(folder.join(format!("..{before}"))).unwrap();
    } else {
        symlink("..data/policy.toml", folder.join("policy.toml")).unwrap();
        symlink("..data/a.json", folder.join("a.json")).unwrap();
    }
}

#[tokio::test]
async fn a_turned_symlink_swaps_the_policy_and_its_documents_as_one() {
    let mut home = Home::new(OnInvalid::Keep, |folder| volume(folder, 0));
    let even = home.live.status().digest;
    volume(home.folder.path(), 1);
    home.until_taken(2).await;
    let odd = home.live.status().digest;
    assert_ne!(even, odd);
    for version in 2..40 {
        volume(home.folder.path(), version);
        // Some turns are taken, some come too fast; none may be half of one and half of the other.
        if version.is_multiple_of(5) {
            let wanted = if version.is_multiple_of(2) { &even } else { &odd };
            let before = home.live.status();
            home.until(|status| {
                assert!(
                    [&even, &odd].contains(&&status.digest),
                    "half of one and half of another"
                );
                assert_eq!(status.problem, None);
                status.digest == *wanted
            })
            .await;
            assert!(home.live.status().generation >= before.generation);
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn half_of_a_policy_is_not_taken_even_if_it_is_valid_by_itself() {
    let mut home = Home::with(&policy("one"));
    let mut file = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(home.file())
        .unwrap();
    file.write_all(policy("two").as_bytes()).unwrap();
    file.sync_all().unwrap();
    assert!(read(&home.file()).is_ok(), "the half is valid");
    home.stays_quiet().await;
    assert_eq!(home.live.status().generation, 1);
    writeln!(file, "# and this is the other half").unwrap();
    drop(file);
    home.until_taken(2).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_forced_reload_does_not_wait_for_the_writer() {
    let mut home = Home::with(&policy("one"));
    let mut file = File::create(home.file()).unwrap();
    file.write_all(policy("two").as_bytes()).unwrap();
    home.stays_quiet().await;
    home.live.reload_now();
    home.until_taken(2).await;
}

/// What the log says, for a test to read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    /// The log of every test of this process: one subscriber for a test alone misses lines, because another test's
    /// thread may be the first to come by a place that logs and settles for all of them that nobody listens there.
    fn of_the_process() -> &'static Self {
        static LOG: LazyLock<Log> = LazyLock::new(|| {
            let log = Log::default();
            let subscriber = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_max_level(tracing::Level::ERROR)
                .with_writer(log.clone())
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
            log
        });
        &LOG
    }

    /// The errors told of what is in this folder.
    fn errors_about(&self, folder: &Path) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let folder = folder.to_str().unwrap();
        text.lines()
            .filter(|line| line.contains("ERROR") && line.contains(folder))
            .map(str::to_owned)
            .collect()
    }
}

#[tokio::test]
async fn an_invalid_policy_is_told_of_once_and_the_last_good_one_stays_in_force() {
    let log = Log::of_the_process();
    let mut home = Home::with(&policy("one"));
    let good = home.live.snapshot();

    fs::write(home.file(), policy("one") + "naem = [").unwrap();
    let status = home.until(|status| status.problem.is_some()).await;
    let problem = status.problem.unwrap();
    assert!(problem.contains("policy.toml:5:"), "{problem}");
    assert_eq!((status.generation, status.denying_all), (1, false));
    assert!(Arc::ptr_eq(&good, &home.live.snapshot()));
    home.stays_quiet().await;
    let errors = log.errors_about(home.folder.path());
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains(&problem) && errors[0].contains("the last good policy stays in force"),
        "{errors:?}"
    );

    fs::write(home.file(), policy("one")).unwrap();
    let status = home.until(|status| status.problem.is_none()).await;
    assert_eq!(status.generation, 1, "what is in force has come back");
    assert!(Arc::ptr_eq(&good, &home.live.snapshot()));
}

/// Each way in which a policy file can be bad, with what is told of it; in between the good one comes back and is taken for what it is.
#[tokio::test]
async fn every_bad_edit_leaves_the_last_good_policy_in_force_and_says_where_it_is_wrong() {
    let mut home = Home::with(&policy("one"));
    let good = home.live.snapshot();
    let twice = |with: &str| {
        policy("one") + "[[signer]]\nname = 'bob'\naccess_key_id = 'B'\nsecret_access_key = 'x'\n" + with
    };
    let large = "#".repeat(crate::policy::MAX_POLICY_BYTES + 1);
    for (bad, said) in [
        (policy("one").trim_end_matches("'\n").to_owned(), "policy.toml:4:"),
        (String::new(), "policy.toml:1:1: no signer in it"),
        (large, "is over 16 MiB"),
        (
            policy("one") + "colour = 'red'\n",
            "policy.toml:5:1: unknown field `colour` in a signer",
        ),
        (
            policy("one") + "signed_before = 'yesterday'\n",
            "policy.toml:5:17: `signed_before` must be a time",
        ),
        (
            twice("").replace("'B'", "'AKIAALICE00000000000'"),
            "policy.toml:7:17: this access_key_id stands already at",
        ),
        (
            twice("").replace("'bob'", "'alice'"),
            "policy.toml:6:8: there is a signer `alice` already",
        ),
    ] {
        fs::write(home.file(), &bad).unwrap();
        let status = home.until(|status| status.problem.is_some()).await;
        let problem = status.problem.unwrap();
        assert!(problem.contains(said), "{said}: {problem}");
        assert!(!problem.contains("secret-one"), "{problem}");
        assert!(Arc::ptr_eq(&good, &home.live.snapshot()));
        fs::write(home.file(), policy("one")).unwrap();
        home.until(|status| status.problem.is_none()).await;
    }
    // A folder in its place cannot be read by anybody.
    fs::remove_file(home.file()).unwrap();
    fs::create_dir(home.file()).unwrap();
    let status = home.until(|status| status.problem.is_some()).await;
    assert!(
        status
            .problem
            .unwrap()
            .contains("policy.toml: the policy file cannot be read")
    );
    assert!(Arc::ptr_eq(&good, &home.live.snapshot()) && status.failures >= 8);
    fs::remove_dir(home.file()).unwrap();
    fs::write(home.file(), policy("two")).unwrap();
    home.until_taken(2).await;
}

#[tokio::test]
async fn a_deleted_policy_keeps_the_last_good_one_until_it_comes_back() {
    let mut home = Home::with(&policy("one"));
    fs::remove_file(home.file()).unwrap();
    let status = home.until(|status| status.problem.is_some()).await;
    assert_eq!(status.generation, 1);
    assert!(
        status
            .problem
            .unwrap()
            .contains("policy.toml: the policy file cannot be read")
    );
    fs::write(home.file(), policy("two")).unwrap();
    home.until_taken(2).await;
}

#[tokio::test]
async fn a_whole_folder_may_go_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("etc");
    let fill = |mark| {
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("policy.toml"), policy(mark)).unwrap();
    };
    fill("one");
    let settings = Settings {
        file: inner.join("policy.toml"),
        on_invalid: OnInvalid::Keep,
        ..Settings::default()
    };
    let (live, _) = Live::load(settings, Clock::system()).unwrap();
    let (changes, _watcher) = (live.changes(), live.watch().unwrap());
    let mut home = Home {
        folder,
        live,
        changes,
        _watcher,
    };
    fs::remove_dir_all(&inner).unwrap();
    home.until(|status| status.problem.is_some()).await;
    fill("two");
    home.until(|status| status.generation == 2 && status.problem.is_none())
        .await;
    fs::write(inner.join("policy.toml"), policy("six")).unwrap();
    home.until(|status| status.generation == 3).await;
}

#[tokio::test]
async fn under_deny_an_invalid_policy_denies_all_until_it_is_mended() {
    let mut home = Home::new(OnInvalid::Deny, |folder| {
        fs::write(folder.join("policy.toml"), policy("one")).unwrap()
    });
    fs::write(home.file(), "naem = [").unwrap();
    let status = home.until(|status| status.problem.is_some()).await;
    assert_eq!((status.generation, status.denying_all), (2, true));
    fs::write(home.file(), "naem = ]").unwrap();
    let other = home
        .until(|now| now.problem.is_some() && now.problem != status.problem)
        .await;
    assert_eq!(other.generation, 2, "denied is denied");
    fs::write(home.file(), policy("one")).unwrap();
    let status = home.until(|status| status.problem.is_none()).await;
    assert_eq!(
        (status.generation, status.denying_all),
        (3, false),
        "the same policy has to come into force again"
    );
}

#[tokio::test]
async fn under_deny_the_gateway_starts_without_a_policy_and_takes_one_up() {
    let mut home = Home::new(OnInvalid::Deny, |_| {});
    let status = home.live.status();
    assert!(status.denying_all && status.problem.is_some());
    fs::write(home.file(), policy("one")).unwrap();
    home.until_taken(2).await;
    assert!(!home.live.status().denying_all);
}

#[test]
fn under_keep_an_invalid_policy_at_the_start_is_an_error_that_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        file: folder.path().join("policy.toml"),
        on_invalid: OnInvalid::Keep,
        ..Settings::default()
    };
    let load = || {
        Live::load(settings.clone(), Clock::system())
            .err()
            .unwrap()
            .to_string()
    };
    assert!(load().contains("policy.toml: the policy file cannot be read"));
    fs::write(&settings.file, "[[signer]]\nname = [").unwrap();
    assert!(load().contains("policy.toml:2:"), "{}", load());
}

#[test]
fn the_policy_of_nobody_is_valid() {
    assert!(nobody().is_ok());
}

#[test]
fn the_files_are_watched_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.toml"), policy("one")).unwrap();
    let settings = Settings {
        file: folder.path().join("policy.toml"),
        on_invalid: OnInvalid::Keep,
        ..Settings::default()
    };
    let (live, _) = Live::load(settings, Clock::system()).unwrap();
    let _watcher = live.watch().unwrap();
    assert!(live.clone().watch().is_err());
}
