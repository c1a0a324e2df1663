//! Bodies that are longer than they may be: the limit counts bytes as they arrive, whatever the head
//! claims. The first byte too many is refused, and nothing of the body stays on disk.

use std::time::{Duration, Instant};

use http::Method;
use postern::gateway::{self, Limits};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    BUCKET, TestGateway, Wishes,
    form::{BOUNDARY, TestForm},
    policy,
};

const EVERYTHING: &str = "\n[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// `limits.upload_bytes` of these tests.
const UPLOAD_BYTES: usize = MIB;
/// More than is refused for a body of that limit, framing included.
const FLOOD: usize = 48 * MIB;

async fn gateway() -> TestGateway {
    let limits = Limits {
        upload_bytes: UPLOAD_BYTES as u64,
        ..Limits::default()
    };
    TestGateway::with(Wishes {
        policy: Some(policy(&[EVERYTHING])),
        gateway: Some(gateway::Settings {
            limits,
            ..gateway::Settings::default()
        }),
        ..Wishes::default()
    })
    .await
}

/// Sends a head, then this piece in HTTP chunks until an answer comes or `FLOOD` bytes were sent, and
/// never the end. Returns the answer and the bytes that were sent.
async fn flood(gateway: &TestGateway, head: &str, first: &[u8], piece: &[u8]) -> (String, usize) {
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let answer = tokio::spawn(async move {
        let mut answer = vec![0; 8192];
        let mut length = 0;
        while let Ok(read @ 1..) = reader.read(&mut answer[length..]).await {
            length += read;
            if answer[..length].windows(8).any(|window| window == b"</Error>") {
                break;
            }
        }
        String::from_utf8_lossy(&answer[..length]).into_owned()
    });
    let head = format!("{head}transfer-encoding: chunked\r\n\r\n");
    writer.write_all(head.as_bytes()).await.unwrap();
    let mut sent = 0;
    for piece in std::iter::once(first).chain(std::iter::repeat(piece)) {
        if sent >= FLOOD || answer.is_finished() {
            break;
        }
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        if piece.is_empty() {
            continue;
        }
        if writer.write_all(&chunk).await.is_err() {
            break;
        }
        sent += piece.len();
        tokio::task::yield_now().await;
    }
    let answer = tokio::time::timeout(Duration::from_secs(20), answer);
    (
        answer.await.expect("an answer while the body stalls").unwrap(),
        sent,
    )
}

fn head(gateway: &TestGateway, method: &str, url: &str, headers: &str) -> String {
    let target = url.strip_prefix(&gateway.endpoint()).unwrap();
    format!(
        "{method} {target} HTTP/1.1\r\nhost: {}\r\n{headers}",
        gateway.address
    )
}

