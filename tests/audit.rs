//! One record per request, whatever its end.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Method;
use postern::audit::{OnFailure, Outcome, Record, Settings, SyncRecords};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    logs::{Program, Serving},
    support::{BUCKET, TestGateway, Wishes, client, form::TestForm, policy},
};

const EVERYTHING: &str =
    "\n[[signer.statement]]\nSid = 'all'\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";

async fn gateway() -> TestGateway {
    TestGateway::with(Wishes {
        policy: Some(policy(&[EVERYTHING])),
        ..Wishes::default()
    })
    .await
}

/// The record of the one request to this gateway so far.
async fn only_record(gateway: &TestGateway) -> Record {
    gateway.record(|_| true).await
}

#[tokio::test]
async fn a_served_download_says_who_what_how_much_and_why_it_was_allowed() {
    let gateway = gateway().await;
    gateway.put("films/ä\n.mp4", "0123456789");
    let link = gateway.link(&Method::GET, "films/ä\n.mp4");
    let headers = [("range", "bytes=2-5"), ("user-agent", "a player/1.0")];
    let answer = client::send(gateway.address, Method::GET, &link, &headers).await;
    assert_eq!(answer.text(), "2345");
    let record = only_record(&gateway).await;
    assert_eq!(record.request_id, answer.header("x-amz-request-id"));
    assert_eq!(
        (record.outcome, record.status, record.completed),
        (Outcome::Served, Some(206), true)
    );
    assert_eq!(
        (record.bytes_sent, record.bytes_received, record.generation),
        (4, 0, 1)
    );
    let said = [
        (&record.signer, "alice"),
        (&record.access_key_id, "AKIAALICE00000000000"),
        (&record.mechanism, "query"),
        (&record.method, "GET"),
        (&record.operation, "GetObject"),
        (&record.action, "s3:GetObject"),
        (&record.bucket, BUCKET),
        (&record.key, "films/ä\n.mp4"),
        (&record.range, "bytes=2-5"),
        (&record.user_agent, "a player/1.0"),
    ];
    for (found, expected) in said {
        assert_eq!(found.as_deref(), Some(expected));
    }
    assert!(
        record
            .decided_by
            .unwrap()
            .ends_with("signer alice, statement 1 (Sid \"all\")")
    );
    assert!(record.client.unwrap().starts_with("127.0.0.1:"));
    assert_eq!(record.link_id.unwrap().len(), 64);
    assert_eq!(
        record.expires_at.unwrap() - record.signed_at.unwrap(),
        time::Duration::minutes(15)
    );
    assert_eq!((record.code, record.reason, record.source), (None, None, None));
}

#[tokio::test]
async fn every_end_has_its_record() {
    let deny = "\n[[statement]]\nSid = 'no'\nEffect = 'Deny'\nAction = 's3:GetObject'\nResource = 'arn:aws:s3:::pres-url-test/no'\n";
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy(&[EVERYTHING, deny])),
        ..Wishes::default()
    })
    .await;
    gateway.put("a", "content");
    let link = gateway.link(&Method::GET, "a");
    let forged = link.replace("/a?", "/b?");
    let unsigned = format!("{}/{BUCKET}/a", gateway.endpoint());
    let denied = gateway.link(&Method::GET, "no");
    let missing = gateway.link(&Method::GET, "missing");
    let expired = link.replace("20261124T120000Z", "20261124T110000Z");
    for (link, outcome, code, reason, signer, key) in [
        (&link, Outcome::Served, None, None, Some("alice"), "a"),
        (
            &forged,
            Outcome::Denied,
            Some("SignatureDoesNotMatch"),
            Some("Mismatch"),
            None,
            "b",
        ),
        (
            &unsigned,
            Outcome::Denied,
            Some("AccessDenied"),
            Some("Anonymous"),
            None,
            "a",
        ),
        (
            &denied,
            Outcome::Denied,
            Some("AccessDenied"),
            Some("ExplicitDeny"),
            Some("alice"),
            "no",
        ),
        (
            &missing,
            Outcome::Failed,
            Some("NoSuchKey"),
            Some("NoSuchKey"),
            Some("alice"),
            "missing",
        ),
        (
            &expired,
            Outcome::Denied,
            Some("AccessDenied"),
            Some("Expired"),
            None,
            "a",
        ),
    ] {
        let answer = gateway.get(link).await;
        let id = answer.header("x-amz-request-id").to_owned();
        let record = gateway.record(|record| record.request_id == id).await;
        assert_eq!(record.outcome, outcome, "{link}");
        assert_eq!(
            (record.code.as_deref(), record.reason.as_deref()),
            (code, reason),
            "{link}"
        );
        assert_eq!(
            (record.signer.as_deref(), record.key.as_deref()),
            (signer, Some(key)),
            "{link}"
        );
        assert_eq!(
            record.decided_by.is_some(),
            signer.is_some(),
            "{link}: {record:?}"
        );
        assert_eq!(record.bytes_sent, answer.body.len() as u64);
    }
}

