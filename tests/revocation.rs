//! Each way of taking links back, and of giving them back, by editing the policy file alone.

use std::process::{Command, Output, Stdio};

use http::Method;
use postern::types::Signature;

use crate::support::{ALICE, TestGateway, Wishes, client, form::TestForm, policy};

const EVERYTHING: &str = "\n[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";

async fn gateway() -> TestGateway {
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy(&[EVERYTHING])),
        ..Wishes::default()
    })
    .await;
    gateway.put("a.txt", "content");
    gateway.put("b.txt", "other");
    gateway
}

/// The name of a link, as the log tells it.
fn link_id(link: &str) -> String {
    let (_, signature) = link.rsplit_once("X-Amz-Signature=").unwrap();
    Signature::parse(signature).unwrap().link_id().to_string()
}

/// What following a link gives: its content, or the code and message of the refusal.
async fn follow(gateway: &TestGateway, link: &str) -> String {
    let answer = gateway.get(link).await;
    match answer.status.as_u16() {
        200 => answer.text().to_owned(),
        status => format!(
            "{status} {}: {}",
            answer.code(),
            answer.element("Message").unwrap()
        ),
    }
}

const DENIED: &str = "403 AccessDenied: Access Denied";

#[tokio::test]
async fn each_selector_stops_what_it_names_and_its_removal_gives_it_back() {
    let gateway = gateway().await;
    let (one, other) = (
        gateway.link(&Method::GET, "a.txt"),
        gateway.link(&Method::GET, "b.txt"),
    );
    let signer = |line: &str| policy(&[line, EVERYTHING]);
    let revoked_link = format!(
        "[[revoked_url]]\nsha256 = '{}'\nnote = 'in a chat'\n",
        link_id(&one)
    );
    let key = format!(
        "[[signer]]\nname = 'alice'\n[[signer.key]]\naccess_key_id = '{}'\nsecret_access_key = '{}'\nrevoked = true\n{EVERYTHING}",
        ALICE.0, ALICE.1
    );
    let object =
        "\n[[statement]]\nEffect = 'Deny'\nAction = 's3:*'\nResource = 'arn:aws:s3:::pres-url-test/a.txt'\n";
    for (what, text, of_one, of_other) in [
        ("a signer", signer("revoked = true\n"), DENIED, DENIED),
        ("a key", key, DENIED, DENIED),
        (
            "what was signed before",
            signer("signed_before = 2026-11-24T12:00:01Z\n"),
            DENIED,
            DENIED,
        ),
        (
            "what was signed earlier still",
            signer("signed_before = 2026-11-24T12:00:00Z\n"),
            "content",
            "other",
        ),
        ("one link", policy(&[EVERYTHING, &revoked_link]), DENIED, "other"),
        ("an object", policy(&[EVERYTHING, object]), DENIED, "other"),
    ] {
        gateway.save_policy(&text).await;
        assert_eq!(follow(&gateway, &one).await, of_one, "{what}");
        assert_eq!(follow(&gateway, &other).await, of_other, "{what}");
        gateway.save_policy(&policy(&[EVERYTHING])).await;
        assert_eq!(follow(&gateway, &one).await, "content", "{what}, given back");
    }
}

#[tokio::test]
async fn only_a_signature_that_holds_learns_of_a_revocation_and_a_new_link_is_another() {
    let gateway = gateway().await;
    let link = gateway.link(&Method::GET, "a.txt");
    let until = "until = 2026-11-24T12:15:00Z\n";
    gateway
        .save_policy(&policy(&[
            EVERYTHING,
            &format!("[[revoked_url]]\nsha256 = '{}'\n{until}", link_id(&link)),
        ]))
        .await;
    assert_eq!(follow(&gateway, &link).await, DENIED);
    let forged = link.replace("a.txt", "b.txt");
    assert!(
        follow(&gateway, &forged)
            .await
            .starts_with("403 SignatureDoesNotMatch")
    );
    gateway
        .clock
        .set(time::macros::datetime!(2026-11-24 12:00:01 UTC));
    assert_eq!(
        follow(&gateway, &gateway.link(&Method::GET, "a.txt")).await,
        "content"
    );
    // By the time that the rule ends, the link has.
    gateway.clock.set(time::macros::datetime!(2026-11-24 12:15 UTC));
    assert!(follow(&gateway, &link).await.contains("Request has expired"));
}

