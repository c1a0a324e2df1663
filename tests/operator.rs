//! What an operator does all day, with the program as it is: look at a policy before it counts, see that it counts, find out who downloaded what.

use std::{fs, io::Write, os::unix::fs::PermissionsExt, process::Output};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    logs::{Program, Serving},
    support::client,
};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The program in a folder with this policy file.
fn program(policy: &str) -> Program {
    let program = Program::new();
    fs::write(program.folder.path().join("policy.toml"), policy).unwrap();
    program
}

fn run(program: &Program, arguments: &[&str]) -> (Option<i32>, String) {
    let output = program.command(arguments).output().unwrap();
    (output.status.code(), text(&output))
}

const POLICY: &str = r#"
[[statement]]
Sid = "no-drafts"
Effect = "Deny"
Action = "s3:*"
Resource = "arn:aws:s3:::pres-url-test/drafts/*"

[[signer]]
name = "alice"
access_key_id = "AKIAALICE00000000000"
secret_access_key = "hush-do-not-print"
[[signer.statement]]
Sid = "office"
Effect = "Allow"
Action = "s3:GetObject"
Resource = "arn:aws:s3:::pres-url-test/*"
Condition = { IpAddress = { "aws:SourceIp" = "10.0.0.0/8" } }
"#;

#[test]
fn simulate_names_the_statement_that_decides_and_what_does_not_count() {
    let program = program(POLICY);
    let ask = |more: &[&str]| run(&program, &[&["simulate", "--signer", "alice"], more].concat());
    let get = ["--action", "s3:GetObject", "--resource"];
    for (resource, context, code, said) in [
        (
            "s3://pres-url-test/a",
            "aws:SourceIp=10.1.2.3",
            0,
            "allowed by policy.toml line 12: signer alice, statement 1 (Sid \"office\")",
        ),
        (
            "arn:aws:s3:::pres-url-test/a",
            "aws:SourceIp=11.1.2.3",
            1,
            "denied: no statement allows it\n  does not count, since its condition does not hold: Allow policy.toml line 12",
        ),
        (
            "pres-url-test/drafts/a",
            "aws:SourceIp=10.1.2.3",
            1,
            "denied by policy.toml line 2: every signer, statement 1 (Sid \"no-drafts\")",
        ),
        (
            "pres-url-test/a",
            "aws:SourceIP4=10.1.2.3",
            2,
            "did you mean \"aws:SourceIp\"?",
        ),
        ("pres-url-test/a", "10.1.2.3", 2, "is no KEY=VALUE"),
        ("p/a", "aws:SourceIp=10.1.2.3", 2, "is no resource"),
    ] {
        let found = ask(&[&get[..], &[resource, "--context", context]].concat());
        assert!(
            found.0 == Some(code) && found.1.contains(said),
            "{resource} {context}: {found:?}"
        );
    }
    let json = ask(&[
        &get[..],
        &["pres-url-test/a", "--context", "aws:SourceIp=10.0.0.1", "--json"],
    ]
    .concat())
    .1;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["allowed"], true);
    assert!(
        run(
            &program,
            &[
                "simulate",
                "--signer",
                "eve",
                "--action",
                "s3:GetObject",
                "--resource",
                "*"
            ]
        )
        .1
        .contains("there is no signer \"eve\"")
    );
}

#[test]
fn a_revoked_signer_is_denied_whatever_its_statements_say() {
    let program = program(&POLICY.replace("secret_access_key", "revoked = true\nsecret_access_key"));
    let arguments = [
        "simulate",
        "--signer",
        "alice",
        "--action",
        "s3:GetObject",
        "--resource",
        "pres-url-test/a",
        "--context",
        "aws:SourceIp=10.0.0.1",
    ];
    let (code, said) = run(&program, &arguments);
    assert!(
        code == Some(1) && said.contains("signer alice is revoked"),
        "{said}"
    );
}

