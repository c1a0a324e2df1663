//! What a certificate may be for, and what an authority may sign for.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use rcgen::{CidrSubnet, GeneralSubtree, SanType};
use rustls::pki_types::DnsName;
use x509_parser::prelude::GeneralName;

/// One name of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// In lower case; it may begin with `*.`.
    Dns(String),
    Address(IpAddr),
}

impl Name {
    /// Reads a name, a wildcard for one label, or an address.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse() {
            return Ok(Self::Address(address));
        }
        let name = text.to_ascii_lowercase();
        let below = name.strip_prefix("*.");
        if below.is_some_and(|below| !below.contains('.') && below != "localhost") {
            return Err(format!(
                "{text:?} is for every name of a top-level domain; name a domain of your own, such as *.files.test"
            ));
        }
        let plain = below.unwrap_or(&name);
        match DnsName::try_from(plain) {
            Ok(_) if !plain.ends_with('.') => Ok(Self::Dns(name)),
            _ => Err(format!(
                "{text:?} is no name that a certificate can have; write files.test, '*.files.test' or an address, without a scheme or a port"
            )),
        }
    }

    /// A name as it is read from a certificate: none of another kind is ours.
    pub(super) fn read(name: &GeneralName<'_>) -> Option<Self> {
        match name {
            GeneralName::DNSName(name) => Some(Self::Dns((*name).to_owned())),
            GeneralName::IPAddress(bytes) => address(bytes).map(Self::Address),
            _ => None,
        }
    }

    /// The name as a certificate has it.
    pub(super) fn alternative(&self) -> Result<SanType, rcgen::Error> {
        Ok(match self {
            Self::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
            Self::Address(address) => SanType::IpAddress(*address),
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// What an authority may sign for: a name constraint.
/// <https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.10>
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Permitted {
    /// This domain and all below it.
    Domain(String),
    Range(IpNet),
}

impl Permitted {
    /// The least that these names and this machine's own addresses need.
    pub(super) fn for_names(names: &[Name]) -> Vec<Self> {
        let mut permitted: Vec<Self> = Vec::new();
        let own = [[127, 0, 0, 0].into(), IpAddr::from(std::net::Ipv6Addr::LOCALHOST)];
        let widths = [8, 128];
        for (address, width) in own.into_iter().zip(widths) {
            permitted.extend(IpNet::new(address, width).map(Self::Range));
        }
        for name in names {
            if !permitted.iter().any(|permitted| permitted.covers(name)) {
                permitted.push(match name {
                    Name::Dns(name) => Self::Domain(name.strip_prefix("*.").unwrap_or(name).to_owned()),
                    Name::Address(address) => Self::Range((*address).into()),
                });
            }
        }
        permitted
    }

    pub(super) fn covers(&self, name: &Name) -> bool {
        match (self, name) {
            (Self::Domain(domain), Name::Dns(name)) => {
                let name = name.strip_prefix("*.").unwrap_or(name);
                let above = name.strip_suffix(domain.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            (Self::Range(range), Name::Address(address)) => range.contains(address),
            (Self::Domain(_), Name::Address(_)) | (Self::Range(_), Name::Dns(_)) => false,
        }
    }

    /// The constraint as a certificate has it.
    pub(super) fn subtree(&self) -> GeneralSubtree {
        match self {
            Self::Domain(domain) => GeneralSubtree::DnsName(domain.clone()),
            Self::Range(range) => {
                GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(range.addr(), range.prefix_len()))
            }
        }
    }

    /// A constraint as it is read from a certificate: none of another kind is ours.
    pub(super) fn read(name: &GeneralName<'_>) -> Option<Self> {
        match name {
            GeneralName::DNSName(domain) => Some(Self::Domain((*domain).to_owned())),
            GeneralName::IPAddress(bytes) => {
                let (address, mask) = bytes.split_at_checked(bytes.len() / 2)?;
                let range = IpNet::with_netmask(self::address(address)?, self::address(mask)?);
                range.ok().map(Self::Range)
            }
            _ => None,
        }
    }
}

/// Four bytes, or sixteen.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

impl fmt::Display for Permitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => f.write_str(domain),
            Self::Range(range) => range.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<Name> {
        texts.iter().map(|text| Name::parse(text).unwrap()).collect()
    }

    #[test]
    fn names_are_domains_wildcards_of_one_label_and_addresses() {
        for (text, read) in [
            ("Files.Test", "files.test"),
            ("*.files.test", "*.files.test"),
            ("*.localhost", "*.localhost"),
            ("minio", "minio"),
            ("192.168.1.7", "192.168.1.7"),
            ("[::1]", "::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(Name::parse(text).unwrap().to_string(), read);
        }
        for text in [
            "",
            "*",
            "*.",
            "*.com",
            "a.*.test",
            "**.a.test",
            "https://a.test",
            "a.test:9000",
            "a.test.",
            "a b",
            "a/b",
        ] {
            assert!(Name::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_authority_may_sign_for_no_more_than_it_must() {
        let of = |texts: &[&str]| {
            let permitted = Permitted::for_names(&names(texts));
            permitted.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let own = ["127.0.0.0/8", "::1/128"];
        assert_eq!(
            of(&["localhost", "127.0.0.1", "::1", "*.s3.localhost"]),
            [&own[..], &["localhost"]].concat()
        );
        assert_eq!(
            of(&["*.files.test", "a.files.test", "192.168.1.7"]),
            [&own[..], &["files.test", "192.168.1.7/32"]].concat()
        );
    }

    #[test]
    fn a_domain_covers_itself_and_what_is_below_it() {
        let domain = Permitted::Domain("files.test".to_owned());
        for (name, covered) in [
            ("files.test", true),
            ("*.files.test", true),
            ("a.b.files.test", true),
            ("myfiles.test", false),
            ("test", false),
            ("files.test.example", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(domain.covers(&Name::parse(name).unwrap()), covered, "{name}");
        }
    }
}
