//! The program as its user runs it: what it prints, what it writes, and what no log ever holds.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use http::{Method, StatusCode};

use crate::support::client;

/// The program in a folder of its own, with the shipped configuration on free ports.
pub(crate) struct Program {
    pub(crate) folder: tempfile::TempDir,
}

impl Program {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::copy(shipped.join("config.toml"), folder.path().join("config.toml")).unwrap();
        std::fs::create_dir_all(folder.path().join("data/pres-url-test")).unwrap();
        std::fs::copy(
            shipped.join("data/pres-url-test/test.txt"),
            folder.path().join("data/pres-url-test/test.txt"),
        )
        .unwrap();
        Self { folder }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env_remove("AWS_SESSION_TOKEN");
        command
            .env("POSTERN_SERVER__LISTEN", "127.0.0.1:0")
            .env("POSTERN_ADMIN__LISTEN", "127.0.0.1:0");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

pub(crate) struct Serving {
    child: Child,
    pub(crate) said: Vec<String>,
}

impl Serving {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
            said.push(line.unwrap());
            if said.last().unwrap().starts_with("try it: ") {
                break;
            }
        }
        Self { child, said }
    }

    pub(crate) fn link(&self) -> &str {
        self.said.last().unwrap().strip_prefix("try it: ").unwrap()
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        let line = self
            .said
            .iter()
            .find_map(|line| line.strip_prefix("postern listens on http://"));
        line.unwrap().parse().unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, and all that was logged.
    pub(crate) fn stop(mut self) -> String {
        self.signal("-TERM");
        let mut log = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        assert!(self.child.wait().unwrap().success(), "SIGTERM is an orderly end");
        log
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        _ = self.child.kill();
    }
}