#[tokio::test]
async fn uploads_forms_listings_and_what_no_operation_is_have_records_too() {
    let gateway = gateway().await;
    let put = gateway.link(&Method::PUT, "up");
    client::send_body(
        gateway.address,
        Method::PUT,
        &put,
        &[],
        Bytes::from_static(b"content"),
    )
    .await;
    let record = only_record(&gateway).await;
    assert_eq!(
        (
            record.operation.as_deref(),
            record.bytes_received,
            record.completed
        ),
        (Some("PutObject"), 7, true)
    );
    TestForm::signed(
        "2026-11-24T12:30:00Z",
        r#"["starts-with", "$key", ""]"#,
        &[("key", "form")],
    )
    .send(&gateway)
    .await;
    let record = gateway
        .record(|record| record.mechanism.as_deref() == Some("form"))
        .await;
    assert_eq!(
        (record.operation.as_deref(), record.key.as_deref()),
        (Some("PostObject"), Some("form"))
    );
    client::raw(
        gateway.address,
        b"GET / HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n",
    )
    .await;
    let record = gateway
        .record(|record| record.reason.as_deref() == Some("MalformedHead"))
        .await;
    assert_eq!((record.status, record.bucket), (Some(400), None));
    client::send(
        gateway.address,
        Method::OPTIONS,
        &format!("{}/{BUCKET}/a", gateway.endpoint()),
        &[],
    )
    .await;
    let record = gateway
        .record(|record| record.method.as_deref() == Some("OPTIONS"))
        .await;
    assert_eq!(record.operation, None);
}

#[tokio::test]
async fn a_client_that_goes_leaves_a_record_of_how_far_it_came() {
    let gateway = gateway().await;
    std::fs::File::create(gateway.put("large", ""))
        .unwrap()
        .set_len(64 << 20)
        .unwrap();
    let target = |link: &str| link.strip_prefix(&gateway.endpoint()).unwrap().to_owned();
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = format!(
        "GET {} HTTP/1.1\r\nhost: {}\r\n\r\n",
        target(&gateway.link(&Method::GET, "large")),
        gateway.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.read_exact(&mut [0; 1024]).await.unwrap();
    drop(stream);
    let record = gateway
        .record(|record| record.operation.as_deref() == Some("GetObject"))
        .await;
    assert_eq!(
        (record.outcome, record.completed, record.status),
        (Outcome::Gone, false, Some(200))
    );
    assert!(record.bytes_sent > 0 && record.bytes_sent < 64 << 20);

    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let link = gateway.link(&Method::PUT, "up");
    let head = format!(
        "PUT {} HTTP/1.1\r\nhost: {}\r\ncontent-length: 4000000\r\n\r\n",
        target(&link),
        gateway.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[7; 100_000]).await.unwrap();
    drop(stream);
    let record = gateway
        .record(|record| record.operation.as_deref() == Some("PutObject"))
        .await;
    assert_eq!((record.outcome, record.completed), (Outcome::Gone, false));
}

#[tokio::test]
async fn a_head_request_and_an_empty_object_are_complete() {
    let gateway = gateway().await;
    gateway.put("a", "content");
    gateway.put("empty", "");
    client::send(
        gateway.address,
        Method::HEAD,
        &gateway.link(&Method::HEAD, "a"),
        &[],
    )
    .await;
    let record = only_record(&gateway).await;
    assert_eq!(
        (record.outcome, record.completed, record.bytes_sent),
        (Outcome::Served, true, 0)
    );
    gateway.get(&gateway.link(&Method::GET, "empty")).await;
    let record = gateway
        .record(|record| record.method.as_deref() == Some("GET"))
        .await;
    assert_eq!(
        (record.outcome, record.completed, record.bytes_sent),
        (Outcome::Served, true, 0)
    );
}

#[tokio::test]
async fn no_record_holds_a_signature_a_query_or_a_secret() {
    let gateway = gateway().await;
    gateway.put("a", "content");
    let link = gateway.link(&Method::GET, "a");
    let headers = [("user-agent", "x\u{7f}y"), ("referer", link.as_str())];
    client::send(gateway.address, Method::GET, &link, &headers[1..]).await;
    gateway
        .get(&link.replace("X-Amz-Signature=", "X-Amz-Signature=0"))
        .await;
    gateway.get(&format!("{link}&token=hush")).await;
    gateway.record(|record| record.outcome == Outcome::Served).await;
    let text = gateway.trail_text();
    assert_eq!(text.lines().count(), 3, "{text}");
    let signature = link.rsplit_once('=').unwrap().1;
    for secret in [signature, "X-Amz-", "hush", "alice/secret"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

#[tokio::test]
async fn where_no_request_may_go_unrecorded_they_are_refused_while_nothing_can_be_written() {
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy(&[EVERYTHING])),
        audit: Some(Settings {
            on_failure: OnFailure::Refuse,
            ..Settings::default()
        }),
        ..Wishes::default()
    })
    .await;
    gateway.put("a", "content");
    let link = gateway.link(&Method::GET, "a");
    let file = gateway.folder.path().join("audit.jsonl");
    assert_eq!(gateway.get(&link).await.text(), "content");
    gateway.record(|record| record.outcome == Outcome::Served).await;
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    gateway.audit.reopen();
    // This one is let in, and its record kept.
    gateway.get(&link).await;
    gateway.audit.flush();
    while !gateway.audit.refuses() {
        gateway.audit.flush();
        tokio::task::yield_now().await;
    }
    let answer = gateway.get(&link).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (503, "ServiceUnavailable")
    );
    std::fs::remove_dir(&file).unwrap();
    while gateway.audit.refuses() {
        tokio::task::yield_now().await;
    }
    assert_eq!(gateway.get(&link).await.text(), "content");
    gateway
        .record(|record| record.reason.as_deref() == Some("AuditTrail"))
        .await;
}