#[tokio::test]
async fn uploads_by_link_and_by_form_are_revoked_too() {
    let gateway = gateway().await;
    let put = gateway.link(&Method::PUT, "up/put");
    let form = TestForm::signed(
        "2026-11-24T12:30:00Z",
        r#"["starts-with", "$key", "up/"]"#,
        &[("key", "up/form")],
    );
    gateway
        .save_policy(&policy(&["signed_before = 2026-11-24T12:00:01Z\n", EVERYTHING]))
        .await;
    let answer = client::send_body(gateway.address, Method::PUT, &put, &[], "x".into()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (403, "AccessDenied")
    );
    assert_eq!(
        form.send(&gateway).await.element("Message").as_deref(),
        Some("Access Denied")
    );
    gateway.save_policy(&policy(&[EVERYTHING])).await;
    let answer = client::send_body(gateway.address, Method::PUT, &put, &[], "x".into()).await;
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(form.send(&gateway).await.status.as_u16(), 204);
}

/// Runs a command of postern's on a gateway's policy file.
fn postern(gateway: &TestGateway, arguments: &[&str]) -> Output {
    let config = gateway.folder.path().join("config.toml");
    std::fs::write(&config, "[policy]\nfile = 'policy.toml'\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command
        .env_clear()
        .arg("--config")
        .arg(config)
        .args(arguments)
        .stdin(Stdio::null());
    command.output().unwrap()
}

/// Runs one that writes, and waits until what it wrote is in force.
async fn changed(gateway: &TestGateway, arguments: &[&str]) -> String {
    let mut changes = gateway.live.changes();
    let before = changes.borrow_and_update().generation;
    let output = postern(gateway, arguments);
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let taken = changes.wait_for(|status| status.generation > before);
    tokio::time::timeout(std::time::Duration::from_secs(20), taken)
        .await
        .unwrap()
        .unwrap();
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_take_links_back_and_give_them_back_and_leave_the_rest_of_the_file() {
    let gateway = gateway().await;
    let before = format!("# our house\n{}", policy(&[EVERYTHING]));
    gateway.save_policy(&before).await;
    let (one, other) = (
        gateway.link(&Method::GET, "a.txt"),
        gateway.link(&Method::GET, "b.txt"),
    );
    for (selector, of_other) in [
        (&["--url", one.as_str()][..], "other"),
        (&["--signer", "alice"], DENIED),
        (
            &["--signer", "alice", "--signed-before", "2026-11-24T12:00:01Z"],
            DENIED,
        ),
        (&["--key", ALICE.0], DENIED),
        (&["--object", "s3://pres-url-test/a.txt"], "other"),
        (&["--object", "s3://pres-url-test"], DENIED),
    ] {
        let said = changed(&gateway, &[&["revoke", "--yes"], selector].concat()).await;
        assert!(said.contains("\n  + ") && !said.contains("Signature"), "{said}");
        assert_eq!(follow(&gateway, &one).await, DENIED, "{selector:?}");
        assert_eq!(follow(&gateway, &other).await, of_other, "{selector:?}");
        let again = postern(&gateway, &[&["revoke", "--yes"], selector].concat());
        assert!(
            String::from_utf8(again.stdout)
                .unwrap()
                .starts_with("nothing to do")
        );
        changed(&gateway, &[&["restore", "--yes"], selector].concat()).await;
        assert_eq!(follow(&gateway, &one).await, "content", "{selector:?}");
        assert_eq!(std::fs::read_to_string(gateway.policy_file()).unwrap(), before);
    }
}

#[tokio::test]
async fn what_cannot_be_revoked_is_told_and_nothing_is_written() {
    let gateway = gateway().await;
    let before = std::fs::read_to_string(gateway.policy_file()).unwrap();
    let link = gateway.link(&Method::GET, "a.txt");
    for (arguments, code, said) in [
        (
            &["revoke", "--signer", "alice", "--dry-run"][..],
            0,
            "dry run: nothing was written",
        ),
        (&["revoke", "--signer", "alice"], 2, "pass --yes, or --dry-run"),
        (
            &["revoke", "--signer", "eve", "--yes"],
            2,
            "there is no signer \"eve\"",
        ),
        (
            &["revoke", "--key", "NONE", "--yes"],
            2,
            "no signer has the key \"NONE\"",
        ),
        (
            &["revoke", "--url", "http://h/b/k", "--yes"],
            2,
            "this is no presigned URL",
        ),
        (&["revoke", "--object", "b/k", "--yes"], 2, "s3://BUCKET/KEY"),
        (
            &["revoke", "--signer", "alice", "--signed-before", "noon", "--yes"],
            2,
            "is no time with an offset",
        ),
        (&["revoke", "--yes"], 2, "what? Name one of"),
        (
            &["revoke", "--signer", "alice", "--key", "A", "--yes"],
            2,
            "cannot be used with",
        ),
        (&["restore", "--url", &link, "--yes"], 0, "nothing to do"),
    ] {
        let output = postern(&gateway, arguments);
        let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(said), "{arguments:?}: {told}");
        assert_eq!(std::fs::read_to_string(gateway.policy_file()).unwrap(), before);
    }
    let json = postern(
        &gateway,
        &[
            "revoke",
            "--url",
            &link,
            "--note",
            "leaked",
            "--dry-run",
            "--json",
        ],
    );
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (json["written"].as_bool(), json["lines"].as_array().unwrap().len()),
        (Some(false), 5)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn conditional_denial_is_neither_proof_nor_removed() {
    let gateway = gateway().await;
    let conditional = "[[statement]]\nEffect = \"Deny\"\nAction = \"s3:*\"\n\
        Resource = [\"arn:aws:s3:::pres-url-test\", \"arn:aws:s3:::pres-url-test/*\"]\n\
        Condition = { NotIpAddress = { \"aws:SourceIp\" = \"127.0.0.0/8\" } }\n";
    let before = format!("{conditional}\n{}", policy(&[EVERYTHING]));
    gateway.save_policy(&before).await;
    let link = gateway.link(&Method::GET, "a.txt");
    assert_eq!(follow(&gateway, &link).await, "content");
    let object = ["--object", "s3://pres-url-test", "--yes"];
    let restored = postern(&gateway, &[&["restore"], &object[..]].concat());
    assert!(String::from_utf8_lossy(&restored.stdout).starts_with("nothing to do"));
    assert_eq!(std::fs::read_to_string(gateway.policy_file()).unwrap(), before);
    changed(&gateway, &[&["revoke"], &object[..]].concat()).await;
    assert_eq!(follow(&gateway, &link).await, DENIED);
    changed(&gateway, &[&["restore"], &object[..]].concat()).await;
    assert_eq!(std::fs::read_to_string(gateway.policy_file()).unwrap(), before);
    // A plain denial by hand is told of, since the rule that was taken out is not the only one.
    let plain = conditional
        .split("Condition")
        .next()
        .unwrap()
        .replacen("\n", "\nSid = \"legal\"\n", 1);
    gateway
        .save_policy(&format!("{plain}\n{}", policy(&[EVERYTHING])))
        .await;
    changed(&gateway, &[&["revoke"], &object[..]].concat()).await;
    let said = changed(&gateway, &[&["restore"], &object[..]].concat()).await;
    assert!(said.contains("another rule still revokes it"), "{said}");
    assert_eq!(follow(&gateway, &link).await, DENIED);
}

#[tokio::test(flavor = "multi_thread")]
async fn shortened_url_does_not_shorten_its_revocation() {
    let gateway = gateway().await;
    let link = gateway.link(&Method::GET, "a.txt");
    let (front, rest) = link.split_once("X-Amz-Expires=").unwrap();
    let (_, back) = rest.split_once('&').unwrap();
    let shortened = format!("{front}X-Amz-Expires=1&{back}");
    let said = changed(&gateway, &["revoke", "--url", &shortened, "--yes"]).await;
    assert!(!said.contains("until"), "{said}");
    assert_eq!(follow(&gateway, &link).await, DENIED);
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_before_now_closes_a_link_of_this_second() {
    use postern::clock::Clock;
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy(&[EVERYTHING])),
        clock: Some(Clock::system()),
        ..Wishes::default()
    })
    .await;
    gateway.put("a.txt", "content");
    // At the beginning of a second, so that the command runs within it.
    let past = gateway.clock.now().nanosecond();
    tokio::time::sleep(std::time::Duration::from_nanos(1_000_000_000 - u64::from(past))).await;
    let link = gateway.link(&Method::GET, "a.txt");
    assert_eq!(follow(&gateway, &link).await, "content");
    changed(
        &gateway,
        &["revoke", "--signer", "alice", "--signed-before", "--yes"],
    )
    .await;
    assert_eq!(follow(&gateway, &link).await, DENIED);
    changed(
        &gateway,
        &["restore", "--signer", "alice", "--signed-before", "--yes"],
    )
    .await;
    assert_eq!(follow(&gateway, &link).await, "content");
}
