//! `serve` under Landlock: it does all that it does, within the folders that its settings name, and opens nothing else. And its memory is its own.
#![allow(clippy::print_stdout, reason = "a test that cannot run here says so")]

use std::{
    fs,
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use http::Method;

use crate::{
    logs::{Program, Serving},
    support::{ALICE, client},
};

const SIGNER: &str = "[[signer]]\nname = 'alice'\naccess_key_id = 'AKIAALICE00000000000'\n";
const EVERYTHING: &str = "[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";

/// Alice may do everything; this stands between her id and her statement.
fn policy(more: &str) -> String {
    format!("{SIGNER}{more}\n{EVERYTHING}")
}

fn with_secret(more: &str) -> String {
    policy(&format!("secret_access_key = '{}'\n{more}", ALICE.1))
}

/// A program whose policy and storage are in folders of their own, and what lies outside all of them.
struct Home {
    program: Program,
    outside: tempfile::TempDir,
}

impl Home {
    fn new(policy: &str) -> Self {
        let (program, outside) = (Program::new(), tempfile::tempdir().unwrap());
        let folder = program.folder.path();
        for name in ["rules", "log", "films"] {
            fs::create_dir(folder.join(name)).unwrap();
        }
        fs::write(folder.join("rules/policy.toml"), policy).unwrap();
        fs::write(outside.path().join("secret"), ALICE.1).unwrap();
        Self { program, outside }
    }

    /// `serve`, confined or not at all.
    fn serve(&self, variables: &[(&str, &str)]) -> Command {
        let films = format!(
            "[server]\nconfine = 'require'\n[policy]\nfile = 'rules/policy.toml'\n[audit]\nfile = 'log/audit.jsonl'\nrotate_bytes = 4096\n\
             [[bucket]]\nname = 'films'\npath = '{}'\n",
            self.path("films").display()
        );
        fs::write(self.path("config.toml"), films).unwrap();
        let mut command = self.program.command(&["serve"]);
        command.envs(variables.iter().copied());
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.program.folder.path().join(name)
    }

    /// Saves the policy as an editor does.
    fn save(&self, policy: &str) {
        fs::write(self.path("rules/new"), policy).unwrap();
        fs::rename(self.path("rules/new"), self.path("rules/policy.toml")).unwrap();
    }

    /// What a client command prints; it must succeed.
    fn does(&self, serving: &Serving, arguments: &[&str]) -> String {
        let mut command = self.program.command(arguments);
        let output = command
            .env("AWS_ACCESS_KEY_ID", ALICE.0)
            .env("AWS_SECRET_ACCESS_KEY", ALICE.1)
            .env("AWS_ENDPOINT_URL", format!("http://{}", serving.address()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Says so and gives `false` where the kernel cannot confine.
fn can_be_confined() -> bool {
    let home = Home::new(&policy("secret_access_key_file = 'none'"));
    let mut command = home.serve(&[]);
    fs::write(home.path("rules/policy.toml"), with_secret("")).unwrap();
    // A port that is nobody's: where it is confined it fails there, and at once.
    let output = command
        .env("POSTERN_SERVER__LISTEN", "203.0.113.1:9")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let cannot = said.contains("server.confine is \"require\"");
    if cannot {
        println!("skipped: this kernel has no Landlock of Linux 5.19 or later: {said}");
    }
    !cannot
}

/// What `/readyz` says, once it says this.
async fn ready(serving: &Serving, wanted: &str) -> String {
    let start = Instant::now();
    loop {
        let line = serving
            .said
            .iter()
            .find_map(|line| line.strip_prefix("admin listens on http://"));
        let url = format!("http://{}/readyz", line.unwrap());
        let answer = client::send(line.unwrap().parse().unwrap(), Method::GET, &url, &[]).await;
        if answer.text().contains(wanted) {
            return answer.text().to_owned();
        }
        assert!(start.elapsed().as_secs() < 20, "no {wanted:?}: {}", answer.text());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn confined_it_stores_lists_copies_removes_rotates_and_reloads() {
    if !can_be_confined() {
        return;
    }
    let home = Home::new(&with_secret(""));
    let serving = Serving::start(home.serve(&[]));
    fs::write(home.path("small"), "small").unwrap();
    fs::write(home.path("large"), vec![7; 20 << 20]).unwrap();
    for bucket in ["pres-url-test", "films", "made"] {
        if bucket == "made" {
            home.does(&serving, &["mb", "s3://made"]);
        }
        for (file, key) in [
            ("small", "a"),
            ("small", "a/b"),
            ("large", "deep/er/large"),
            ("small", "a/b"),
        ] {
            home.does(&serving, &["put", file, &format!("s3://{bucket}/{key}")]);
        }
        home.does(
            &serving,
            &["get", &format!("s3://{bucket}/deep/er/large"), "back"],
        );
        assert!(fs::read(home.path("back")).unwrap() == fs::read(home.path("large")).unwrap());
        let listed = home.does(&serving, &["ls", &format!("s3://{bucket}/"), "--recursive"]);
        assert!(
            listed.contains("a/b") && listed.contains("deep/er/large"),
            "{listed}"
        );
        home.does(&serving, &["rm", &format!("s3://{bucket}/a/b")]);
        home.does(&serving, &["rm", &format!("s3://{bucket}/deep/er/large")]);
    }
    home.does(&serving, &["rm", "s3://made/a"]);
    home.does(&serving, &["rm", "s3://made"]);
    let mut link = String::new();
    for round in 0..20 {
        link = home.does(
            &serving,
            &[
                "presign",
                "GET",
                "s3://films/a",
                "--query",
                &format!("round={round}"),
            ],
        );
        let answer = client::send(serving.address(), Method::GET, link.trim(), &[]).await;
        assert_eq!(answer.text(), "small");
    }
    // A document that comes beside the policy later, and a policy that a symlink turns to.
    fs::create_dir(home.path("rules/..2026")).unwrap();
    let document = r#"{"Statement":{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}}"#;
    fs::write(home.path("rules/..2026/deny.json"), document).unwrap();
    fs::write(
        home.path("rules/..2026/policy.toml"),
        with_secret("policy_documents = ['..2026/deny.json']"),
    )
    .unwrap();
    symlink("..2026/policy.toml", home.path("rules/link")).unwrap();
    fs::rename(home.path("rules/link"), home.path("rules/policy.toml")).unwrap();
    ready(&serving, "\"generation\":2").await;
    let answer = client::send(serving.address(), Method::GET, link.trim(), &[]).await;
    assert_eq!(answer.code(), "AccessDenied");
    let log = serving.stop();
    assert!(!log.contains("ERROR") && !log.contains("cannot"), "{log}");
    assert!(home.path("log/audit.jsonl.1").exists(), "the trail was rotated");
}

#[tokio::test]
async fn confined_it_opens_no_file_outside_and_says_how_to_let_it() {
    if !can_be_confined() {
        return;
    }
    let home = Home::new(&with_secret(""));
    let serving = Serving::start(home.serve(&[]));
    let secret = home.outside.path().join("secret");
    let elsewhere = |what: &str| format!("{what} = '{}'", secret.display());
    // By its name, and through a symlink from within.
    symlink(&secret, home.path("rules/inside")).unwrap();
    for (generation, named) in [
        (1, elsewhere("secret_access_key_file")),
        (2, "secret_access_key_file = 'inside'".to_owned()),
    ] {
        home.save(&policy(&named));
        let told = ready(&serving, "forbids it").await;
        assert!(
            told.contains("server.confine_also_read") && told.contains("restart postern"),
            "{told}"
        );
        assert!(
            told.contains(&format!("\"generation\":{generation},"))
                && told.contains(&secret.display().to_string()),
            "the last good policy stays: {told}"
        );
        home.save(&with_secret(&format!("# {named}")));
        ready(&serving, "\"problem\":null").await;
    }
    serving.stop();

    // The next start lets in what the policy names then, or the setting.
    home.save(&policy(&elsewhere("secret_access_key_file")));
    Serving::start(home.serve(&[])).stop();
    home.save(&with_secret(""));
    let list = format!("[\"{}\"]", home.outside.path().display());
    let serving = Serving::start(home.serve(&[("POSTERN_SERVER__CONFINE_ALSO_READ", &list)]));
    home.save(&policy(&elsewhere("secret_access_key_file")));
    ready(&serving, "\"generation\":2").await;
    serving.stop();

    let serving = Serving::start(home.serve(&[("POSTERN_SERVER__CONFINE", "off")]));
    home.save(&with_secret("# changed"));
    ready(&serving, "\"generation\":2").await;
    home.save(&policy("secret_access_key_file = 'inside'"));
    ready(&serving, "\"generation\":3").await;
    assert!(serving.stop().contains("not confined to the configured folders"));
}

/// How often a text stands in what the process can write to; `None` where this user may not look.
fn copies(serving: &Serving, text: &str) -> Option<usize> {
    let of = |file: &str| format!("/proc/{}/{file}", serving.id());
    let memory = fs::File::open(of("mem")).ok()?;
    let mut found = 0;
    for line in fs::read_to_string(of("maps")).ok()?.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next()?, words.next()?);
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-')?;
        let (start, end) = (
            u64::from_str_radix(start, 16).ok()?,
            u64::from_str_radix(end, 16).ok()?,
        );
        let mut bytes = vec![0; usize::try_from(end - start).ok()?];
        // A mapping that is gone meanwhile, or that holds nothing yet.
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            found += memchr::memmem::find_iter(&bytes, text).count();
        }
    }
    Some(found)
}

#[tokio::test]
async fn a_secret_that_was_replaced_is_nowhere_in_memory() {
    // In two pieces here, so that no test's own text is taken for it.
    let secret = |number: u32| format!("{}-{number}-{}", "memory/of+secret", "0123456789abcdef");
    let mine = |number: u32, more: &str| policy(&format!("secret_access_key = '{}'\n{more}", secret(number)));
    let home = Home::new(&mine(1, ""));
    let serving = Serving::start(home.serve(&[("POSTERN_SERVER__CONFINE", "auto")]));
    let client::Answer { status, .. } =
        client::send(serving.address(), Method::GET, serving.link(), &[]).await;
    assert_eq!(status.as_u16(), 200);
    let Some(first) = copies(&serving, &secret(1)) else {
        return println!("skipped: this user may not look into another process's memory");
    };
    assert_eq!(first, 1, "the one in the snapshot");
    // Valid, then broken: what is read of a file that is no policy is wiped too.
    home.save(&mine(2, ""));
    ready(&serving, "\"generation\":2").await;
    home.save(&mine(3, "sekret = 'x'"));
    ready(&serving, "sekret").await;
    let start = Instant::now();
    while copies(&serving, &secret(1)) != Some(0) || copies(&serving, &secret(3)) != Some(0) {
        let left = [1, 2, 3].map(|number| copies(&serving, &secret(number)));
        assert!(start.elapsed().as_secs() < 10, "copies of each secret: {left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(copies(&serving, &secret(2)), Some(1));
    serving.stop();
}

#[test]
fn no_core_is_dumped_and_nobody_of_the_same_user_reads_the_memory() {
    let home = Home::new(&with_secret(""));
    let mut command = home.serve(&[("POSTERN_SERVER__CONFINE", "auto")]);
    let own = rustix::process::getuid();
    if own.is_root() {
        // Root's files in /proc are root's whatever happens, so it is tried as somebody else.
        let program = home.path("postern");
        fs::copy(env!("CARGO_BIN_EXE_postern"), &program).unwrap();
        give_away(home.program.folder.path());
        command = as_nobody(&program, &command);
    }
    let serving = Serving::start(command);
    let of = |file: &str| PathBuf::from(format!("/proc/{}/{file}", serving.id()));
    let limits = fs::read_to_string(of("limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(
        core.split_whitespace().filter(|word| *word == "0").count(),
        2,
        "{core}"
    );
    // proc(5): the files of a process that must not be dumped are root's.
    assert_eq!(fs::metadata(of("environ")).unwrap().uid(), 0);
    let status = fs::read_to_string(of("status")).unwrap();
    assert!(own.is_root() == status.contains("Uid:\t65534"), "{status}");
}

fn give_away(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let given = Command::new("chown")
        .args(["-R", "65534:65534"])
        .arg(folder)
        .status();
    assert!(given.unwrap().success());
}

/// The same command with another program, as user 65534.
fn as_nobody(program: &Path, command: &Command) -> Command {
    use std::os::unix::process::CommandExt;
    let mut other = Command::new(program);
    other.args(command.get_args()).uid(65534).gid(65534);
    other.current_dir(command.get_current_dir().unwrap());
    other
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    other
}