/// A request without a signature, whose head has more than a record may hold.
fn forged(number: usize) -> String {
    let key = "%1b%01%7f%22x".repeat(120);
    let (agent, range) = ("\"\\\u{ff}".repeat(600), "\"".repeat(900));
    format!(
        "GET /{BUCKET}/{number}/{key} HTTP/1.1\r\nhost: localhost\r\nuser-agent: {agent}\r\n\
         range: {range}\r\n\r\n"
    )
}

/// Sends forged requests on one connection, and reads an answer to each.
pub(crate) async fn flood(gateway: SocketAddr, requests: usize) {
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    let (mut read, mut write) = stream.split();
    let send = async {
        for number in 0..requests {
            write.write_all(forged(number).as_bytes()).await.unwrap();
        }
    };
    let receive = async {
        let (mut answers, mut text) = (0, Vec::new());
        while answers < requests {
            assert_ne!(read.read_buf(&mut text).await.unwrap(), 0, "{answers} answers");
            answers += text.windows(8).filter(|end| end == b"</Error>").count();
            // An end of which a part is missing is counted once it is whole.
            text.drain(..text.len().saturating_sub(7));
        }
    };
    tokio::join!(send, receive);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_strangers_leaves_the_signers_records_and_exact_counts() {
    const REQUESTS: usize = 3_000;
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy(&[EVERYTHING])),
        audit: Some(Settings {
            rotate_bytes: 100_000,
            keep_files: 1,
            refused_rotate_bytes: 10_000_000,
            ..Settings::default()
        }),
        ..Wishes::default()
    })
    .await;
    gateway.put("a", "content");
    let link = gateway.link(&Method::GET, "a");
    assert_eq!(gateway.get(&link).await.text(), "content");
    flood(gateway.address, REQUESTS).await;
    assert_eq!(gateway.get(&link).await.text(), "content");

    let records = gateway.records();
    let served = records.iter().filter(|record| record.signer.is_some());
    assert_eq!(served.count(), 2, "the flood took records of a signer");
    let strangers = records.iter().filter(|record| record.signer.is_none());
    let counted: u64 = strangers.clone().map(|record| record.repeated.unwrap_or(1)).sum();
    assert_eq!(counted, REQUESTS as u64, "each refusal is written or counted");
    assert!(strangers.clone().count() < REQUESTS / 2, "it was a flood");
    for row in strangers.filter(|record| record.repeated.is_some()) {
        assert_eq!(row.client.as_deref(), Some("127.0.0.1"));
        assert!(row.reason.is_some() && row.code.is_some(), "{row:?}");
    }
    let signed = std::fs::read_to_string(gateway.folder.path().join("audit.jsonl")).unwrap();
    assert_eq!(signed.lines().count(), 2, "strangers have another file");
    for line in gateway.trail_text().lines() {
        // Names of fields, times and numbers are ours.
        assert!(line.len() <= 2_048 + 700, "{} bytes: {line}", line.len());
    }
}

/// A gateway whose answers wait for their records.
async fn committing_gateway() -> TestGateway {
    TestGateway::with(Wishes {
        policy: Some(policy(&[EVERYTHING])),
        audit: Some(Settings {
            on_failure: OnFailure::Refuse,
            sync: SyncRecords::Each,
            ..Settings::default()
        }),
        ..Wishes::default()
    })
    .await
}

