//! `postern serve` without any file: keys and buckets from the environment, or one folder and keys of its own making.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

const SECRET: &str = "s3cr3t/of+the=environment";

/// The program in a folder, with these variables and no others but free ports.
fn postern(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("POSTERN_SERVER__LISTEN", "127.0.0.1:0")
        .env("POSTERN_ADMIN__LISTEN", "127.0.0.1:0")
        .env("TMPDIR", std::env::temp_dir())
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A `postern serve` that has said where it listens, and whose keys count.
struct Serving {
    child: Child,
    said: Vec<String>,
}

impl Serving {
    /// Reads what it prints until a line that begins so.
    fn start(mut command: Command, last: &str) -> Self {
        let mut child = command.spawn().unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
            said.push(line.unwrap());
            if said.last().unwrap().trim_start().starts_with(last) {
                return Self { child, said };
            }
        }
        child.wait().unwrap();
        let mut error = String::new();
        child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        panic!("it ended before it said {last:?}: {said:?} {error}");
    }

    fn endpoint(&self) -> &str {
        let told = |line: &'_ String| line.starts_with("postern listens on ");
        let line = self.said.iter().find(|line| told(line)).unwrap();
        line.strip_prefix("postern listens on ").unwrap()
    }

    /// A client command, with these keys.
    fn client(&self, folder: &Path, (id, secret): (&str, &str), arguments: &[&str]) -> Output {
        let variables = [
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_ENDPOINT_URL", self.endpoint()),
        ];
        postern(folder, &variables, arguments).output().unwrap()
    }

    /// What a client command that succeeds prints.
    fn does(&self, folder: &Path, keys: (&str, &str), arguments: &[&str]) -> String {
        let output = self.client(folder, keys, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// SIGTERM; gives all that was logged.
    fn stop(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut log = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        assert!(self.child.wait().unwrap().success(), "{log}");
        log
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn listed(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn keys_and_buckets_of_the_environment_are_a_working_store_and_no_file_is_written() {
    let (home, user) = (home(), home());
    let keys = ("test", SECRET);
    let variables = [
        ("POSTERN_ACCESS_KEY_ID", keys.0),
        ("POSTERN_SECRET_ACCESS_KEY", keys.1),
        ("POSTERN_BUCKETS", "films, music"),
        // What Kubernetes sets for a service of this name.
        ("POSTERN_PORT", "tcp://10.0.0.1:9000"),
        ("POSTERN_SERVICE_HOST", "10.0.0.1"),
    ];
    let serving = Serving::start(postern(home.path(), &variables, &["serve"]), "the keys of test");
    fs::write(user.path().join("a.txt"), "hello").unwrap();
    serving.does(user.path(), keys, &["put", "a.txt", "s3://films/a b"]);
    serving.does(user.path(), keys, &["mb", "s3://third"]);
    assert_eq!(
        serving.does(user.path(), keys, &["get", "s3://films/a b", "-"]),
        "hello"
    );
    assert_eq!(
        serving
            .client(user.path(), ("test", "guess"), &["ls"])
            .status
            .code(),
        Some(1)
    );
    assert_eq!(listed(home.path()), ["data"]);
    assert_eq!(
        fs::read_to_string(home.path().join("data/films/a b")).unwrap(),
        "hello"
    );

    let said = serving.said.join("\n");
    let log = serving.stop();
    assert!(!said.contains(SECRET) && !log.contains(SECRET), "{said}\n{log}");

    // Started again, what is there stays.
    let serving = Serving::start(postern(home.path(), &variables, &["serve"]), "the keys of test");
    let buckets = serving.does(user.path(), keys, &["ls"]);
    assert!(
        ["films", "music", "third"]
            .iter()
            .all(|name| buckets.contains(name)),
        "{buckets}"
    );
    assert_eq!(
        serving.does(user.path(), keys, &["get", "s3://films/a b", "-"]),
        "hello"
    );
}

#[test]
fn keys_of_the_environment_replace_the_policy_file() {
    let home = home();
    let policy = "[[signer]]\nname = 'alice'\naccess_key_id = 'ALICE'\nsecret_access_key = 'alice'\n";
    fs::write(home.path().join("policy.toml"), policy).unwrap();
    let keys = ("minioadmin", "minioadmin");
    let variables = [
        ("POSTERN_ACCESS_KEY_ID", keys.0),
        ("POSTERN_SECRET_ACCESS_KEY", keys.1),
    ];
    let serving = Serving::start(
        postern(home.path(), &variables, &["serve"]),
        "the keys of minioadmin",
    );
    assert!(
        serving
            .said
            .last()
            .unwrap()
            .contains("the policy file is not read"),
        "{:?}",
        serving.said
    );
    serving.does(home.path(), keys, &["ls"]);
    let alice = serving.client(home.path(), ("ALICE", "alice"), &["ls"]);
    assert!(
        String::from_utf8_lossy(&alice.stderr).contains("InvalidAccessKeyId"),
        "{alice:?}"
    );
    assert_eq!(
        fs::read_to_string(home.path().join("policy.toml")).unwrap(),
        policy
    );
}

#[test]
fn what_is_wrong_in_the_environment_ends_the_start_and_is_named() {
    for (variables, said) in [
        (
            &[("POSTERN_ACCESS_KEY_ID", "test")][..],
            "POSTERN_SECRET_ACCESS_KEY is not",
        ),
        (
            &[("POSTERN_SECRET_ACCESS_KEY", SECRET)],
            "POSTERN_ACCESS_KEY_ID is not",
        ),
        (
            &[("POSTERN_BUCKETS", "films,No")],
            "POSTERN_BUCKETS: \"No\" is not a bucket name: it must have 3",
        ),
        (&[("POSTERN_SERVER__LISSTEN", "x")], "POSTERN_SERVER__LISSTEN"),
    ] {
        let home = home();
        let output = postern(home.path(), variables, &["serve"]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(said) && !error.contains(SECRET), "{error}");
        assert!(listed(home.path()).is_empty(), "{error}");
    }
}

/// The keys of the line `export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…`.
fn printed(said: &[String]) -> (String, String) {
    let line = said
        .iter()
        .find(|line| line.contains("AWS_ACCESS_KEY_ID="))
        .unwrap();
    let value = |name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=")).unwrap();
        rest.split(' ').next().unwrap().to_owned()
    };
    (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"))
}

#[test]
fn one_folder_is_a_bucket_with_keys_of_its_own_and_the_current_folder_stays_as_it_is() {
    let (home, place) = (home(), home());
    let folder = place.path().join("My Films");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.txt"), "hello").unwrap();
    // Neither counts: a folder is served by what the command line says.
    fs::write(home.path().join("config.toml"), "broken").unwrap();
    let serve = ["serve", folder.to_str().unwrap(), "--bucket", "films"];
    let scratch = self::home();
    let variables = [("TMPDIR", scratch.path().to_str().unwrap())];
    let serving = Serving::start(
        postern(home.path(), &variables, &serve),
        "export AWS_ENDPOINT_URL=",
    );
    let [root] = listed(scratch.path()).try_into().unwrap();
    let mode = fs::metadata(scratch.path().join(root))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700, "other buckets are for this user alone");
    let (id, secret) = printed(&serving.said);
    let keys = (id.as_str(), secret.as_str());
    assert!(id.len() == 20 && secret.len() == 40);
    assert!(
        serving.said.last().unwrap().contains(serving.endpoint()),
        "{:?}",
        serving.said
    );

    let user = self::home();
    assert_eq!(
        serving.does(user.path(), keys, &["get", "s3://films/a.txt", "-"]),
        "hello"
    );
    fs::write(user.path().join("b.txt"), "more").unwrap();
    serving.does(user.path(), keys, &["put", "b.txt", "s3://films/new/"]);
    assert_eq!(fs::read_to_string(folder.join("new/b.txt")).unwrap(), "more");
    assert_eq!(listed(home.path()), ["config.toml"]);
    let log = serving.stop();
    assert!(!log.contains(&secret), "{log}");
    assert!(listed(scratch.path()).is_empty());

    let output = postern(home.path(), &[], &["serve", folder.to_str().unwrap()])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains("\"My Films\" is not a bucket name") && error.contains("--bucket NAME"),
        "{error}"
    );
}

#[test]
fn keys_are_generated_only_where_there_are_none() {
    let (home, user) = (home(), home());
    let serve = ["serve", "--generate-keys"];
    let first = Serving::start(postern(home.path(), &[], &serve), "export AWS_ENDPOINT_URL=");
    let (id, secret) = printed(&first.said);
    first.does(user.path(), (&id, &secret), &["mb", "s3://films"]);
    assert_eq!(listed(home.path()), ["data"]);
    first.stop();
    let second = Serving::start(postern(home.path(), &[], &serve), "export AWS_ENDPOINT_URL=");
    assert_ne!(printed(&second.said), (id, secret), "fresh ones for each run");
    second.stop();
    let given = [
        ("POSTERN_ACCESS_KEY_ID", "test"),
        ("POSTERN_SECRET_ACCESS_KEY", SECRET),
    ];
    let third = Serving::start(postern(home.path(), &given, &serve), "the keys of test");
    third.does(user.path(), ("test", SECRET), &["ls", "s3://films"]);
}

#[test]
fn a_seed_fills_buckets_once_and_never_replaces_an_object() {
    let (home, user, seeds) = (home(), home(), home());
    let keys = ("test", SECRET);
    fs::create_dir_all(seeds.path().join("films/new")).unwrap();
    fs::write(seeds.path().join("films/new/a.txt"), "seed").unwrap();
    fs::write(seeds.path().join("films/b.txt"), "seed").unwrap();
    let variables = [
        ("POSTERN_ACCESS_KEY_ID", keys.0),
        ("POSTERN_SECRET_ACCESS_KEY", keys.1),
        ("POSTERN_SEED", seeds.path().to_str().unwrap()),
    ];
    let start = || Serving::start(postern(home.path(), &variables, &["serve"]), "the keys of test");
    let serving = start();
    assert_eq!(
        serving.does(user.path(), keys, &["get", "s3://films/new/a.txt", "-"]),
        "seed"
    );
    fs::write(user.path().join("b.txt"), "mine").unwrap();
    serving.does(user.path(), keys, &["put", "b.txt", "s3://films"]);
    serving.stop();
    let serving = start();
    assert_eq!(
        serving.does(user.path(), keys, &["get", "s3://films/b.txt", "-"]),
        "mine"
    );
}
