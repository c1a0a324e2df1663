//! Sockets that begin with a header, without one, or with half of one.

use std::time::Duration;

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::types::{Span, TrustedProxies};

/// Version 2 for an IPv4 client and a server, and what is told besides.
fn binary_header(client: [u8; 4], port: u16, more: &[u8]) -> Vec<u8> {
    let fields = [&client[..], &[192, 0, 2, 1], &port.to_be_bytes(), &[0, 2], more].concat();
    let length = u16::try_from(fields.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11", &length[..], &fields].concat()
}

async fn pair() -> (TcpStream, TcpStream, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (served, address) = listener.accept().await.unwrap();
    (proxy, served, address)
}

fn requiring() -> Settings {
    Settings {
        proxy_protocol: ProxyProtocol::Require,
        trusted_proxies: TrustedProxies::parse(["127.0.0.1"]).unwrap(),
        head_timeout: Span::from_seconds(1),
        ..Settings::default()
    }
}

#[tokio::test]
async fn not_a_byte_behind_the_header_is_taken_however_it_comes() {
    let headers = [
        b"PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n".to_vec(),
        binary_header([203, 0, 113, 7], 1, &[]),
        binary_header([203, 0, 113, 7], 1, &[7; 400]),
    ];
    for header in headers {
        for piece in [1, 7, 13, 1000] {
            let (mut proxy, mut served, address) = pair().await;
            let sent = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            let sending = tokio::spawn(async move {
                proxy.set_nodelay(true).unwrap();
                for piece in sent.chunks(piece) {
                    proxy.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
            });
            let peer = begin(&mut served, address, &requiring()).await.unwrap();
            assert_eq!(
                (peer.address, peer.announced),
                (address, Announced::Client("203.0.113.7:1".parse().unwrap())),
                "{piece}"
            );
            sending.await.unwrap();
            let mut rest = String::new();
            served.read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "GET / HTTP/1.1\r\n");
        }
    }
}

#[tokio::test]
async fn who_is_no_proxy_or_sends_no_header_is_not_served() {
    let (mut proxy, mut served, address) = pair().await;
    proxy
        .write_all(b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n")
        .await
        .unwrap();
    let elsewhere = Settings {
        trusted_proxies: TrustedProxies::parse(["10.0.0.0/8"]).unwrap(),
        ..requiring()
    };
    assert_eq!(begin(&mut served, address, &elsewhere).await, None);

    let (mut proxy, mut served, address) = pair().await;
    proxy.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    assert_eq!(begin(&mut served, address, &requiring()).await, None);

    // One that begins and does not go on: `head_timeout` ends it.
    let (mut proxy, mut served, address) = pair().await;
    proxy.write_all(b"PROXY TCP4 1.1.1.1").await.unwrap();
    let settings = requiring();
    let waiting = begin(&mut served, address, &settings);
    let ended = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert_eq!(ended.unwrap(), None);

    let (proxy, mut served, address) = pair().await;
    drop(proxy);
    assert_eq!(begin(&mut served, address, &requiring()).await, None);
}

#[tokio::test]
async fn without_the_setting_nothing_is_read() {
    let (mut proxy, mut served, address) = pair().await;
    proxy.write_all(b"PROXY TCP4").await.unwrap();
    drop(proxy);
    let peer = begin(&mut served, address, &Settings::default()).await;
    assert_eq!(peer, Some(Peer::plain(address)));
    let mut rest = String::new();
    served.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "PROXY TCP4");
}
