//! HTTPS: certificates that are renewed while they serve, and picked by name; HTTP beside it; and what is not spoken.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use postern::{
    server::{CertificateFiles, Settings, TlsSettings},
    types::Span,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::support::{TestGateway, Wishes, client};

/// Writes `NAME.pem` and `NAME-key.pem` for these names, each in one rename; gives the certificate.
fn write_pair(folder: &Path, name: &str, names: &[&str]) -> CertificateDer<'static> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    for (file, text) in [
        (format!("{name}-key.pem"), made.signing_key.serialize_pem()),
        (format!("{name}.pem"), made.cert.pem()),
    ] {
        let beside = folder.join("beside");
        fs::write(&beside, text).unwrap();
        fs::rename(&beside, folder.join(file)).unwrap();
    }
    made.cert.der().clone()
}

fn files(folder: &Path, name: &str) -> CertificateFiles {
    CertificateFiles {
        certificate: folder.join(format!("{name}.pem")),
        private_key: folder.join(format!("{name}-key.pem")),
    }
}

fn settings(folder: &Path, name: &str) -> TlsSettings {
    let files = files(folder, name);
    TlsSettings::new(files.certificate, files.private_key)
}

async fn gateway(tls: TlsSettings) -> TestGateway {
    TestGateway::with(Wishes {
        server: Some(Settings {
            tls: Some(tls),
            shutdown_grace: Span::from_seconds(20),
            ..Settings::default()
        }),
        ..Wishes::default()
    })
    .await
}

/// A handshake as a client makes it who trusts these alone; without `asks` it sends no name.
pub(crate) async fn handshake(
    to: SocketAddr,
    trusted: &[CertificateDer<'static>],
    name: &str,
    asks: bool,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_sni = asks;
    let stream = TcpStream::connect(to).await?;
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(name.to_owned()).unwrap(), stream)
        .await
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    chain[0].clone().into_owned()
}

