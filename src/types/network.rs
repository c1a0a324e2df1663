//! The source that a request or connection counts against.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

/// A source: an IPv4 address, the first 64 bits of an IPv6 address (a client with one address of
/// such a network has all of them, RFC 6177 section 2), or this machine. All loopback addresses are
/// one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    const THIS_MACHINE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// The source of this address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            address if address.is_loopback() => Self::THIS_MACHINE,
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                let bits = address.to_bits() & !u128::from(u64::MAX);
                std::net::Ipv6Addr::from_bits(bits).into()
            }
        })
    }

    /// Whether the address is one of this machine's loopback addresses. A proxy on this machine
    /// that is not trusted speaks for all of its clients by them.
    pub fn is_this_machine(self) -> bool {
        self.0 == Self::THIS_MACHINE
    }
}

impl fmt::Display for Network {
    /// `203.0.113.7`, or `2001:db8::/64`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_is_itself_and_an_ipv6_one_its_first_half() {
        let of = |text: &str| Network::of(text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }

    #[test]
    fn all_loopback_addresses_are_one_source() {
        let of = |text: &str| Network::of(text.parse().unwrap());
        for address in ["127.0.0.1", "127.4.5.6", "::1", "::ffff:127.0.0.9"] {
            assert!(of(address) == of("127.0.0.1") && of(address).is_this_machine());
        }
        assert!(!of("192.0.2.1").is_this_machine() && !of("2001:db8::1").is_this_machine());
    }
}
