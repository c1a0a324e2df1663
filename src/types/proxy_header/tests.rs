//! The published forms, what is none of them, and for any header: however it is cut, and whatever stands behind it, it is read alike.

use proptest::prelude::*;

use super::*;

/// A header of version 2.
fn binary_header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [BINARY_SIGNATURE, &[command, family], &length, rest].concat()
}

/// Addresses and ports as version 2 has them.
fn fields(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let octets = |address: SocketAddr| match address.ip() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let ports = [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat();
    [octets(source), octets(destination), ports].concat()
}

fn client(address: &str) -> Announced {
    Announced::Client(address.parse().unwrap())
}

#[test]
fn a_line_of_version_1_says_whose_connection_it_is() {
    let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(91));
    assert_eq!(longest.len(), LONGEST_TEXT);
    for (line, announced) in [
        (
            "PROXY TCP4 203.0.113.7 192.0.2.1 51544 443\r\n",
            client("203.0.113.7:51544"),
        ),
        (
            "PROXY TCP4 203.0.113.7 192.0.2.1 0 0\r\n",
            client("203.0.113.7:0"),
        ),
        (
            "PROXY TCP6 2001:db8::7 2001:db8::1 65535 443\r\n",
            client("[2001:db8::7]:65535"),
        ),
        ("PROXY UNKNOWN\r\n", Announced::Unknown),
        (
            "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n",
            Announced::Unknown,
        ),
        (&longest, Announced::Unknown),
    ] {
        let length = line.len();
        assert_eq!(
            ProxyHeader::parse(line.as_bytes()),
            Ok(Some(ProxyHeader { length, announced })),
            "{line:?}"
        );
    }
}

#[test]
fn what_is_no_header_is_refused_as_soon_as_that_is_certain() {
    use ProxyHeaderError::{BadAddresses, Missing, TooLong, Unknown};
    let endless = format!("PROXY UNKNOWN {}", "f".repeat(93));
    let late = format!("PROXY UNKNOWN {}\r\n", "f".repeat(92));
    for (bytes, error) in [
        (&b"G"[..], Missing),
        (b"GET / HTTP/1.1\r\n", Missing),
        (b"proxy TCP4 ", Missing),
        (b"PROXYX", Missing),
        (b"\r\n\r\n\0\r\nQUIX", Missing),
        (b"\x16\x03\x01", Missing),
        (endless.as_bytes(), TooLong),
        (late.as_bytes(), TooLong),
        (b"PROXY \r\n", Unknown),
        (b"PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n", Unknown),
        (b"PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n", Unknown),
        (b"PROXY TCP4\r\n", BadAddresses),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", BadAddresses),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n", BadAddresses),
        (b"PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n", BadAddresses),
        (b"PROXY TCP4 ::1 ::2 1 2\r\n", BadAddresses),
        (b"PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", BadAddresses),
        (b"PROXY TCP4 1.1.1.1 host 1 2\r\n", BadAddresses),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n", BadAddresses),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n", BadAddresses),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n", BadAddresses),
        (b"PROXY TCP4 1.1.1.\xff 2.2.2.2 1 2\r\n", BadAddresses),
        (&binary_header(0x11, 0x11, &[0; 12]), Unknown),
        (&binary_header(0x22, 0x11, &[0; 12]), Unknown),
        (&binary_header(0x21, 0x12, &[0; 12]), Unknown),
        (&binary_header(0x21, 0x41, &[0; 12]), Unknown),
        (&binary_header(0x21, 0x11, &[0; 11]), BadAddresses),
        (&binary_header(0x21, 0x21, &[0; 12]), BadAddresses),
        (&binary_header(0x20, 0x00, &[0; 4081]), TooLong),
    ] {
        assert_eq!(
            ProxyHeader::parse(bytes),
            Err(error),
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn version_2_says_whose_connection_it_is_and_tlvs_count_to_its_length() {
    let (a, b) = (
        "203.0.113.7:51544".parse().unwrap(),
        "192.0.2.1:443".parse().unwrap(),
    );
    let (c, d) = (
        "[2001:db8::7]:1".parse().unwrap(),
        "[2001:db8::1]:2".parse().unwrap(),
    );
    let tlvs = [fields(a, b), vec![4, 0, 1, 7]].concat();
    for (header, announced) in [
        (
            binary_header(0x21, 0x11, &fields(a, b)),
            client("203.0.113.7:51544"),
        ),
        (binary_header(0x21, 0x11, &tlvs), client("203.0.113.7:51544")),
        (
            binary_header(0x21, 0x21, &fields(c, d)),
            client("[2001:db8::7]:1"),
        ),
        (binary_header(0x21, 0x00, &[]), Announced::Unknown),
        (binary_header(0x21, 0x31, &[0; 216]), Announced::Unknown),
        // The proxy's own: whatever stands there does not count.
        (binary_header(0x20, 0x00, &[]), Announced::Itself),
        (binary_header(0x20, 0x11, &fields(a, b)), Announced::Itself),
        (binary_header(0x20, 0xff, &[9; 5]), Announced::Itself),
    ] {
        let length = header.len();
        assert_eq!(
            ProxyHeader::parse(&header),
            Ok(Some(ProxyHeader { length, announced }))
        );
    }
}

fn address() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        any::<([u8; 4], u16)>().prop_map(SocketAddr::from),
        any::<([u8; 16], u16)>().prop_map(SocketAddr::from),
    ]
}

/// A header of either version, and whose it says the connection is.
fn header() -> impl Strategy<Value = (Vec<u8>, Announced)> {
    let tlvs = prop::collection::vec(any::<u8>(), 0..300);
    let binary = (address(), any::<u16>(), tlvs).prop_map(|(source, port, tlvs)| {
        let family = if source.is_ipv4() { 0x11 } else { 0x21 };
        let rest = [fields(source, SocketAddr::new(source.ip(), port)), tlvs].concat();
        (binary_header(0x21, family, &rest), Announced::Client(source))
    });
    let text = (address(), any::<u16>()).prop_map(|(source, port)| {
        let (ip, family) = (source.ip(), if source.is_ipv4() { 4 } else { 6 });
        let line = format!("PROXY TCP{family} {ip} {ip} {} {port}\r\n", source.port());
        (line.into_bytes(), Announced::Client(source))
    });
    prop_oneof![binary, text]
}

proptest! {
    #[test]
    fn a_header_is_read_alike_however_much_of_it_or_behind_it_came(
        (header, announced) in header(),
        behind in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let length = header.len();
        let whole = Ok(Some(ProxyHeader { length, announced }));
        prop_assert_eq!(ProxyHeader::parse(&header), whole);
        prop_assert_eq!(ProxyHeader::parse(&[header.clone(), behind].concat()), whole);
        for cut in 0..length {
            let found = ProxyHeader::parse(&header[..cut]);
            prop_assert!(found == Ok(None) || found == whole, "{cut}: {found:?}");
        }
    }

    #[test]
    fn any_bytes_are_a_header_none_or_too_few_and_never_too_few_for_ever(
        bytes in prop::collection::vec(any::<u8>(), 0..LONGEST_TEXT),
        signature in prop_oneof![Just(&b""[..]), Just(TEXT_SIGNATURE), Just(BINARY_SIGNATURE), Just(&b"PROXY TCP4 1"[..])],
    ) {
        let bytes = [signature, &bytes].concat();
        let found = ProxyHeader::parse(&bytes);
        prop_assert!(found != Ok(None) || bytes.len() < LONGEST_TEXT);
        if let Ok(Some(header)) = found {
            prop_assert!(header.length <= LONGEST_BINARY);
        }
    }
}
