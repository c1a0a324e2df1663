//! Who is believed, row by row; and for any header at all.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::types::TlsVersion;

const PROXY: &str = "10.0.0.1:4000";
const STRANGER: &str = "203.0.113.7:4000";

fn forwarding(header: ForwardedHeader) -> Forwarding {
    let proxies = ["10.0.0.0/8", "fd00::/8", "192.0.2.1"];
    Forwarding {
        proxies: TrustedProxies::parse(proxies).unwrap(),
        header,
    }
}

fn peer(address: &str) -> Peer {
    Peer::plain(address.parse().unwrap())
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// Address and scheme, as one of the lists says.
fn said(header: ForwardedHeader, peer: Peer, lines: &[(&'static str, &str)]) -> String {
    let client = forwarding(header).client(peer, &headers(lines));
    let scheme = if client.scheme == Scheme::Https {
        "https"
    } else {
        "http"
    };
    format!("{client} {scheme}")
}

#[test]
fn the_client_is_the_right_most_address_that_is_no_proxys() {
    for (list, client) in [
        (&["198.51.100.1"][..], "198.51.100.1"),
        // A client's own words come first, and its address behind them.
        (&["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        (&["10.0.0.9, 198.51.100.1"], "198.51.100.1"),
        (&["198.51.100.1, 10.0.0.2, 192.0.2.1"], "198.51.100.1"),
        // Several lines are one list, in their order.
        (&["1.1.1.1", "198.51.100.1", "10.0.0.2"], "198.51.100.1"),
        (&["1.1.1.1,198.51.100.1", "10.0.0.2,10.0.0.3"], "198.51.100.1"),
        // Everybody is a proxy: the first is where it began.
        (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        // Both kinds of address, with ports and without.
        (&["198.51.100.1:5000"], "198.51.100.1:5000"),
        (&["2001:db8::1"], "2001:db8::1"),
        (&["[2001:db8::1]"], "2001:db8::1"),
        (&["[2001:db8::1]:5000"], "[2001:db8::1]:5000"),
        (&["2001:db8::1, fd00::1"], "2001:db8::1"),
        (&["::ffff:198.51.100.1"], "198.51.100.1"),
        (&["[::ffff:198.51.100.1]:5000"], "198.51.100.1:5000"),
        (&["198.51.100.1, ::ffff:10.0.0.2"], "198.51.100.1"),
        // What cannot be read ends the reading: what is left of it is never believed.
        (&["198.51.100.1, unknown"], PROXY),
        (&["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2"),
        (&["198.51.100.1, , 10.0.0.2"], "10.0.0.2"),
        (&["198.51.100.1, \u{1f600}, 10.0.0.2"], "10.0.0.2"),
        (&["198.51.100.1,"], PROXY),
        (&[""], PROXY),
        (&["198.51.100.1 10.0.0.2"], PROXY),
        (&["\"198.51.100.1\""], PROXY),
        (&["198.51.100.1:"], PROXY),
        (&["198.51.100.1:70000"], PROXY),
        (&["fe80::1%eth0"], PROXY),
        (&["[fe80::1%1]:80"], PROXY),
        (&["[198.51.100.1]"], PROXY),
        (&["010.0.0.2"], PROXY),
        (&["127.1"], PROXY),
        (&[], PROXY),
    ] {
        let lines: Vec<_> = list.iter().map(|line| (X_FORWARDED_FOR, *line)).collect();
        let found = said(ForwardedHeader::XForwardedFor, peer(PROXY), &lines);
        assert_eq!(found, format!("{client} http"), "{list:?}");
    }
}

#[test]
fn the_scheme_is_what_the_nearest_proxy_says() {
    let from = (X_FORWARDED_FOR, "198.51.100.1");
    for (protos, scheme) in [
        (&["https"][..], "https"),
        (&["HTTPS"], "https"),
        (&["http"], "http"),
        (&["https, http"], "http"),
        (&["http,https"], "https"),
        (&["https", "http"], "http"),
        (&["wss"], "http"),
        (&["https,"], "http"),
        (&[], "http"),
    ] {
        let mut lines = vec![from];
        lines.extend(protos.iter().map(|proto| (X_FORWARDED_PROTO, *proto)));
        let found = said(ForwardedHeader::XForwardedFor, peer(PROXY), &lines);
        assert_eq!(found, format!("198.51.100.1 {scheme}"), "{protos:?}");
    }
    // A proxy that says nothing of who sent it, but how.
    let only = [(X_FORWARDED_PROTO, "https")];
    assert_eq!(
        said(ForwardedHeader::XForwardedFor, peer(PROXY), &only),
        format!("{PROXY} https")
    );
}

#[test]
fn forwarded_is_read_entry_by_entry() {
    for (list, client) in [
        (&["for=198.51.100.1;proto=https"][..], "198.51.100.1 https"),
        (
            &["For=\"198.51.100.1:5000\"; Proto=\"HTTPS\""],
            "198.51.100.1:5000 https",
        ),
        (
            &["for=\"[2001:db8::1]:5000\";by=10.0.0.1"],
            "[2001:db8::1]:5000 http",
        ),
        (&["host=evil;for=198.51.100.1;secret=x"], "198.51.100.1 http"),
        // Each scheme belongs to the address beside it.
        (
            &["for=198.51.100.1;proto=https, for=10.0.0.2;proto=http"],
            "198.51.100.1 https",
        ),
        (
            &["for=198.51.100.1;proto=http", "for=10.0.0.2;proto=https"],
            "198.51.100.1 http",
        ),
        (
            &["for=1.1.1.1;proto=https, for=198.51.100.1"],
            "198.51.100.1 http",
        ),
        // Who it was is not told, but how.
        (&["for=1.1.1.1, for=unknown;proto=https"], "10.0.0.1:4000 https"),
        (&["for=1.1.1.1, for=_hidden"], "10.0.0.1:4000 http"),
        (&["proto=https"], "10.0.0.1:4000 https"),
        // No entry of Forwarded.
        (&["for=1.1.1.1, 198.51.100.1"], "10.0.0.1:4000 http"),
        (
            &["for=198.51.100.1;for=1.1.1.1;proto=https"],
            "10.0.0.1:4000 http",
        ),
        (&["for=\"198.51.100.1;proto=https"], "10.0.0.1:4000 http"),
        (&["for=\"198.51.100\\.1\""], "10.0.0.1:4000 http"),
        (&["for=198.51.100.1;"], "10.0.0.1:4000 http"),
        (&[], "10.0.0.1:4000 http"),
        // A client opens quotes; what the proxy adds is read all the same.
        (&["for=\"1.1.1.1, for=198.51.100.1"], "198.51.100.1 http"),
        (&["for=\"a", "for=198.51.100.1"], "198.51.100.1 http"),
    ] {
        let lines: Vec<_> = list.iter().map(|line| (FORWARDED, *line)).collect();
        assert_eq!(
            said(ForwardedHeader::Forwarded, peer(PROXY), &lines),
            client,
            "{list:?}"
        );
    }
}

#[test]
fn only_the_kind_of_header_that_the_operator_names_is_read() {
    let both = [
        (X_FORWARDED_FOR, "198.51.100.1"),
        (X_FORWARDED_PROTO, "http"),
        (FORWARDED, "for=198.51.100.2;proto=https"),
        ("x-real-ip", "198.51.100.3"),
    ];
    assert_eq!(
        said(ForwardedHeader::XForwardedFor, peer(PROXY), &both),
        "198.51.100.1 http"
    );
    assert_eq!(
        said(ForwardedHeader::Forwarded, peer(PROXY), &both),
        "198.51.100.2 https"
    );
}

#[test]
fn the_proxys_own_address_is_kept_beside_the_clients() {
    let forwarding = forwarding(ForwardedHeader::XForwardedFor);
    let for_client = headers(&[(X_FORWARDED_FOR, "198.51.100.1, 10.0.0.2")]);
    let proxy: SocketAddr = PROXY.parse().unwrap();
    assert_eq!(forwarding.client(peer(PROXY), &for_client).proxy, Some(proxy));
    assert_eq!(forwarding.client(peer(PROXY), &HeaderMap::new()).proxy, None);
    assert_eq!(forwarding.client(peer(STRANGER), &for_client).proxy, None);
    let mapped = forwarding.client(peer("[::ffff:10.0.0.1]:4000"), &for_client);
    assert_eq!(mapped.to_string(), "198.51.100.1");
}

#[test]
fn tls_with_the_proxy_is_not_tls_with_the_client() {
    let forwarding = forwarding(ForwardedHeader::XForwardedFor);
    let peer = Peer {
        tls: Some(TlsVersion::V1_3),
        ..peer(PROXY)
    };
    let client = forwarding.client(peer, &headers(&[(X_FORWARDED_FOR, "198.51.100.1")]));
    assert_eq!((client.scheme, client.tls), (Scheme::Http, None));
    let client = forwarding.client(peer, &HeaderMap::new());
    assert_eq!(
        (client.scheme, client.tls),
        (Scheme::Https, Some(TlsVersion::V1_3))
    );
}

#[test]
fn what_a_proxy_header_announces_counts_as_the_peer() {
    let forwarding = forwarding(ForwardedHeader::XForwardedFor);
    let lines = headers(&[(X_FORWARDED_FOR, "198.51.100.1"), (X_FORWARDED_PROTO, "https")]);
    let announcing = |announced| {
        let client = forwarding.client(
            Peer {
                announced,
                ..peer(PROXY)
            },
            &lines,
        );
        (client.to_string(), client.scheme, client.proxy.is_some())
    };
    let stranger = Announced::Client(STRANGER.parse().unwrap());
    assert_eq!(
        announcing(stranger),
        (STRANGER.to_owned(), Scheme::Http, true),
        "a stranger's headers say nothing"
    );
    let inner = Announced::Client("10.0.0.2:1".parse().unwrap());
    assert_eq!(
        announcing(inner),
        ("198.51.100.1".to_owned(), Scheme::Https, true)
    );
    assert_eq!(
        announcing(Announced::Unknown),
        (PROXY.to_owned(), Scheme::Http, false),
        "it is somebody's, and nobody knows whose"
    );
    assert_eq!(
        announcing(Announced::Itself),
        ("198.51.100.1".to_owned(), Scheme::Https, true)
    );
}

/// Any bytes that a header can have, and such as look like what is read.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let words = prop_oneof![
        Just("10.0.0.2"),
        Just("1.1.1.1"),
        Just("::1"),
        Just("[fd00::1]:80"),
        Just("for="),
        Just("proto="),
        Just("https"),
        Just("\""),
        Just("\\"),
        Just(";"),
        Just(","),
        Just(" "),
        Just("unknown"),
    ];
    prop_oneof![
        prop::collection::vec(words, 0..12).prop_map(|words| words.concat().into_bytes()),
        prop::collection::vec(prop_oneof![32_u8..127, 128_u8..=255], 0..40),
    ]
}

fn lines() -> impl Strategy<Value = HeaderMap> {
    let name = prop_oneof![
        Just(X_FORWARDED_FOR),
        Just(X_FORWARDED_PROTO),
        Just(FORWARDED),
        Just("x-forwarded-host"),
        Just("x-real-ip"),
    ];
    prop::collection::vec((name, value()), 0..6).prop_map(|lines| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_bytes(&value).unwrap());
        }
        headers
    })
}

fn kind() -> impl Strategy<Value = ForwardedHeader> {
    prop_oneof![
        Just(ForwardedHeader::XForwardedFor),
        Just(ForwardedHeader::Forwarded)
    ]
}

proptest! {
    #[test]
    fn no_header_of_a_peer_that_is_not_trusted_changes_anything(
        headers in lines(),
        kind in kind(),
        address: [u8; 4],
        port: u16,
        tls in prop::option::of(Just(TlsVersion::V1_3)),
    ) {
        prop_assume!(address[0] != 10 && address != [192, 0, 2, 1]);
        let peer = Peer { tls, ..Peer::plain((address, port).into()) };
        prop_assert_eq!(forwarding(kind).client(peer, &headers), Client::from(peer));
        let passed_on = Peer { address: PROXY.parse().unwrap(), announced: Announced::Client(peer.address), tls };
        prop_assert_eq!(forwarding(kind).client(passed_on, &headers), Client::from(passed_on));
        prop_assert_eq!(Forwarding::default().client(self::peer(PROXY), &headers), Client::from(self::peer(PROXY)));
    }

    /// What a client sends comes first, on lines of its own or in the same line; then the proxies add what they saw.
    #[test]
    fn nothing_that_a_client_writes_before_what_the_proxies_add_changes_the_result(
        written in lines(),
        kind in kind(),
        joined: bool,
        client in prop_oneof![Just("198.51.100.1"), Just("2001:db8::1")],
        inner in prop::collection::vec(prop_oneof![Just("10.0.0.2"), Just("fd00::1")], 0..3),
        scheme in prop_oneof![Just("http"), Just("https")],
    ) {
        let add = |headers: &mut HeaderMap| {
            for address in [client].iter().chain(&inner) {
                let quoted = if address.contains(':') { format!("\"[{address}]\"") } else { (*address).to_owned() };
                let entries = [
                    (X_FORWARDED_FOR, (*address).to_owned()),
                    (X_FORWARDED_PROTO, scheme.to_owned()),
                    (FORWARDED, format!("for={quoted};proto={scheme}")),
                ];
                for (name, entry) in entries {
                    let before = headers.get_all(name).iter().next_back().cloned();
                    match before.filter(|_| joined) {
                        None => { headers.append(name, entry.parse().unwrap()); }
                        Some(last) => {
                            let mut values: Vec<_> = headers.get_all(name).iter().cloned().collect();
                            values.pop();
                            let line = [last.as_bytes(), b", ", entry.as_bytes()].concat();
                            values.push(HeaderValue::from_bytes(&line).unwrap());
                            headers.remove(name);
                            for value in values { headers.append(name, value); }
                        }
                    }
                }
            }
        };
        let (mut alone, mut behind) = (HeaderMap::new(), written);
        add(&mut alone);
        add(&mut behind);
        let forwarding = forwarding(kind);
        let found = forwarding.client(peer(PROXY), &behind);
        prop_assert_eq!(found, forwarding.client(peer(PROXY), &alone));
        prop_assert_eq!(found.address, client.parse::<IpAddr>().unwrap());
        prop_assert_eq!(found.scheme == Scheme::Https, scheme == "https");
    }
}
