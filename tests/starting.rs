//! The first day: `postern init`, and what is said where a mount, an owner or a mode is wrong.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// A user that owns nothing.
const NOBODY: u32 = 54_321;

fn postern(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("POSTERN_ADMIN__LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null());
    command
}

/// The exit code and all that was printed.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn what_init_writes_is_valid_says_what_was_wanted_and_is_never_written_over() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("gate");
    let init = [
        "init",
        "gate",
        "--bucket",
        "films",
        "--listen",
        "127.0.0.1:0",
        "--public-url",
        "https://files.example.com",
        "--public-url",
        "http://postern:9000",
    ];
    let (code, said) = run(&mut postern(home.path(), &init));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("postern --config gate/config.toml serve"), "{said}");
    let [config, policy] = ["config.toml", "policy.toml"].map(|name| folder.join(name));
    assert_eq!((mode(&config) & 0o137, mode(&policy)), (0, 0o600));
    assert_eq!(mode(&folder.join("data/films")) & 0o027, 0);
    let written = fs::read_to_string(&config).unwrap();
    for line in [
        "listen = \"127.0.0.1:0\"               # port 0",
        "public_urls = [\"https://files.example.com\", \"http://postern:9000\"] ",
    ] {
        assert!(written.contains(line), "{written}");
    }
    assert!(
        !said.contains(secret(&policy).as_str()),
        "the secret is in the file alone"
    );

    let mut check = postern(
        home.path(),
        &["--config", "gate/config.toml", "check", "--strict", "--json"],
    );
    let (code, said) = run(&mut check);
    assert_eq!(code, Some(0), "{said}");
    let checked: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&checked["valid"], &checked["signers"][0]["name"]),
        (&Value::Bool(true), &"sample".into())
    );
    let link = run(&mut postern(
        home.path(),
        &[
            "--config",
            "gate/config.toml",
            "presign",
            "GET",
            "s3://films/a",
            "--endpoint",
            "http://localhost",
        ],
    ));
    assert!(
        link.0 == Some(0) && link.1.starts_with("http://localhost/films/a?X-Amz-"),
        "{link:?}"
    );

    let (code, said) = run(&mut postern(home.path(), &init));
    assert!(
        code == Some(1) && said.contains("nothing was written"),
        "{code:?} {said}"
    );
    fs::remove_file(&config).unwrap();
    let (code, said) = run(&mut postern(home.path(), &init));
    assert!(
        code == Some(1) && said.contains("policy.toml is there"),
        "{code:?} {said}"
    );
    assert!(!config.exists());
}

