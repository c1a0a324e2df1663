//! Transfers in flight when the policy changes: what it denies ends, also where nobody reads; what it still allows goes on; time alone ends none.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use postern::{audit::Outcome, store::StoreError, types::Signature};
use time::macros::datetime;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    support::{
        BUCKET, TestGateway, Wishes, client,
        form::{BOUNDARY, TestForm},
        policy,
    },
    transport::connect,
};

const EVERYTHING: &str = "\n[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:*'\nResource = '*'\n";
/// More than all buffers between the disk and a reader hold.
const LARGE: usize = 64 << 20;

async fn gateway_with(wishes: Wishes) -> TestGateway {
    let gateway = TestGateway::with(Wishes {
        policy: Some(policy(&[EVERYTHING])),
        ..wishes
    })
    .await;
    let file = std::fs::File::create(gateway.put("large", "")).unwrap();
    file.set_len(LARGE as u64).unwrap();
    gateway
}

async fn gateway() -> TestGateway {
    gateway_with(Wishes::default()).await
}

fn link_id(link: &str) -> String {
    let (_, signature) = link.rsplit_once("X-Amz-Signature=").unwrap();
    Signature::parse(signature).unwrap().link_id().to_string()
}

fn request(gateway: &TestGateway, method: &str, link: &str, headers: &str) -> String {
    let target = link.strip_prefix(&gateway.endpoint()).unwrap();
    format!(
        "{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\r\n",
        gateway.address
    )
}

/// Asks for the object and reads its first bytes; then nobody reads.
async fn begin<S: AsyncRead + tokio::io::AsyncWrite + Unpin>(
    mut stream: S,
    gateway: &TestGateway,
    link: &str,
) -> S {
    stream
        .write_all(request(gateway, "GET", link, "").as_bytes())
        .await
        .unwrap();
    let mut first = [0; 1024];
    stream.read_exact(&mut first).await.unwrap();
    let first = String::from_utf8_lossy(&first);
    assert!(
        first.starts_with("HTTP/1.1 200") && first.contains(&format!("content-length: {LARGE}")),
        "{first}"
    );
    stream
}

async fn download(gateway: &TestGateway, link: &str) -> TcpStream {
    begin(TcpStream::connect(gateway.address).await.unwrap(), gateway, link).await
}

/// How much more comes, and whether it ended in peace.
async fn rest(mut stream: impl AsyncRead + Unpin) -> (usize, std::io::Result<usize>) {
    let mut read = 0;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return (read, Ok(0)),
            Ok(more) => read += more,
            Err(error) => return (read, Err(error)),
        }
    }
}

/// Revokes one link, and waits until its transfer is over.
async fn revoke(gateway: &TestGateway, link: &str) {
    let rule = format!("[[revoked_url]]\nsha256 = '{}'\n", link_id(link));
    gateway.save_policy(&policy(&[EVERYTHING, &rule])).await;
}

#[tokio::test]
async fn a_download_that_nobody_reads_is_cut_and_only_that_one() {
    let gateway = gateway().await;
    let (one, other) = (
        gateway.link(&Method::GET, "large"),
        gateway.link(&Method::GET, "large?"),
    );
    assert_ne!(link_id(&one), link_id(&other));
    std::fs::File::create(gateway.put("large?", ""))
        .unwrap()
        .set_len(LARGE as u64)
        .unwrap();
    let (cut, whole) = (download(&gateway, &one).await, download(&gateway, &other).await);
    revoke(&gateway, &one).await;
    // Nobody has read a byte since.
    let record = gateway.record(|record| record.outcome == Outcome::Cut).await;
    assert_eq!(record.link_id.as_deref(), Some(link_id(&one).as_str()));
    assert_eq!(
        (record.reason.as_deref(), record.completed, record.status),
        (Some("LinkRevoked"), false, Some(200))
    );
    assert!(record.decided_by.unwrap().contains("policy.toml line "));
    assert!(record.bytes_sent > 0 && record.bytes_sent < LARGE as u64);
    assert_eq!(record.generation, 2);
    let (read, end) = rest(cut).await;
    assert!(
        read < LARGE && end.is_err(),
        "{read} {end:?}: what the kernel held was dropped"
    );
    let (read, end) = rest(whole).await;
    assert!(
        read > LARGE - 1024 && end.is_ok() || read >= LARGE - 1024,
        "{read} {end:?}"
    );
}

