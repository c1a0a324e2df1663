//! The addresses from which an operator expects proxies: what those say of a client is believed.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;

use super::address_range;

/// Ranges of addresses. A copy is another handle on the same. None by default: then nobody is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Option<Arc<[IpNet]>>);

/// The text is no range of addresses that can be trusted, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} {problem}")]
pub struct TrustedProxyError {
    text: String,
    problem: String,
}

impl TrustedProxies {
    /// Takes ranges (`10.0.0.0/8`, `2001:db8::/32`) and addresses.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, TrustedProxyError> {
        let ranges = texts.into_iter().map(range).collect::<Result<Vec<_>, _>>()?;
        Ok(Self((!ranges.is_empty()).then(|| ranges.into())))
    }

    /// Is nobody trusted?
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Is it a proxy's address? One of IPv4 within IPv6, as a socket for both shows it, counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let Some(ranges) = &self.0 else { return false };
        let address = address.to_canonical();
        ranges.iter().any(|range| range.contains(&address))
    }
}

fn range(text: &str) -> Result<IpNet, TrustedProxyError> {
    let wrong = |problem: String| TrustedProxyError {
        text: text.to_owned(),
        problem,
    };
    let range = match (address_range(text), text.parse::<IpAddr>()) {
        (Some(range), _) => range,
        (None, Ok(address)) => IpNet::from(address.to_canonical()),
        (None, Err(_)) => {
            return Err(wrong(
                "is neither an address nor a range of addresses such as 10.0.0.0/8 or 2001:db8::/32"
                    .to_owned(),
            ));
        }
    };
    if range.trunc() != range {
        let (meant, address) = (range.trunc(), range.addr());
        return Err(wrong(format!(
            "has bits set behind its prefix: write {meant} for the range, or {address} for the one address"
        )));
    }
    if range.prefix_len() == 0 {
        return Err(wrong(
            "would believe everybody, clients too: name the proxies' own addresses".to_owned(),
        ));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_addresses_of_both_kinds_hold_what_they_say() {
        let proxies = TrustedProxies::parse([
            "10.0.0.0/8",
            "192.0.2.1",
            "2001:db8::/32",
            "::1",
            "::ffff:172.16.0.0/108",
        ])
        .unwrap();
        for (address, trusted) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("::1", true),
            ("::ffff:10.0.0.1", true),
            ("::ffff:11.0.0.1", false),
            ("172.31.0.1", true),
            ("::ffff:172.31.0.1", true),
            ("172.32.0.1", false),
        ] {
            assert_eq!(proxies.contains(address.parse().unwrap()), trusted, "{address}");
        }
        assert!(TrustedProxies::parse([]).unwrap().is_empty());
        assert!(!TrustedProxies::default().contains("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_range_or_is_everybody_is_refused_with_what_to_write() {
        for (text, says) in [
            ("proxy.example", "neither an address nor a range"),
            ("10.0.0.0/33", "neither an address nor a range"),
            ("", "neither an address nor a range"),
            ("010.0.0.0/8", "neither an address nor a range"),
            ("10.0.0.1/8", "write 10.0.0.0/8 for the range, or 10.0.0.1"),
            ("0.0.0.0/0", "would believe everybody"),
            ("::/0", "would believe everybody"),
            ("::ffff:0.0.0.0/96", "would believe everybody"),
        ] {
            let said = TrustedProxies::parse([text]).unwrap_err().to_string();
            assert!(said.contains(says), "{said}");
        }
    }
}
