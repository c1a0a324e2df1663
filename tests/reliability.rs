//! Files that change under a download, clocks that step backwards, and the fault table of docs/RELIABILITY.md. Faults of disks are in `tests/faults/run` and
//! in `store/disk/tests`.

use std::{fs, path::Path, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use postern::types::Span;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    logs::{Program, Serving},
    support::{NOON, TestGateway, Wishes, client},
    transport::connect,
};

/// More than the buffers between the disk and a reader hold.
const LARGE: usize = 32 << 20;

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 7 % 251) as u8).collect()
}

/// What is done to the object's file while it is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Replaced,
    Removed,
    WrittenInPlace,
    Shortened,
}

const ALL: [Change; 4] = [
    Change::Replaced,
    Change::Removed,
    Change::WrittenInPlace,
    Change::Shortened,
];

impl Change {
    fn make(self, file: &Path) {
        match self {
            Self::Replaced => {
                let beside = file.with_extension("new");
                fs::write(&beside, "other").unwrap();
                fs::rename(beside, file).unwrap();
            }
            Self::Removed => fs::remove_file(file).unwrap(),
            Self::WrittenInPlace => {
                use std::os::unix::fs::FileExt;
                // The file system's clock ticks.
                std::thread::sleep(Duration::from_millis(50));
                let file = fs::File::options().write(true).open(file).unwrap();
                file.write_all_at(b"other", (LARGE - 100_000) as u64).unwrap();
            }
            Self::Shortened => {
                let file = fs::File::options().write(true).open(file).unwrap();
                file.set_len((LARGE - 100_000) as u64).unwrap();
            }
        }
    }

    fn is_served_whole(self) -> bool {
        matches!(self, Self::Replaced | Self::Removed)
    }
}