async fn http(stream: TlsStream<TcpStream>) -> SendRequest<Empty<Bytes>> {
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

async fn get(
    sender: &mut SendRequest<Empty<Bytes>>,
    gateway: &TestGateway,
    path: &str,
) -> (StatusCode, Bytes) {
    let request = Request::get(path)
        .header("host", gateway.address.to_string())
        .body(Empty::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}

fn path_of(gateway: &TestGateway, key: &str) -> String {
    let link = gateway.link(&Method::GET, key);
    link.strip_prefix(&gateway.endpoint()).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_under_load_loses_no_request_and_new_handshakes_see_it() {
    let folder = tempfile::tempdir().unwrap();
    let old = write_pair(folder.path(), "cert", &["localhost"]);
    let gateway = Arc::new(gateway(settings(folder.path(), "cert")).await);
    gateway.put("a", "whole");
    let path = path_of(&gateway, "a");
    let mut open = http(
        handshake(gateway.address, std::slice::from_ref(&old), "localhost", true)
            .await
            .unwrap(),
    )
    .await;
    let (done, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    // Written before anybody reads it, and read by all of the load.
    let fresh = tempfile::tempdir().unwrap();
    let new = write_pair(fresh.path(), "cert", &["localhost"]);
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (gateway, path, done, asked) = (gateway.clone(), path.clone(), done.clone(), asked.clone());
            let trusted = [old.clone(), new.clone()];
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let stream = handshake(gateway.address, &trusted, "localhost", true)
                        .await
                        .unwrap();
                    let mut sender = http(stream).await;
                    for _ in 0..3 {
                        assert_eq!(
                            get(&mut sender, &gateway, &path).await,
                            (StatusCode::OK, Bytes::from("whole"))
                        );
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    for file in ["cert-key.pem", "cert.pem"] {
        fs::rename(fresh.path().join(file), folder.path().join(file)).unwrap();
    }
    let start = Instant::now();
    loop {
        let trusted = [old.clone(), new.clone()];
        let stream = handshake(gateway.address, &trusted, "localhost", true)
            .await
            .unwrap();
        if shown(&stream) == new {
            break;
        }
        assert!(
            start.elapsed().as_secs() < 30,
            "the renewed certificate is not taken"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The load meets the new one too before it ends.
    let until = asked.load(Ordering::Relaxed) + 30;
    while asked.load(Ordering::Relaxed) < until {
        assert!(start.elapsed().as_secs() < 60 && !load.iter().any(|task| task.is_finished()));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    done.store(true, Ordering::Relaxed);
    for task in load {
        task.await.unwrap();
    }
    let (status, body) = get(&mut open, &gateway, &path).await;
    assert_eq!(
        (status, body),
        (StatusCode::OK, Bytes::from("whole")),
        "the open connection goes on"
    );
    let status = gateway.certificates.as_ref().unwrap().status();
    assert_eq!((status.problem, status.reload_failures), (None, 0));
}

#[tokio::test]
async fn a_broken_renewal_keeps_the_old_certificate_until_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let old = write_pair(folder.path(), "cert", &["localhost"]);
    let gateway = gateway(settings(folder.path(), "cert")).await;
    let certificates = gateway.certificates.as_ref().unwrap();
    let wait = async |is_it: &dyn Fn(&postern::server::CertificateStatus) -> bool| {
        let start = Instant::now();
        while !is_it(&certificates.status()) {
            assert!(start.elapsed().as_secs() < 30, "{:?}", certificates.status());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let whole = fs::read(folder.path().join("cert.pem")).unwrap();
    fs::write(folder.path().join("cert.pem"), &whole[..whole.len() / 2]).unwrap();
    certificates.reload_now();
    wait(&|status| status.problem.is_some()).await;
    let stream = handshake(gateway.address, std::slice::from_ref(&old), "localhost", true)
        .await
        .unwrap();
    assert_eq!(shown(&stream), old);
    let new = write_pair(folder.path(), "cert", &["localhost"]);
    certificates.reload_now();
    wait(&|status| status.problem.is_none()).await;
    let stream = handshake(gateway.address, std::slice::from_ref(&new), "localhost", true)
        .await
        .unwrap();
    assert_eq!(shown(&stream), new);
}

#[tokio::test]
async fn each_name_is_shown_its_own_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let first = write_pair(folder.path(), "first", &["first.example", "127.0.0.1"]);
    let wildcard = write_pair(folder.path(), "wildcard", &["*.wild.example"]);
    let exact = write_pair(folder.path(), "exact", &["exact.wild.example"]);
    let mut tls = settings(folder.path(), "first");
    tls.further = ["wildcard", "exact"]
        .map(|name| files(folder.path(), name))
        .into();
    let gateway = gateway(tls).await;
    let trusted = [first.clone(), wildcard.clone(), exact.clone()];
    for (name, asks, certificate) in [
        ("first.example", true, &first),
        ("bucket.wild.example", true, &wildcard),
        ("exact.wild.example", true, &exact),
        ("first.example", false, &first),
        ("127.0.0.1", true, &first),
    ] {
        let stream = handshake(gateway.address, &trusted, name, asks).await.unwrap();
        assert_eq!(&shown(&stream), certificate, "{name} {asks}");
    }
    // These get the first one, which is not for them.
    for (name, asks) in [
        ("a.bucket.wild.example", true),
        ("wild.example", true),
        ("elsewhere.example", true),
        ("exact.wild.example", false),
    ] {
        let refused = handshake(gateway.address, &trusted, name, asks)
            .await
            .unwrap_err();
        assert!(
            refused.to_string().contains("not valid for name"),
            "{name}: {refused}"
        );
    }
}

#[tokio::test]
async fn http_and_https_are_spoken_at_once_and_end_together() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = write_pair(folder.path(), "cert", &["localhost"]);
    let mut tls = settings(folder.path(), "cert");
    tls.listen = Some("127.0.0.1:0".to_owned());
    let mut gateway = gateway(tls).await;
    gateway.put("a", "whole");
    gateway.put("large", vec![7; 16 << 20]);
    let (plain, secure) = (gateway.address, gateway.secure_address.unwrap());
    assert_ne!(plain, secure);
    let link = gateway.link(&Method::GET, "a");
    assert_eq!(gateway.get(&link).await.body, "whole");
    let stream = handshake(secure, std::slice::from_ref(&certificate), "localhost", true)
        .await
        .unwrap();
    let mut sender = http(stream).await;
    assert_eq!(
        get(&mut sender, &gateway, &path_of(&gateway, "a")).await.1,
        "whole"
    );
    // A transfer by each of them is under way when it is told to stop.
    let path = path_of(&gateway, "large");
    let head = format!("GET {path} HTTP/1.1\r\nhost: {plain}\r\n\r\n");
    let mut over_tls = handshake(secure, &[certificate], "localhost", true)
        .await
        .unwrap();
    let mut over_tcp = TcpStream::connect(plain).await.unwrap();
    let mut first = [0; 4096];
    over_tls.write_all(head.as_bytes()).await.unwrap();
    let mut of_tls = over_tls.read(&mut first).await.unwrap();
    over_tcp.write_all(head.as_bytes()).await.unwrap();
    let mut of_tcp = over_tcp.read(&mut first).await.unwrap();
    gateway.stop();
    for address in [plain, secure] {
        let start = Instant::now();
        while TcpStream::connect(address).await.is_ok() {
            assert!(start.elapsed().as_secs() < 20, "{address} still accepts");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let mut rest = Vec::new();
    of_tls += over_tls.read_to_end(&mut rest).await.unwrap();
    rest.clear();
    of_tcp += over_tcp.read_to_end(&mut rest).await.unwrap();
    assert!(of_tls > 16 << 20 && of_tcp > 16 << 20, "{of_tls} {of_tcp}");
    tokio::time::timeout(Duration::from_secs(20), &mut gateway.running)
        .await
        .unwrap()
        .unwrap();
}

/// A ClientHello that offers this version and nothing later; of what else it offers the gateway could take something.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let suites: [u8; 6] = [0, 4, 0xc0, 0x2b, 0xc0, 0x13];
    let groups = [0, 10, 0, 4, 0, 2, 0, 23];
    let formats = [0, 11, 0, 2, 1, 0];
    let signatures = [0, 13, 0, 4, 0, 2, 4, 3];
    let extensions = [&[0, 22][..], &groups, &formats, &signatures].concat();
    let body = [&version[..], &[7; 32], &[0], &suites, &[1, 0], &extensions].concat();
    let length = body.len() as u8;
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat()
}

#[tokio::test]
async fn what_is_no_https_ends_cleanly_on_both_ports() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = write_pair(folder.path(), "cert", &["localhost"]);
    let mut tls = settings(folder.path(), "cert");
    tls.listen = Some("127.0.0.1:0".to_owned());
    let gateway = gateway(tls).await;
    let (plain, secure) = (gateway.address, gateway.secure_address.unwrap());
    let answer = async |to: SocketAddr, bytes: &[u8]| {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "{bytes:?} ends the connection");
        answer
    };
    // Alert, fatal, protocol_version: <https://www.rfc-editor.org/rfc/rfc8446#section-6.2>
    for version in [[3, 0], [3, 1], [3, 2]] {
        let said = answer(secure, &hello(version)).await;
        assert_eq!(said[..1], [21], "{version:?}: {said:?}");
        assert_eq!(&said[said.len() - 2..], [2, 70], "{version:?}: {said:?}");
    }
    let mut stream = TcpStream::connect(secure).await.unwrap();
    stream.write_all(&hello([3, 3])).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 22, "it was the version alone");
    for garbage in [
        &b"\x00\x01\x02\x03\x04\x05\x06"[..],
        b"\x16\x03\x01\xff\xff\xff\xff",
        b"hello\r\n\r\n",
    ] {
        let said = answer(secure, garbage).await;
        assert!(
            said.first().is_none_or(|kind| *kind == 21),
            "an alert or nothing: {said:?}"
        );
    }
    let said = client::raw(secure, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(
        said.starts_with("HTTP/1.1 400 ") && said.contains("https://"),
        "{said}"
    );
    let long = [b"PUT / HTTP/1.1\r\n", &b"x".repeat(1 << 15)[..]].concat();
    let said = client::raw(secure, &long).await;
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    let said = answer(plain, &hello([3, 3])).await;
    assert!(said.starts_with(b"HTTP/1.1 400 "), "{said:?}");
    // None of it has harmed anybody else.
    handshake(secure, &[certificate], "localhost", true)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_begin_a_handshake_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    write_pair(folder.path(), "cert", &["localhost"]);
    let gateway = TestGateway::with(Wishes {
        server: Some(Settings {
            tls: Some(settings(folder.path(), "cert")),
            head_timeout: Span::from_seconds(1),
            ..Settings::default()
        }),
        ..Wishes::default()
    })
    .await;
    for begun in [&b""[..], b"G", b"\x16\x03\x01"] {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(begun).await.unwrap();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "{begun:?}");
    }
}