#[tokio::test]
async fn the_first_run_writes_keys_prints_a_link_that_opens_and_logs_no_secret_at_any_level() {
    let program = Program::new();
    let mut command = program.command(&["serve"]);
    command
        .env("POSTERN_LOG__LEVEL", "trace")
        .env("RUST_LOG", "trace");
    let serving = Serving::start(command);
    let policy = program.folder.path().join("policy.toml");
    assert!(
        serving.said[0].starts_with("wrote policy.toml with a fresh key"),
        "{:?}",
        serving.said
    );
    assert_eq!(
        std::fs::metadata(&policy).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let link = serving.link().to_owned();
    let answer = client::send(serving.address(), Method::GET, &link, &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text().starts_with("Hello from postern."));
    let signature = link.split("X-Amz-Signature=").nth(1).unwrap().to_owned();
    let forged = link.replace(&signature, &"0".repeat(64));
    let headers = [
        ("cookie", "session=cookie-secret"),
        ("x-amz-meta-a", "header-secret"),
    ];
    for (url, headers) in [
        (forged.as_str(), &headers[..]),
        (&format!("{link}&X-Amz-Security-Token=token-secret"), &[]),
        (
            link.split('?').next().unwrap(),
            &[("authorization", "Bearer bearer-secret")],
        ),
        (
            &format!("{}?password=query-secret", link.split('?').next().unwrap()),
            &[],
        ),
    ] {
        let answer = client::send(serving.address(), Method::GET, url, headers).await;
        assert!(answer.status.is_client_error());
    }

    let text = std::fs::read_to_string(&policy).unwrap();
    let secret = text
        .lines()
        .find_map(|line| line.strip_prefix("secret_access_key = \""))
        .unwrap()
        .trim_end_matches('"')
        .to_owned();
    let log = serving.stop();
    assert!(log.contains("Mismatch") && log.contains("request_id="), "{log}");
    assert!(
        log.contains("operation=\"GetObject\" access_key_id=AKIA"),
        "{log}"
    );
    for never in [
        secret.as_str(),
        &signature,
        &"0".repeat(64),
        "cookie-secret",
        "header-secret",
        "token-secret",
        "bearer-secret",
        "query-secret",
        "X-Amz-Signature",
        "X-Amz-Credential",
    ] {
        assert!(!log.contains(never), "the log holds {never:?}:\n{log}");
    }
}

#[test]
fn presign_prints_the_url_and_nothing_else() {
    let program = Program::new();
    let mut command = program.command(&[
        "presign",
        "get",
        "s3://pres-url-test/a b.txt",
        "--endpoint",
        "https://files.example.com",
    ]);
    command
        .env("AWS_ACCESS_KEY_ID", "AKIAFROMENV000000000")
        .env("AWS_SECRET_ACCESS_KEY", "secret from the environment");
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    let url = String::from_utf8(output.stdout).unwrap();
    assert!(url.starts_with("https://files.example.com/pres-url-test/a%20b.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAFROMENV000000000%2F"), "{url}");
    assert!(url.contains("&X-Amz-Expires=900&") && url.lines().count() == 1);
}

#[test]
fn commands_say_what_is_wrong_and_end_with_the_promised_code() {
    let program = Program::new();
    let policy = program.folder.path().join("policy.toml");
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();

    let missing = program.run(&["check"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(said(&missing).contains("policy.toml"), "{}", said(&missing));

    let alice = "[[signer]]\nname = 'alice'\naccess_key_id = 'AKIAALICE00000000000'\nsecret_access_key = 'very-secret'\n";
    std::fs::write(
        &policy,
        format!("{alice}[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n"),
    )
    .unwrap();
    std::fs::set_permissions(&policy, std::fs::Permissions::from_mode(0o644)).unwrap();
    let valid = program.run(&["check"]);
    let text = String::from_utf8_lossy(&valid.stdout).into_owned();
    assert_eq!(valid.status.code(), Some(0), "{}", said(&valid));
    for expected in [
        "alice (AKIAALICE00000000000)",
        "Allow Action s3:* Resource *",
        "warning: ",
        "every action on every resource",
        "others can read it (mode 0644)",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
    let json: serde_json::Value = serde_json::from_slice(&program.run(&["check", "--json"]).stdout).unwrap();
    assert_eq!(
        (json["valid"].as_bool(), json["signers"][0]["name"].as_str()),
        (Some(true), Some("alice"))
    );

    std::fs::write(
        &policy,
        format!("{alice}[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:GetObjet'\nResource = '*'\n"),
    )
    .unwrap();
    let typo = program.run(&["check"]);
    assert_eq!(typo.status.code(), Some(1));
    assert!(
        said(&typo).contains("policy.toml:7:") && said(&typo).contains("s3:GetObject"),
        "{}",
        said(&typo)
    );
    let serve = program.run(&["serve"]);
    assert_eq!(serve.status.code(), Some(2));
    assert!(
        said(&serve).contains("s3:GetObject") && !said(&serve).contains("very-secret"),
        "{}",
        said(&serve)
    );

    for (arguments, says) in [
        (&["health"][..], "port 0"),
        (&["presign", "GET", "http://b/k"], "s3://BUCKET/KEY"),
        (&["--config", "none.toml", "check"], "none.toml"),
    ] {
        let output = program.run(arguments);
        assert_ne!(output.status.code(), Some(0));
        assert!(said(&output).contains(says), "{arguments:?}: {}", said(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_strangers_has_a_bounded_log_and_exact_counts() {
    const REQUESTS: usize = 2_000;
    let program = Program::new();
    let mut command = program.command(&["serve"]);
    command.env("POSTERN_LOG__FORMAT", "json");
    let serving = Serving::start(command);
    crate::audit::flood(serving.address(), REQUESTS).await;
    let log = serving.stop();
    let (mut single, mut counted) = (0, 0);
    for line in log.lines() {
        assert!(line.len() < 2_048, "{line}");
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let fields = &line["fields"];
        if let Some(requests) = fields["requests"].as_u64() {
            assert_eq!(fields["client"], "127.0.0.1");
            counted += requests;
        } else if fields["request_id"].is_string() {
            single += 1;
        }
    }
    assert_eq!(
        single + counted,
        REQUESTS as u64,
        "each refusal is told or counted"
    );
    assert!(single < REQUESTS as u64 / 2, "it was a flood");
}