fn lines_of(gateway: &TestGateway, id: &str) -> Vec<String> {
    let text = std::fs::read_to_string(gateway.folder.path().join("audit.jsonl")).unwrap();
    text.lines()
        .filter(|line| line.contains(id))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn no_answer_comes_before_its_record_with_sync_each() {
    let gateway = committing_gateway().await;
    gateway.put("short", "content");
    for (method, key, body) in [
        (Method::GET, "short", ""),
        (Method::HEAD, "short", ""),
        (Method::GET, "none", ""),
        (Method::PUT, "new", "more"),
        (Method::DELETE, "new", ""),
    ] {
        let link = gateway.link(&method, key);
        let answer = client::send_body(gateway.address, method, &link, &[], body.into()).await;
        let lines = lines_of(&gateway, answer.header("x-amz-request-id"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        let sent = format!("\"bytes_sent\":{},", answer.body.len());
        assert!(
            lines[0].contains(&sent) && lines[0].contains("\"completed\":true"),
            "{lines:?}"
        );
    }
    assert_eq!(gateway.records().len(), 5);
}

#[tokio::test]
async fn long_download_is_recorded_before_its_first_byte() {
    let gateway = committing_gateway().await;
    gateway.put("long", vec![b'x'; 16 << 20]);
    let link = gateway.link(&Method::GET, "long");
    let path = link.strip_prefix(&gateway.endpoint()).unwrap();
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", gateway.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.read_exact(&mut [0]).await.unwrap();
    let lines = lines_of(&gateway, "\"running\"");
    assert_eq!(lines.len(), 1, "{lines:?}");
    drop(stream);
    // The reader of the trail has the end alone.
    let ended = gateway.record(|record| record.outcome == Outcome::Gone).await;
    assert!(lines[0].contains(&ended.request_id));
    assert_eq!(gateway.records().len(), 1);
}

#[tokio::test]
async fn answer_whose_record_cannot_be_kept_is_not_sent() {
    let gateway = committing_gateway().await;
    gateway.put("a", "content");
    gateway.put("long", vec![b'x'; 1 << 20]);
    let file = gateway.folder.path().join("audit.jsonl");
    for (method, key) in [(Method::GET, "a"), (Method::GET, "long"), (Method::PUT, "b")] {
        // From this one on nothing can be written, and the gateway does not know it yet.
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        gateway.audit.reopen();
        let link = gateway.link(&method, key);
        let answer = client::send_body(gateway.address, method, &link, &[], "".into()).await;
        let code = (answer.status.as_u16(), answer.code());
        assert_eq!(code, (503, "ServiceUnavailable".to_owned()), "{key}");
        std::fs::remove_dir(&file).unwrap();
        let id = answer.header("x-amz-request-id").to_owned();
        gateway
            .record(|record| record.request_id == id && record.reason.as_deref() == Some("AuditTrail"))
            .await;
        assert!(!gateway.audit.refuses());
    }
}

/// A disk that is full and gets room again: a limit on the size of files, which is lifted. Writes stop within a line then.
#[tokio::test]
async fn full_disk_neither_doubles_nor_halves_a_record() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let program = Program::new();
    let serve = program.command(&["serve"]);
    let mut limited = std::process::Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -S -f 16; exec \"$@\"", "sh"])
        .arg(serve.get_program())
        .args(serve.get_args())
        .current_dir(program.folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    for (name, value) in serve.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let serving = Serving::start(limited);
    let mut sent = Vec::new();
    for _ in 0..80 {
        let answer = client::send(serving.address(), Method::GET, serving.link(), &[]).await;
        assert_eq!(answer.status.as_u16(), 200);
        sent.push(answer.header("x-amz-request-id").to_owned());
    }
    let file = program.folder.path().join("audit.jsonl");
    let lines = || -> Vec<String> {
        let text = std::fs::read_to_string(&file).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    // Some records got in, and the last of them did not.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    let before = lines().len();
    assert!(before > 0 && before < sent.len(), "{before}");
    let pid = Pid::from_raw(i32::try_from(serving.id()).unwrap());
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    prlimit(pid, Resource::Fsize, unlimited).unwrap();
    let start = std::time::Instant::now();
    while lines().len() < sent.len() {
        assert!(start.elapsed().as_secs() < 20, "only {} records", lines().len());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let log = serving.stop();
    assert!(log.contains("the audit trail cannot be written"), "{log}");
    let recorded = lines().into_iter().map(|line| {
        let record: Record = serde_json::from_str(&line).unwrap();
        record.request_id
    });
    assert_eq!(recorded.collect::<Vec<_>>(), sent);
}