fn secret(policy: &Path) -> String {
    let policy: toml::Table = fs::read_to_string(policy).unwrap().parse().unwrap();
    policy["signer"][0]["secret_access_key"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn init_without_arguments_starts_here_each_time_with_other_keys_and_leaves_nothing_of_a_failure() {
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let secrets = homes.each_ref().map(|home| {
        let (code, said) = run(&mut postern(home.path(), &["init", "--json"]));
        let made: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((code, &made["bucket"]), (Some(0), &"files".into()), "{said}");
        assert!(!said.contains(&secret(&home.path().join("policy.toml"))));
        secret(&home.path().join("policy.toml"))
    });
    assert_ne!(secrets[0], secrets[1]);
    let shipped = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")).unwrap();
    assert_eq!(
        fs::read_to_string(homes[0].path().join("config.toml")).unwrap(),
        shipped
    );

    let home = tempfile::tempdir().unwrap();
    for (arguments, said) in [
        (vec!["init", "--bucket", "No"], "\"No\" is not a bucket name"),
        (
            vec!["init", "--public-url", "ftp://x"],
            "\"ftp://x\" is not a public URL",
        ),
        (vec!["init", "--listen", "9000"], "\"9000\" cannot be listened on"),
    ] {
        let found = run(&mut postern(home.path(), &arguments));
        assert!(found.0 == Some(2) && found.1.contains(said), "{found:?}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "{arguments:?}");
    }
}

/// A folder with a valid start in it that everybody may look at.
fn start() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let (code, said) = run(&mut postern(home.path(), &["init", "--listen", "127.0.0.1:0"]));
    assert_eq!(code, Some(0), "{said}");
    for (path, mode) in [
        ("", 0o755),
        ("config.toml", 0o644),
        ("policy.toml", 0o644),
        ("data", 0o777),
    ] {
        allow(home.path(), path, mode);
    }
    home
}

fn allow(home: &Path, path: &str, mode: u32) {
    fs::set_permissions(home.join(path), fs::Permissions::from_mode(mode)).unwrap();
}

/// Another user needs a process that may become one, and a program that others may run.
fn can_be_somebody_else() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    let mut version = postern(Path::new("/"), &["--version"]);
    is_root && version.uid(NOBODY).gid(NOBODY).output().is_ok()
}

#[test]
fn a_path_that_cannot_be_used_is_named_with_its_owner_its_mode_who_wants_it_and_the_fix() {
    // Only root can start the program as somebody else; CI is root.
    if !can_be_somebody_else() {
        return;
    }
    let me = format!("this process runs as user {NOBODY} and group {NOBODY}");
    for (what, wrong, variables, names) in [
        (
            "the data folder cannot be written",
            &(|home: &Path| allow(home, "data", 0o755)) as &dyn Fn(&Path),
            &[][..],
            &["data/~!postern cannot be made", "with mode 0755"][..],
        ),
        (
            "the data folder cannot be read",
            &|home| allow(home, "data", 0o733),
            &[],
            &["data cannot be opened", "with mode 0733"],
        ),
        (
            "the data folder is missing and cannot be made",
            &|home| fs::remove_dir_all(home.join("data")).unwrap(),
            &[],
            &["data cannot be made", "with mode 0755"],
        ),
        (
            "the policy cannot be read",
            &|home| allow(home, "policy.toml", 0o600),
            &[],
            &["policy.toml: the policy file cannot be read", "with mode 0600"],
        ),
        (
            "there is no policy, and none can be written",
            &|home| fs::remove_file(home.join("policy.toml")).unwrap(),
            &[],
            &["policy.toml: no policy file is there", "with mode 0755"],
        ),
        (
            "the configuration cannot be read",
            &|home| allow(home, "config.toml", 0o600),
            &[],
            &["config.toml: cannot be read", "with mode 0600"],
        ),
        (
            "no audit record can be written, and none may be missing",
            &|_| {},
            &[("POSTERN_AUDIT__ON_FAILURE", "refuse")],
            &["audit.jsonl cannot be written", "with mode 0755"],
        ),
        (
            "the folder on the way cannot be passed",
            &|home| {
                fs::create_dir_all(home.join("vault/data")).unwrap();
                allow(home, "vault", 0o700);
            },
            &[("POSTERN_STORAGE__ROOT", "vault/data")],
            &["vault/data cannot be made", "with mode 0700"],
        ),
    ] {
        let home = start();
        wrong(home.path());
        let mut command = postern(home.path(), &["--config", "config.toml", "serve"]);
        command.uid(NOBODY).gid(NOBODY).envs(variables.iter().copied());
        let (code, said) = run(&mut command);
        assert_eq!(code, Some(2), "{what}: {said}");
        for name in names.iter().copied().chain([me.as_str(), "belongs to user 0"]) {
            assert!(said.contains(name), "{what}: {said} should say {name}");
        }
        assert!(
            said.contains("run `chown") || said.contains("run `chmod"),
            "{what}: {said}"
        );
    }
}

#[test]
fn a_file_that_is_missing_is_told_with_the_part_of_its_path_that_is_there() {
    let home = tempfile::tempdir().unwrap();
    let (code, said) = run(&mut postern(
        home.path(),
        &["--config", "etc/config.toml", "serve"],
    ));
    assert_eq!(code, Some(2));
    let there = format!("there is {}, and nothing of this name", home.path().display());
    assert!(
        said.contains("etc/config.toml: cannot be read") && said.contains(&there),
        "{said}"
    );
}