#[tokio::test]
async fn every_way_of_taking_back_cuts_and_what_leaves_the_right_alone_does_not() {
    let deny = "\n[[statement]]\nEffect = 'Deny'\nAction = 's3:GetObject'\nResource = 'arn:aws:s3:::pres-url-test/large'\n";
    let other = "\n[[statement]]\nEffect = 'Deny'\nAction = 's3:GetObject'\nResource = 'arn:aws:s3:::pres-url-test/other'\n";
    let rekeyed = policy(&[EVERYTHING]).replace("alice/secret", "alice/other");
    let renamed = policy(&[EVERYTHING]).replace("AKIAALICE", "AKIAALIXX");
    for (what, text, reason) in [
        ("a denial", policy(&[EVERYTHING, deny]), Some("ExplicitDeny")),
        ("no permission", policy(&[]), Some("ImplicitDeny")),
        (
            "a revoked signer",
            policy(&["revoked = true\n", EVERYTHING]),
            Some("SignerRevoked"),
        ),
        (
            "a later signed_before",
            policy(&["signed_before = 2026-11-24T12:00:01Z\n", EVERYTHING]),
            Some("SignedBeforeRevocation"),
        ),
        ("another secret", rekeyed, Some("SecretChanged")),
        ("a key that is gone", renamed, Some("UnknownAccessKeyId")),
        ("a denial of something else", policy(&[EVERYTHING, other]), None),
        (
            "an earlier signed_before",
            policy(&["signed_before = 2026-11-24T12:00:00Z\n", EVERYTHING]),
            None,
        ),
    ] {
        let gateway = gateway().await;
        let stream = download(&gateway, &gateway.link(&Method::GET, "large")).await;
        gateway.save_policy(&text).await;
        let (read, end) = rest(stream).await;
        match reason {
            None => assert!(read >= LARGE - 1024, "{what}: {read} {end:?}"),
            Some(reason) => {
                assert!(read < LARGE - 1024 && end.is_err(), "{what}: {read} {end:?}");
                let record = gateway.record(|record| record.outcome == Outcome::Cut).await;
                assert_eq!(record.reason.as_deref(), Some(reason), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_change_does_not_make_expiry_or_age_or_the_time_of_day_a_cut() {
    let condition = "\n[[signer.statement]]\nEffect = 'Allow'\nAction = 's3:GetObject'\nResource = '*'\n\
        Condition = { NumericLessThan = { 's3:signatureAge' = 60000 }, DateLessThan = { 'aws:CurrentTime' = 2026-11-24T12:01:00Z } }\n";
    let gateway = gateway().await;
    gateway.save_policy(&policy(&[condition])).await;
    let stream = download(&gateway, &gateway.link(&Method::GET, "large")).await;
    // A week later the link is long over.
    gateway.clock.set(datetime!(2026-12-02 12:00 UTC));
    gateway
        .save_policy(&policy(&[condition, "\n# another generation\n"]))
        .await;
    let (read, _) = rest(stream).await;
    assert!(read >= LARGE - 1024, "{read}");
}

#[tokio::test]
async fn tls_ends_without_an_end_and_http_2_resets_the_stream() {
    let gateway = gateway_with(Wishes {
        tls: true,
        ..Wishes::default()
    })
    .await;
    let (one, other) = (
        gateway.link(&Method::GET, "large"),
        gateway.link(&Method::GET, "large?"),
    );
    std::fs::File::create(gateway.put("large?", ""))
        .unwrap()
        .set_len(LARGE as u64)
        .unwrap();
    let stream = connect(&gateway, &rustls::version::TLS13, b"http/1.1").await;
    let stalled = begin(stream, &gateway, &one).await;

    let io = TokioIo::new(connect(&gateway, &rustls::version::TLS13, b"h2").await);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut get = async |link: &str| {
        let request = Request::get(link).body(Empty::<Bytes>::new()).unwrap();
        sender.send_request(request).await.unwrap().into_body()
    };
    let (mut cut, whole) = (get(&one).await, get(&other).await);
    cut.frame().await.unwrap().unwrap();
    // Both are read, so that neither needs its connection broken off.
    let cut = tokio::spawn(cut.collect());
    let whole = tokio::spawn(whole.collect());
    revoke(&gateway, &one).await;
    let (read, end) = rest(stalled).await;
    assert!(read < LARGE && end.is_err(), "{read} {end:?}");
    let finished_before = cut
        .await
        .unwrap()
        .is_ok_and(|body| body.to_bytes().len() == LARGE);
    assert!(!finished_before || gateway.records().iter().filter(|record| record.completed).count() > 0);
    assert_eq!(whole.await.unwrap().unwrap().to_bytes().len(), LARGE);
}

#[tokio::test]
async fn a_stalled_stream_of_http_2_is_cut_too() {
    let gateway = gateway_with(Wishes {
        tls: true,
        ..Wishes::default()
    })
    .await;
    let link = gateway.link(&Method::GET, "large");
    let io = TokioIo::new(connect(&gateway, &rustls::version::TLS13, b"h2").await);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::get(&link).body(Empty::<Bytes>::new()).unwrap();
    let body = sender.send_request(request).await.unwrap().into_body();
    revoke(&gateway, &link).await;
    gateway.record(|record| record.outcome == Outcome::Cut).await;
    assert!(body.collect().await.is_err());
}

/// An HTTP/2 client whose streams have this window.
async fn http2_with_window(
    gateway: &TestGateway,
    window: u32,
) -> (
    h2::client::SendRequest<Bytes>,
    h2::client::Connection<tokio_rustls::client::TlsStream<TcpStream>, Bytes>,
) {
    let stream = connect(gateway, &rustls::version::TLS13, b"h2").await;
    h2::client::Builder::new()
        .initial_window_size(window)
        .initial_connection_window_size(1 << 30)
        .handshake(stream)
        .await
        .unwrap()
}

#[tokio::test]
async fn short_answers_on_http_2_are_cut_and_other_streams_go_on() {
    let gateway = gateway_with(Wishes {
        tls: true,
        ..Wishes::default()
    })
    .await;
    gateway.put("short", vec![7; 65_536]);
    gateway.put("other", vec![8; 65_536]);
    let link = gateway.link(&Method::GET, "short");
    let other = gateway.link(&Method::GET, "other");
    let list = gateway.sign(&Method::GET, "", &[("list-type", "2")], &[]);
    // The windows are closed: nothing of a body is sent.
    let (mut sender, mut connection) = http2_with_window(&gateway, 0).await;
    let mut ask = |link: &str| {
        let request = Request::get(link).body(()).unwrap();
        sender.send_request(request, true).unwrap().0
    };
    let cut: Vec<_> = (0..20).map(|_| ask(&link)).collect();
    let (kept, listing) = (ask(&other), ask(&list));
    let (open, opened) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(async move {
        tokio::select! {
            _ = &mut connection => return,
            _ = opened => {}
        }
        connection.set_initial_window_size(1 << 20).unwrap();
        _ = connection.await;
    });
    let mut bodies = Vec::new();
    for response in cut {
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        bodies.push(response.into_body());
    }
    let mut kept = kept.await.unwrap().into_body();
    let mut listing = listing.await.unwrap().into_body();
    let rules = format!(
        "[[revoked_url]]\nsha256 = '{}'\n[[revoked_url]]\nsha256 = '{}'\n",
        link_id(&link),
        link_id(&list)
    );
    gateway.save_policy(&policy(&[EVERYTHING, &rules])).await;
    // Each ends by itself, while its window is still closed.
    for body in &mut bodies {
        let error = body.data().await.unwrap().unwrap_err();
        assert_eq!(error.reason(), Some(h2::Reason::CANCEL));
    }
    assert!(listing.data().await.unwrap().is_err(), "a listing is cut too");
    let cut = |record: &postern::audit::Record| record.outcome == Outcome::Cut;
    let record = gateway.record(cut).await;
    assert_eq!((record.bytes_sent, record.completed), (0, false));
    // The other stream of the connection goes on.
    open.send(()).unwrap();
    let mut received = 0;
    while let Some(data) = kept.data().await {
        received += data.unwrap().len();
    }
    assert_eq!(received, 65_536);
    let whole = gateway
        .record(|record| record.key.as_deref() == Some("other"))
        .await;
    assert!(whole.completed && whole.bytes_sent == 65_536, "{whole:?}");
    assert_eq!(gateway.records().into_iter().filter(cut).count(), 21);
    running.abort();
}

#[tokio::test]
async fn pipelined_short_answers_are_cut() {
    let gateway = gateway().await;
    gateway.put("short", vec![7; 60_000]);
    let link = gateway.link(&Method::GET, "short");
    let path = link.strip_prefix(&gateway.endpoint()).unwrap();
    let asking = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", gateway.address);
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let (reader, mut writer) = stream.into_split();
    // More than the kernel holds, so that answers wait in the program.
    let many = asking.repeat(1_000);
    let sending = tokio::spawn(async move {
        _ = writer.write_all(many.as_bytes()).await;
        writer
    });
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let records = gateway.records().len();
        if records > 0 && records == before {
            break;
        }
        before = records;
    }
    revoke(&gateway, &link).await;
    let (read, end) = rest(reader).await;
    assert!(end.is_err(), "{read} {end:?}: the connection is reset");
    drop(sending.await);
}

/// Sends the head and half of the body.
async fn half_an_upload(gateway: &TestGateway, link: &str) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = request(gateway, "PUT", link, "content-length: 4000000\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![7; 2_000_000]).await.unwrap();
    stream
}

fn litter(gateway: &TestGateway) -> Vec<String> {
    let folder = gateway.folder.path().join("data").join(BUCKET).join("~!tmp");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[tokio::test]
async fn an_upload_that_stalls_is_discarded_and_told_why() {
    let gateway = gateway().await;
    let before = gateway.put("up", "the old one");
    let link = gateway.link(&Method::PUT, "up");
    let mut stream = half_an_upload(&gateway, &link).await;
    // Until the gateway has begun to take it.
    while litter(&gateway).is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    revoke(&gateway, &link).await;
    let record = gateway.record(|record| record.outcome == Outcome::Cut).await;
    assert_eq!(
        (record.status, record.reason.as_deref()),
        (Some(403), Some("LinkRevoked"))
    );
    assert!(record.bytes_received > 0 && record.bytes_received < 4_000_000);
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.starts_with("HTTP/1.1 403") && answer.contains("<Code>AccessDenied</Code>"),
        "{answer}"
    );
    assert_eq!(std::fs::read_to_string(&before).unwrap(), "the old one");
    while !litter(&gateway).is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_form_that_stalls_is_discarded_too() {
    let gateway = gateway().await;
    let form = TestForm::signed(
        "2026-11-24T12:30:00Z",
        r#"["starts-with", "$key", ""]"#,
        &[("key", "up")],
    );
    let body = form.body();
    let (front, _) = body.split_at(body.len() - 20);
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = format!(
        "POST /{BUCKET} HTTP/1.1\r\nhost: {}\r\ncontent-type: multipart/form-data; boundary={}\r\ncontent-length: {}\r\n\r\n",
        gateway.address,
        BOUNDARY,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(front).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    gateway
        .save_policy(&policy(&["revoked = true\n", EVERYTHING]))
        .await;
    let record = gateway
        .record(|record| record.mechanism.as_deref() == Some("form"))
        .await;
    // Its fields may have been read before the change, or after.
    assert!(
        matches!(record.outcome, Outcome::Cut | Outcome::Denied),
        "{record:?}"
    );
    assert_eq!(record.reason.as_deref(), Some("SignerRevoked"));
    assert!(
        !gateway
            .folder
            .path()
            .join("data")
            .join(BUCKET)
            .join("up")
            .exists()
    );
}

#[tokio::test]
async fn where_it_is_turned_off_a_transfer_goes_on_to_its_end() {
    let gateway = gateway_with(Wishes {
        leaves_transfers: true,
        ..Wishes::default()
    })
    .await;
    let link = gateway.link(&Method::GET, "large");
    let stream = download(&gateway, &link).await;
    revoke(&gateway, &link).await;
    let (read, _) = rest(stream).await;
    assert!(read >= LARGE - 1024, "{read}");
    assert_eq!(
        client::send(gateway.address, Method::GET, &link, &[])
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn the_last_look_comes_before_the_rename() {
    // At the store, where the moment can be chosen: everything has come, and the answer is no.
    use postern::{
        store::{DiskStore, LastLook, Settings, Store, Upload},
        types::{BucketName, ETag, ObjectKey, Properties, WriteCondition},
    };
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        root: folder.path().to_owned(),
        ..Settings::default()
    };
    let store = DiskStore::open(&settings, &[]).unwrap();
    let (bucket, key) = (
        BucketName::parse("bucket").unwrap(),
        ObjectKey::parse("k").unwrap(),
    );
    store.create_bucket(&bucket, LastLook::none()).await.unwrap();
    for (may, expected) in [(false, false), (true, true)] {
        let mut upload = store
            .upload(&bucket, None, LastLook::new(move |_| may))
            .await
            .unwrap();
        upload.write(Bytes::from_static(b"content")).await.unwrap();
        let stored = upload
            .commit(
                &key,
                ETag::of_md5([0; 16]),
                Properties::default(),
                WriteCondition::Always,
            )
            .await;
        assert_eq!(stored.is_ok(), expected);
        assert!(expected || matches!(stored, Err(StoreError::Withdrawn)));
        assert_eq!(folder.path().join("bucket/k").exists(), expected);
    }
}

#[tokio::test]
async fn http_2_download_has_its_grace_at_a_shutdown() {
    let mut gateway = gateway_with(Wishes {
        tls: true,
        ..Wishes::default()
    })
    .await;
    gateway.put("some", vec![7; 200_000]);
    let link = gateway.link(&Method::GET, "some");
    let (mut sender, connection) = http2_with_window(&gateway, 16_000).await;
    tokio::spawn(connection);
    let request = Request::get(&link).body(()).unwrap();
    let response = sender.send_request(request, true).unwrap().0;
    let mut body = response.await.unwrap().into_body();
    let mut received = body.data().await.unwrap().unwrap().len();
    let mut given_back = 0;
    gateway.stop();
    // The rest is taken only after the listener has closed.
    while TcpStream::connect(gateway.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    loop {
        // Small windows, so that the answer goes by many small pieces.
        _ = body.flow_control().release_capacity(received - given_back);
        given_back = received;
        match body.data().await {
            Some(data) => received += data.unwrap().len(),
            None => break,
        }
    }
    assert_eq!(received, 200_000);
    let record = gateway
        .record(|record| record.key.as_deref() == Some("some"))
        .await;
    assert!(record.completed && record.bytes_sent == 200_000, "{record:?}");
}