/// Asks over HTTP/1.1, lets the change be made once the first bytes are there, and reads as far as it goes.
async fn over_http_1(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    gateway: &TestGateway,
    target: &str,
    change: impl FnOnce(),
) -> Vec<u8> {
    let request = format!(
        "GET {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        gateway.address
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut got = vec![0; 4096];
    stream.read_exact(&mut got).await.unwrap();
    assert!(got.starts_with(b"HTTP/1.1 200"));
    change();
    // However it ends: what has come is what counts.
    _ = stream.read_to_end(&mut got).await;
    let head = got.windows(4).position(|at| at == b"\r\n\r\n").unwrap() + 4;
    got.split_off(head)
}

fn judge(change: Change, way: &str, came: &[u8], whole: &[u8]) {
    match change.is_served_whole() {
        true => assert!(came == whole, "{change:?} {way}: {} bytes", came.len()),
        false => assert!(
            came.len() < whole.len(),
            "{change:?} {way}: it ended as if it were whole"
        ),
    }
}

#[tokio::test]
async fn a_file_replaced_or_removed_is_served_whole_and_one_changed_in_place_breaks_off_by_every_way_of_sending()
 {
    let plain = TestGateway::start().await;
    let secure = TestGateway::with(Wishes {
        tls: true,
        ..Wishes::default()
    })
    .await;
    let whole = content(LARGE);
    for change in ALL {
        let file = plain.put("a", &whole);
        let target = plain.link(&Method::GET, "a");
        let target = target.strip_prefix(&plain.endpoint()).unwrap().to_owned();
        let stream = TcpStream::connect(plain.address).await.unwrap();
        let came = over_http_1(stream, &plain, &target, || change.make(&file)).await;
        judge(change, "by sendfile", &came, &whole);

        let file = secure.put("a", &whole);
        let target = secure.link(&Method::GET, "a");
        let target = target.strip_prefix(&secure.endpoint()).unwrap().to_owned();
        let stream = connect(&secure, &rustls::version::TLS13, b"http/1.1").await;
        let came = over_http_1(stream, &secure, &target, || change.make(&file)).await;
        judge(change, "over TLS", &came, &whole);

        let file = secure.put("a", &whole);
        let io = TokioIo::new(connect(&secure, &rustls::version::TLS13, b"h2").await);
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
            .await
            .unwrap();
        tokio::spawn(connection);
        let request = Request::get(format!("https://{}{target}", secure.address)).body(Empty::<Bytes>::new());
        let response = sender.send_request(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let mut body = response.into_body();
        let mut came = body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
        change.make(&file);
        while let Some(Ok(frame)) = body.frame().await {
            came.extend_from_slice(frame.data_ref().unwrap());
        }
        judge(change, "by HTTP/2", &came, &whole);
    }
}

#[tokio::test]
async fn a_clock_that_steps_backwards_lets_nothing_pass_that_was_denied_and_cuts_no_transfer() {
    let gateway = TestGateway::start().await;
    gateway.put("small", "small");
    gateway.put("large", content(LARGE));
    let (early, large) = (
        gateway.link(&Method::GET, "small"),
        gateway.link(&Method::GET, "large"),
    );
    gateway.clock.advance(Span::from_seconds(3600));
    let late = gateway.link(&Method::GET, "small");
    assert_eq!(gateway.get(&early).await.status, 403, "its 15 minutes are over");
    assert_eq!(gateway.get(&late).await.status, 200);

    // A transfer that began by the later time.
    let target = gateway.link(&Method::GET, "large");
    let target = target.strip_prefix(&gateway.endpoint()).unwrap().to_owned();
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let came = over_http_1(stream, &gateway, &target, || gateway.clock.set(NOON)).await;
    assert!(came == content(LARGE));

    // An hour back: what was signed in what is now the future is refused, as any such link is.
    assert_eq!(gateway.get(&late).await.status, 403);
    assert_eq!(gateway.get(&large).await.status, 200);
    // Another day: the signing keys in the cache are by the date of the scope, not by the day it is.
    gateway.clock.set(NOON - time::Duration::days(2));
    assert_eq!(gateway.get(&early).await.status, 403);
    let before = gateway.link(&Method::GET, "small");
    assert_eq!(gateway.get(&before).await.status, 200);
    gateway.clock.set(NOON);
    assert_eq!(gateway.get(&early).await.status, 200);
    assert_eq!(gateway.get(&before).await.status, 403);

    for record in gateway.records() {
        assert!(
            record.duration_ms >= 0.0 && record.duration_ms < 600_000.0,
            "{record:?}"
        );
    }
}

#[tokio::test]
async fn a_clock_that_steps_backwards_leaves_what_was_revoked_by_time_revoked() {
    let gateway = TestGateway::start().await;
    gateway.put("a", "a");
    let link = gateway.link(&Method::GET, "a");
    let rule = "\nsigned_before = 2026-11-24T12:30:00Z\n";
    let policy =
        crate::support::reader().replacen("\nname = 'alice'\n", &format!("\nname = 'alice'{rule}"), 1);
    gateway.save_policy(&policy).await;
    for minutes in [0, -10, -600] {
        gateway.clock.set(NOON + time::Duration::minutes(minutes));
        assert_eq!(gateway.get(&link).await.status, 403);
        let fresh = gateway.link(&Method::GET, "a");
        assert_eq!(
            gateway.get(&fresh).await.status,
            403,
            "signed before by the clock as it is"
        );
    }
    gateway.clock.set(NOON + time::Duration::hours(1));
    let fresh = client::send(
        gateway.address,
        Method::GET,
        &gateway.link(&Method::GET, "a"),
        &[],
    )
    .await;
    assert_eq!(fresh.status, 200);
}

/// The names of the tests in the last column of the fault table: `a`, or `a`, `b`.
fn named_tests(table: &str) -> Vec<String> {
    let rows = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let mut names = Vec::new();
    for row in rows.skip(1) {
        let last = row.trim_end_matches('|').rsplit(" | ").next().unwrap();
        let found: Vec<_> = last.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert!(!found.is_empty(), "this row names no test: {row}");
        names.extend(found);
    }
    names
}

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => *text += &fs::read_to_string(path).unwrap(),
            None if path.is_dir() => sources(&path, text),
            _ => {}
        }
    }
}

#[test]
fn every_row_of_the_fault_table_names_a_test_that_is_there_and_every_fault_has_a_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/RELIABILITY.md")).unwrap();
    let (_, table) = document.split_once("## Faults").unwrap();
    let table = table.split("\n## ").next().unwrap();
    let faults = |name: &str| fs::read_to_string(root.join("tests/faults").join(name)).unwrap();
    let script = faults("run") + &faults("backups.py");
    let mut text = String::new();
    sources(&root.join("src"), &mut text);
    sources(&root.join("tests"), &mut text);
    let names = named_tests(table);
    assert!(names.len() > 25, "{names:?}");
    for name in &names {
        let there =
            text.contains(&format!("fn {name}(")) || script.contains(&format!("@fault\ndef {name}(folder)"));
        assert!(there, "there is no test {name}");
    }
    for fault in script.split("@fault\ndef ").skip(1) {
        let name = fault.split('(').next().unwrap();
        assert!(
            names.iter().any(|named| named == name),
            "{name} has no row in docs/RELIABILITY.md"
        );
    }
}

/// A service manager that stops reading, or a disk that is busy.
#[tokio::test]
async fn a_log_that_nobody_takes_holds_up_no_request() {
    let program = Program::new();
    let serving = Serving::start(program.command(&["serve"]));
    // Some hundred lines fill the pipe (64 KiB on Linux); nobody reads one of them until the end.
    for _ in 0..800 {
        let answer = client::send(serving.address(), Method::GET, serving.link(), &[]).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let log = serving.stop();
    assert!(
        log.lines().filter(|line| line.contains("GetObject")).count() > 200,
        "{log}"
    );
}