#[test]
fn check_looks_at_files_under_review_as_a_hook_wants_it() {
    let program = program(POLICY);
    let path = |name: &str, text: &str| {
        let file = program.folder.path().join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
        name.to_owned()
    };
    let good = path("good.toml", POLICY);
    let odd = path(
        "odd.toml",
        &POLICY.replace("pres-url-test/drafts", "pres-url-tset/drafts"),
    );
    let covered = path("covered.toml", &POLICY.replace("/drafts/*", "/*"));
    let bad = path("bad.toml", &POLICY.replace("IpAddress", "IpAdress"));
    let decisions = path(
        "decisions.txt",
        "# who may what\n\nalice s3:GetObject s3://pres-url-test/a aws:SourceIp=10.0.0.1 => allow\nalice s3:GetObject s3://pres-url-test/drafts/a aws:SourceIp=10.0.0.1 => deny\n",
    );
    let wrong = path("wrong.txt", "alice s3:GetObject s3://pres-url-test/a => allow\n");
    let broken = path("broken.txt", "alice s3:GetObject => allow\n");
    for (arguments, code, said) in [
        (vec!["check", &good], 0, "valid: good.toml"),
        (
            vec!["check", "--strict", &good],
            0,
            "if IpAddress aws:SourceIp 10.0.0.0/8",
        ),
        (vec!["check", &good, &bad], 1, "invalid: bad.toml:17:"),
        (vec!["check", &odd], 0, "\"pres-url-tset\", which is not there"),
        (
            vec!["check", "--strict", &odd],
            1,
            "\"pres-url-tset\", which is not there",
        ),
        (
            vec!["check", "--strict", &covered],
            1,
            "can never take effect, since covered.toml line 2",
        ),
        (vec!["check", "--decisions", &decisions, &good], 0, "valid"),
        (
            vec!["check", "--decisions", &wrong, &good],
            1,
            "wrong: wrong.txt:1: must allow, and is denied: no statement allows it",
        ),
        (
            vec!["check", "--decisions", &broken, &good],
            2,
            "broken.txt:1: a line is SIGNER ACTION RESOURCE",
        ),
        (vec!["check", &good], 0, "note: links may live for 7d"),
    ] {
        let found = run(&program, &arguments);
        assert!(
            found.0 == Some(code) && found.1.contains(said),
            "{arguments:?}: {found:?}"
        );
        assert!(!found.1.contains("hush"), "{arguments:?}");
    }
    let unused = format!(
        "{POLICY}\n[[policy]]\nname = \"readers\"\n[[policy.statement]]\nEffect = \"Allow\"\nAction = \"s3:Get*\"\nResource = \"*\"\n"
    );
    let unused = path("unused.toml", &unused);
    assert!(
        run(&program, &["check", "--strict", &unused])
            .1
            .contains("no signer has this policy")
    );
}

/// A running gateway, and how to ask it.
fn serving(program: &Program) -> (Serving, String) {
    let serving = Serving::start(program.command(&["serve"]));
    let admin = serving
        .said
        .iter()
        .find_map(|line| line.strip_prefix("admin listens on http://"));
    let admin = admin.unwrap().to_owned();
    (serving, admin)
}