/// The bytes of what is not visible yet, once nothing is being removed any more.
async fn litter(gateway: &TestGateway) -> u64 {
    let bucket = gateway.folder.path().join("data").join(BUCKET);
    let began = Instant::now();
    loop {
        let files = std::fs::read_dir(bucket.join("~!tmp"))
            .into_iter()
            .flatten()
            .flatten();
        let bytes = files
            .map(|file| file.metadata().map_or(0, |file| file.len()))
            .sum();
        if bytes == 0 || began.elapsed().as_secs() > 10 {
            return bytes;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn decoded(length: usize) -> (String, [(&'static str, String); 1]) {
    let header = [("x-amz-decoded-content-length", length.to_string())];
    (format!("x-amz-decoded-content-length: {length}\r\n"), header)
}

#[tokio::test]
async fn more_bytes_than_declared_are_refused_at_once() {
    let gateway = gateway().await;
    let begun = crate::support::client::send(
        gateway.address,
        Method::POST,
        &gateway.sign(&Method::POST, "parts", &[("uploads", "")], &[]),
        &[],
    )
    .await;
    let id = begun.element("UploadId").unwrap();
    let part = [("partNumber", "1"), ("uploadId", id.as_str())];
    let (line, header) = decoded(5);
    let header = header.each_ref().map(|(name, value)| (*name, value.as_str()));
    for url in [
        gateway.sign(&Method::PUT, "k", &[], &header),
        gateway.sign(&Method::PUT, "parts", &part, &header),
    ] {
        let head = head(&gateway, "PUT", &url, &line);
        let (answer, sent) = flood(&gateway, &head, b"12345", &vec![7; 64 * KIB]).await;
        assert!(
            answer.starts_with("HTTP/1.1 400") && answer.contains("<Code>IncompleteBody</Code>"),
            "{answer}"
        );
        assert!(sent < FLOOD, "{sent}");
        assert_eq!(litter(&gateway).await, 0);
        let log = gateway
            .record(|record| record.reason.as_deref() == Some("OverlongBody"))
            .await;
        assert!(log.bytes_received < 4 * MIB as u64, "{}", log.bytes_received);
    }
}

#[tokio::test]
async fn every_kind_of_body_is_counted_as_it_arrives() {
    let gateway = gateway().await;
    let form = TestForm::signed(
        "2026-11-24T12:30:00Z",
        r#"["starts-with", "$key", ""]"#,
        &[("key", "form")],
    );
    let form_head = format!(
        "POST /{BUCKET} HTTP/1.1\r\nhost: {}\r\ncontent-type: multipart/form-data; boundary={BOUNDARY}\r\n",
        gateway.address
    );
    let whole = form.body();
    let end = format!("\r\n--{BOUNDARY}--");
    let file = whole
        .windows(end.len())
        .rposition(|window| window == end.as_bytes());
    let (before_end, _) = whole.split_at(file.unwrap());
    let (line, header) = decoded(UPLOAD_BYTES);
    let [(name, value)] = header.each_ref().map(|(name, value)| (*name, value.as_str()));
    let streaming = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let tiny = gateway.sign(&Method::PUT, "tiny", &[], &[(name, value), streaming]);
    let tiny_lines = format!(
        "{line}{}: {}\r\ncontent-encoding: aws-chunked\r\n",
        streaming.0, streaming.1
    );
    let zeros = vec![b'0'; 64 * KIB];
    let delete = gateway.sign(&Method::POST, "", &[("delete", "")], &[]);
    let cors = gateway.sign(&Method::PUT, "", &[("cors", "")], &[]);
    for (what, head, first, piece, code) in [
        (
            "the file of a form",
            form_head.clone(),
            before_end,
            &zeros[..],
            "EntityTooLarge",
        ),
        (
            "what follows a form",
            form_head,
            &whole[..],
            &zeros[..],
            "EntityTooLarge",
        ),
        (
            "chunks of one byte",
            head(&gateway, "PUT", &tiny, &tiny_lines),
            b"",
            &b"1\r\nx\r\n".repeat(8 * KIB)[..],
            "EntityTooLarge",
        ),
        (
            "a long document",
            head(
                &gateway,
                "POST",
                &delete,
                "content-md5: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
            ),
            b"",
            &zeros[..],
            "EntityTooLarge",
        ),
        (
            "a short document",
            head(&gateway, "PUT", &cors, ""),
            b"",
            &zeros[..],
            "MaxMessageLengthExceeded",
        ),
    ] {
        let (answer, sent) = flood(&gateway, &head, first, piece).await;
        assert!(
            answer.starts_with("HTTP/1.1 400") && answer.contains(&format!("<Code>{code}</Code>")),
            "{what}: {answer}"
        );
        assert!(sent < FLOOD, "{what}: {sent}");
        assert_eq!(litter(&gateway).await, 0, "{what}");
    }
}

#[tokio::test]
async fn an_impossible_length_is_refused_while_the_client_stalls() {
    let gateway = gateway().await;
    let six_tib = "content-length: 6597069766656\r\n";
    let put = gateway.link(&Method::PUT, "k");
    let forged = put.replace("X-Amz-Signature=", "X-Amz-Signature=0");
    let (_, rest) = forged.split_once("X-Amz-Signature=0").unwrap();
    let forged = forged.replace(rest, &"0".repeat(63));
    let form = "content-type: multipart/form-data; boundary=B\r\n";
    let unsigned = format!("{}/{BUCKET}/k", gateway.endpoint());
    let bucket = format!("{}/{BUCKET}", gateway.endpoint());
    for (what, method, url, lines, status, code) in [
        ("a good link", "PUT", &put, "", 400, "EntityTooLarge"),
        ("a forged link", "PUT", &forged, "", 403, "SignatureDoesNotMatch"),
        ("no signature", "PUT", &unsigned, "", 403, "AccessDenied"),
        ("a form", "POST", &bucket, form, 400, "EntityTooLarge"),
    ] {
        let head = head(&gateway, method, url, &format!("{lines}{six_tib}\r\n"));
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        let began = Instant::now();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(b"a little").await.unwrap();
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while !answer.windows(8).any(|window| window == b"</Error>") {
            let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut piece));
            let read = read.await.expect(what).unwrap();
            assert!(read > 0, "{what}: {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&piece[..read]);
        }
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{what}: {:?}",
            began.elapsed()
        );
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}"))
                && answer.contains(&format!("<Code>{code}</Code>"))
                && answer.to_ascii_lowercase().contains("connection: close"),
            "{what}: {answer}"
        );
        // The connection ends though the client neither sends nor leaves.
        let ended = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut piece));
        assert!(matches!(ended.await.expect(what), Ok(0) | Err(_)), "{what}");
    }
}
