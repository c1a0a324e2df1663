//! Ranges of addresses, as operators write them.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// Reads a range such as `10.0.0.0/8` into its canonical form: `::ffff:10.0.0.0/104` is the same
/// range.
///
/// It is strict where readers differ: `010.0.0.0` is ten to one and eight to another, so a leading
/// zero is an error, in the address and in the length of the prefix.
pub fn address_range(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let digits = length.bytes().all(|byte| byte.is_ascii_digit());
    let plain = length == "0" || !length.starts_with('0');
    let length = length.parse().ok().filter(|_| digits && plain)?;
    IpNet::new(address, length).ok().map(canonical)
}

/// Clients are compared by their canonical address, so a range of IPv4 within IPv6 must be one of
/// IPv4.
fn canonical(range: IpNet) -> IpNet {
    match (range.addr().to_canonical(), range.prefix_len().checked_sub(96)) {
        (IpAddr::V4(address), Some(length)) if range.addr().is_ipv6() => {
            Ipv4Net::new(address, length).map_or(range, IpNet::from)
        }
        (_, _) => range,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_strictly_and_made_canonical() {
        for (text, range) in [
            ("10.0.0.0/8", Some("10.0.0.0/8")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("::ffff:127.0.0.0/104", Some("127.0.0.0/8")),
            ("::ffff:0:0/96", Some("0.0.0.0/0")),
            ("::ffff:0:0/95", Some("::ffff:0.0.0.0/95")),
            ("2001:DB8::/32", Some("2001:db8::/32")),
            ("010.0.0.0/8", None),
            ("10.0.0.00/8", None),
            ("10.0.0.0/08", None),
            ("10.0.0.0/+8", None),
            ("10.0.0.0/", None),
            ("10.0.0.0/33", None),
            ("10.0.0.0/255.0.0.0", None),
            ("10.0.0/8", None),
            ("::ffff:010.0.0.0/104", None),
            ("10.0.0.0", None),
        ] {
            let found = address_range(text).map(|range| range.to_string());
            assert_eq!(found.as_deref(), range, "{text}");
        }
    }
}