fn ask(program: &Program, admin: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = program.command(arguments);
    let output = command.env("POSTERN_ADMIN__LISTEN", admin).output().unwrap();
    (output.status.code(), text(&output))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_longer_runs_is_in_the_trail_once_the_transfers_have_been_told() {
    let program = Program::new();
    let (serving, admin) = serving(&program);
    let transfers = format!("http://{admin}/transfers");
    for requests in 1..=10 {
        let answer = client::send(serving.address(), http::Method::GET, serving.link(), &[]).await;
        assert_eq!(answer.status, 200);
        client::send(admin.parse().unwrap(), http::Method::GET, &transfers, &[]).await;
        let trail = fs::read_to_string(program.folder.path().join("audit.jsonl")).unwrap();
        assert_eq!(trail.lines().count(), requests, "{trail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaked_link_is_found_revoked_proved_and_given_back() {
    let program = Program::new();
    let (serving, admin) = serving(&program);
    let ask = |arguments: &[&str]| ask(&program, &admin, arguments);
    let link = serving.link().to_owned();
    assert_eq!(
        client::send(serving.address(), http::Method::GET, &link, &[])
            .await
            .status,
        200
    );
    assert!(ask(&["check", "--remote"]).1.starts_with("in force since "));

    // A large one that nobody reads to its end.
    fs::File::create(program.folder.path().join("data/pres-url-test/large"))
        .unwrap()
        .set_len(64 << 20)
        .unwrap();
    let large = ask(&[
        "presign",
        "GET",
        "s3://pres-url-test/large",
        "--endpoint",
        &format!("http://{}", serving.address()),
    ])
    .1;
    let target = large
        .trim()
        .strip_prefix(&format!("http://{}", serving.address()))
        .unwrap()
        .to_owned();
    let mut stream = TcpStream::connect(serving.address()).await.unwrap();
    let head = format!("GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n", serving.address());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.read_exact(&mut [0; 1000]).await.unwrap();

    let signer = "sample";
    let (code, preview) = ask(&["revoke", "--signer", signer, "--dry-run"]);
    assert_eq!(code, Some(0), "{preview}");
    assert!(
        preview.contains("running now, and ended by this: 1 transfer"),
        "{preview}"
    );
    assert!(
        preview.contains("running GetObject pres-url-test/large"),
        "{preview}"
    );
    assert!(
        preview.contains("alive, followed before and stopped by this: 1 link"),
        "{preview}"
    );
    assert!(
        preview.contains(
            "GetObject pres-url-test/test.txt  signer sample  followed 1 time from 1 address, last "
        ),
        "{preview}"
    );
    assert!(
        preview.contains("+ revoked = true") && preview.contains("nothing was written"),
        "{preview}"
    );

    let json: Value = serde_json::from_str(&ask(&["audit", "links", "--json"]).1).unwrap();
    let id = json["link_id"].as_str().unwrap().to_owned();
    assert_eq!(
        ask(&["revoke", "--link", &id, "--note", "leaked", "--yes"]).0,
        Some(0)
    );
    let policy = fs::read_to_string(program.folder.path().join("policy.toml")).unwrap();
    assert!(
        policy.contains("until = 20"),
        "the trail knows when the link ends: {policy}"
    );
    assert_eq!(ask(&["check", "--remote", "--wait", "20s"]).0, Some(0));
    assert_eq!(
        client::send(serving.address(), http::Method::GET, &link, &[])
            .await
            .status,
        403
    );
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let stopped = loop {
        let (code, stopped) = ask(&["audit", "stopped", "--link", &id]);
        if code == Some(0) || std::time::Instant::now() > until {
            break stopped;
        }
    };
    assert!(
        stopped.contains("last success before: ") && stopped.contains("stopped: 1"),
        "{stopped}"
    );
    assert!(
        stopped.contains("LinkRevoked: ") && stopped.contains("(leaked)"),
        "{stopped}"
    );
    let (_, downloads) = ask(&["audit", "downloads", "s3://pres-url-test/test.txt"]);
    assert!(
        downloads.contains(" served GetObject pres-url-test/test.txt  227 bytes"),
        "{downloads}"
    );
    let metrics = client::send(
        admin.parse().unwrap(),
        http::Method::GET,
        &format!("http://{admin}/metrics"),
        &[],
    )
    .await;
    assert!(
        metrics
            .text()
            .contains("postern_revocations_hit_total{rule=\"LinkRevoked\"} 1"),
        "{}",
        metrics.text()
    );
    assert!(metrics.text().contains("postern_policy_generation 2"));

    assert_eq!(ask(&["restore", "--link", &id, "--yes"]).0, Some(0));
    assert_eq!(ask(&["check", "--remote", "--wait", "20s"]).0, Some(0));
    assert_eq!(
        client::send(serving.address(), http::Method::GET, &link, &[])
            .await
            .status,
        200
    );

    // An edit that is not in force is told as such.
    let file = program.folder.path().join("policy.toml");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{good}\nnonsense = 1\n")).unwrap();
    let (code, said) = ask(&["check", "--remote"]);
    assert!(
        code == Some(1) && said.contains("unknown field `nonsense`"),
        "{said}"
    );
    fs::write(&file, good).unwrap();
    drop(stream);
    serving.stop();
    assert_eq!(ask(&["check", "--remote"]).0, Some(2));
}

#[test]
fn a_trail_from_elsewhere_is_read_from_standard_input() {
    let program = program(POLICY);
    let mut command = program.command(&["audit", "log", "--file", "-", "--outcome", "denied"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let lines = concat!(
        "{\"time\":\"2026-11-24T12:00:00Z\",\"outcome\":\"denied\",\"key\":\"a\\u001b[2J\",\"bucket\":\"b\",\"later\":1}\n",
        "no record\n",
        "{\"time\":\"2026-11-24T12:00:01Z\",\"outcome\":\"served\"}\n"
    );
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(
        said,
        "2026-11-24T12:00:00Z denied - b/a\\u{1b}[2J\n1 line is no record and was passed over\n"
    );
    let (code, said) = run(&program, &["audit", "log"]);
    assert!(
        code == Some(2) && said.contains("audit.jsonl: cannot be read"),
        "{said}"
    );
    let mut off = program.command(&["audit", "log"]);
    let said = text(&off.env("POSTERN_AUDIT__TO", "off").output().unwrap());
    assert!(said.contains("audit.to is \"off\""), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_explained_by_its_id_and_a_link_here_and_by_the_running_gateway() {
    let program = Program::new();
    let (serving, admin) = serving(&program);
    let ask = |arguments: &[&str]| ask(&program, &admin, arguments);
    let changed = format!("{}&utm_source=mail", serving.link());
    let refused = client::send(serving.address(), http::Method::GET, &changed, &[]).await;
    assert_eq!(refused.code(), "SignatureDoesNotMatch");
    assert_eq!(refused.element("Hint"), None, "production says what AWS says");

    let (code, said) = ask(&["explain", refused.header("x-amz-request-id")]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("utm_source") && said.contains("add nothing to a signed URL"),
        "{said}"
    );
    let (code, said) = ask(&["explain", "0123456789ABCDEF"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("no such request is kept"), "{said}");

    let command = format!("curl -X PUT -T file '{}'", serving.link());
    for remote in [&[][..], &["--remote"]] {
        let (code, said) = ask(&[&["explain", &command], remote].concat());
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("signed for GET and used with PUT"), "{said}");
        let (code, said) = ask(&[&["explain", serving.link(), "--json"], remote].concat());
        assert_eq!(code, Some(0), "{said}");
        let explanation: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(explanation["passes"], true);
        assert_eq!(explanation["steps"][6]["evidence"][0][1], "it is there");
        let missing = serving.link().replace("test.txt", "other.txt");
        assert!(
            ask(&[&["explain", &missing], remote].concat())
                .1
                .contains("SignatureDoesNotMatch")
        );
    }
    let recording = program.folder.path().join("recording.har");
    let entry = |url: &str| serde_json::json!({ "request": { "method": "GET", "url": url, "headers": [] }, "response": { "status": 403, "headers": [] } });
    let recorded =
        serde_json::json!({ "log": { "entries": [entry(&changed), entry("https://example.com/")] } });
    fs::write(&recording, recorded.to_string()).unwrap();
    let (code, said) = ask(&["explain", "--har", recording.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("test.txt: 403") && said.contains("utm_source") && !said.contains("example.com"),
        "{said}"
    );

    // Nothing of it is in the log or in the audit trail.
    let read = |name| fs::read_to_string(program.folder.path().join(name)).unwrap();
    let trail = read("audit.jsonl") + &read("audit.refused.jsonl");
    assert!(!trail.contains("X-Amz-") && !trail.contains("utm_source"));
}

#[test]
fn no_command_prints_what_steers_a_terminal() {
    // A right-to-left override, an escape sequence, a C1 control, a zero-width space and a line separator.
    const HOSTILE: &str = "a\u{202e}gpj.exe\u{1b}[2J\u{9b}31m\u{200b}\u{2028}";
    let in_toml = r"a\u202Egpj.exe\u200B\u2028";
    let policy = POLICY
        .replace("\"no-drafts\"", &format!("\"{in_toml}\""))
        .replace("\"office\"", &format!("\"{in_toml}\""));
    let program = program(&policy);
    let path = |name: &str| program.folder.path().join(name).display().to_string();
    let id = "0a".repeat(32);
    let record = serde_json::json!({
        "time": "2026-11-24T12:00:00Z", "outcome": "served", "operation": HOSTILE, "method": HOSTILE,
        "signer": HOSTILE, "access_key_id": HOSTILE, "link_id": id, "mechanism": "query",
        "expires_at": "2036-11-24T12:00:00Z", "bucket": "films", "key": HOSTILE, "source": HOSTILE,
        "client": HOSTILE, "origin": HOSTILE, "user_agent": HOSTILE, "bytes_sent": 5, "status": 200,
    });
    let mut denied = record.clone();
    denied["outcome"] = "denied".into();
    denied["reason"] = "ExplicitDeny".into();
    denied["decided_by"] = HOSTILE.into();
    fs::write(path("trail"), format!("{record}\n{denied}\n")).unwrap();
    fs::write(path("audit.jsonl"), format!("{record}\n{denied}\n")).unwrap();
    fs::write(
        path("decisions"),
        format!("alice s3:GetObject s3://films/{HOSTILE} => allow\n"),
    )
    .unwrap();
    let url = format!("http://h/films/{HOSTILE}?X-Amz-Credential={HOSTILE}");
    let har = serde_json::json!({ "log": { "entries": [
        { "request": { "method": HOSTILE, "url": url, "headers": [] } } ] } });
    fs::write(path("har"), har.to_string()).unwrap();
    let trail = path("trail");
    let (decisions, har) = (path("decisions"), path("har"));
    let header = format!("cookie: {HOSTILE}");
    let object = format!("s3://films/{HOSTILE}");
    for arguments in [
        &["audit", "log", "--file", &trail][..],
        &["audit", "log", "--file", &trail, "--json"],
        &["audit", "links", "--all", "--file", &trail],
        &["audit", "links", "--all", "--file", &trail, "--json"],
        &["audit", "downloads", "s3://films", "--file", &trail],
        &["audit", "stopped", "--link", &id, "--file", &trail],
        &["explain", &url],
        &["explain", &url, "--json", "-H", &header],
        &["explain", &url, "--host", HOSTILE, "--method", HOSTILE],
        &["explain", "--har", &har],
        &["check", "--decisions", &decisions],
        &["check", "--decisions", &decisions, "--json"],
        &[
            "simulate",
            "--signer",
            "alice",
            "--action",
            "s3:GetObject",
            "--resource",
            &object,
        ],
        &[
            "simulate",
            "--signer",
            "alice",
            "--action",
            "s3:GetObject",
            "--resource",
            "pres-url-test/drafts/a",
        ],
        &[
            "simulate",
            "--signer",
            HOSTILE,
            "--action",
            HOSTILE,
            "--resource",
            HOSTILE,
        ],
        &["revoke", "--link", &id, "--note", HOSTILE, "--dry-run"],
        &["revoke", "--link", &id, "--note", HOSTILE, "--dry-run", "--json"],
        &["revoke", "--object", &object, "--dry-run"],
        &["revoke", "--signer", HOSTILE, "--dry-run"],
        &["get", &object],
        &["--config", HOSTILE, "check"],
    ] {
        let output = program.command(arguments).output().unwrap();
        for (stream, shown) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            let shown = String::from_utf8(shown.clone()).unwrap();
            let deceptive = |c: &char| !matches!(c, '\n' | '\t') && postern::types::is_deceptive(*c);
            let found = shown.chars().find(deceptive);
            assert_eq!(found, None, "{arguments:?} on {stream}: {shown:?}");
        }
        assert!(
            !output.stdout.is_empty() || !output.stderr.is_empty(),
            "{arguments:?}"
        );
    }
}

#[test]
fn simulate_and_decisions_fold_tag_keys_as_the_server_does() {
    let policy = format!(
        "{POLICY}[[signer.statement]]\nEffect = \"Deny\"\nAction = \"s3:*\"\nResource = \"*\"\n\
         Condition = {{ StringEquals = {{ \"s3:ExistingObjectTag/class\" = \"secret\" }} }}\n"
    );
    let program = program(&policy);
    let simulate = [
        "simulate",
        "--signer",
        "alice",
        "--action",
        "s3:GetObject",
        "--resource",
        "pres-url-test/a",
    ];
    let address = ["--context", "aws:SourceIp=10.0.0.1"];
    for (more, code, said) in [
        (
            &["--context", "s3:ExistingObjectTag/Class=secret"][..],
            1,
            "denied by policy.toml line 18",
        ),
        (&["--context", "s3:ExistingObjectTag/CLASS=open"], 0, "allowed by"),
        (&[], 0, "allowed by"),
        (
            &["--context", "aws:SourceIp=10.0.0.2"],
            2,
            "has one value in a request",
        ),
        (&["--context", "aws:SecureTransport=yes"], 2, "true or false"),
        (
            &["--context", "aws:username=bob"],
            2,
            "is \"alice\" for this signer",
        ),
    ] {
        let found = run(&program, &[&simulate[..], &address, more].concat());
        assert!(
            found.0 == Some(code) && found.1.contains(said),
            "{more:?}: {found:?}"
        );
    }
    let decisions = "alice s3:GetObject s3://pres-url-test/a aws:SourceIp=10.0.0.1 s3:ExistingObjectTag/Class=secret => deny\n";
    fs::write(program.folder.path().join("decisions"), decisions).unwrap();
    let checked = run(&program, &["check", "--decisions", "decisions"]);
    assert_eq!(checked.0, Some(0), "{checked:?}");
}
