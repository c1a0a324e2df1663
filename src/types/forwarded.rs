//! Who a request is from, where proxies stand in between. In go the peer of the connection, the headers and the proxies that are trusted; out
//! comes the one [`Client`] that is believed.
//!
//! Lists are read from their right end, since a proxy adds what it saw at the end and anybody can write the rest: each entry is believed only
//! when the one who wrote it is trusted, so the client is the right-most address that is no trusted proxy's. Where an entry cannot be read
//! the reading stops: what stands left of it is never believed. Nothing is read from a peer that is not trusted.
//!
//! Stricter than RFC 7239: a comma ends an entry also within quotes, so that nothing that a client wrote can reach over into what a proxy
//! added; no address and no scheme holds a comma.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;

use super::{Announced, Client, Peer, Scheme, TrustedProxies};

const X_FORWARDED_FOR: &str = "x-forwarded-for";
const X_FORWARDED_PROTO: &str = "x-forwarded-proto";
const FORWARDED: &str = "forwarded";

/// By which header proxies say who sent a request. Only one kind is read: of the other, which a proxy that does not know it passes on as it
/// came, clients could make use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`.
    #[default]
    XForwardedFor,
    /// `Forwarded`, <https://www.rfc-editor.org/rfc/rfc7239>.
    Forwarded,
}

/// Whom to believe, and what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// The proxies.
    pub proxies: TrustedProxies,
    /// What they write.
    pub header: ForwardedHeader,
}

/// An address and, if it is told, a port.
type Node = (IpAddr, Option<u16>);

/// What one proxy says of whom it heard.
struct Hop {
    /// None: not told, or not readable.
    node: Option<Node>,
    scheme: Option<Scheme>,
}

impl Forwarding {
    /// Who sent a request with these headers.
    pub fn client(&self, peer: Peer, headers: &HeaderMap) -> Client {
        let direct = Client::from(peer);
        let is_passed_on_for_somebody = peer.announced == Announced::Unknown;
        if is_passed_on_for_somebody || !self.proxies.contains(direct.address) {
            return direct;
        }
        let (node, scheme) = match self.header {
            ForwardedHeader::XForwardedFor => {
                let hops = entries(headers, X_FORWARDED_FOR).map(|entry| Hop {
                    node: node(entry),
                    scheme: None,
                });
                let (node, _) = self.follow(direct, hops);
                let said = entries(headers, X_FORWARDED_PROTO).next();
                (node, said.and_then(scheme))
            }
            ForwardedHeader::Forwarded => self.follow(direct, entries(headers, FORWARDED).map(hop)),
        };
        if node.is_none() && scheme.is_none() {
            return direct;
        }
        let (address, port) = node.unwrap_or((direct.address, direct.port));
        Client {
            address,
            port,
            // What nobody says is not taken for safe.
            scheme: scheme.unwrap_or(Scheme::Http),
            tls: None,
            proxy: node.map(|_| peer.address).or(direct.proxy),
        }
    }

    /// Goes from proxy to proxy while they are trusted: to the last address that is told, and what its hearer says of the scheme.
    fn follow(&self, direct: Client, hops: impl Iterator<Item = Hop>) -> (Option<Node>, Option<Scheme>) {
        let mut told = (None, None);
        let mut hearer = direct.address;
        for hop in hops {
            if !self.proxies.contains(hearer) {
                break;
            }
            let Some((address, port)) = hop.node else {
                told.1 = hop.scheme.or(told.1);
                break;
            };
            told = (Some((address, port)), hop.scheme);
            hearer = address;
        }
        told
    }
}

/// The entries of a list, over all of its lines, the last first.
fn entries<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h [u8]> + use<'h> {
    let lines = headers.get_all(name).into_iter().rev();
    lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','))
}

fn scheme(text: &[u8]) -> Option<Scheme> {
    let text = text.trim_ascii();
    if text.eq_ignore_ascii_case(b"https") {
        return Some(Scheme::Https);
    }
    text.eq_ignore_ascii_case(b"http").then_some(Scheme::Http)
}

/// An address, with a port or without: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn node(text: &[u8]) -> Option<Node> {
    let text = std::str::from_utf8(text).ok()?.trim_ascii();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((address.to_canonical(), None));
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = inner.parse().ok()?;
        return Some((IpAddr::from(address).to_canonical(), None));
    }
    let address: SocketAddr = text.parse().ok()?;
    let is_scoped = text.contains('%');
    (!is_scoped).then(|| (address.ip().to_canonical(), Some(address.port())))
}

/// One entry of `Forwarded`: `for=192.0.2.43;proto=https`. What is not of that form says nothing.
fn hop(entry: &[u8]) -> Hop {
    let nothing = Hop {
        node: None,
        scheme: None,
    };
    let (mut told_for, mut told_proto) = (None, None);
    for pair in entry.split(|byte| *byte == b';') {
        let pair = pair.trim_ascii();
        let Some(equals) = pair.iter().position(|byte| *byte == b'=') else {
            return nothing;
        };
        let (name, value) = pair.split_at(equals);
        let Some(value) = value.strip_prefix(b"=").and_then(unquoted) else {
            return nothing;
        };
        let told = match () {
            () if name.eq_ignore_ascii_case(b"for") => &mut told_for,
            () if name.eq_ignore_ascii_case(b"proto") => &mut told_proto,
            () => continue,
        };
        if told.replace(value).is_some() {
            return nothing;
        }
    }
    Hop {
        node: told_for.and_then(node),
        scheme: told_proto.and_then(scheme),
    }
}

/// A token, or what stands in quotes. Quotes and escapes within quotes are no part of an address.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    let inner = match value.strip_prefix(b"\"") {
        Some(rest) => rest.strip_suffix(b"\"")?,
        None => value,
    };
    (!inner.iter().any(|byte| b"\"\\".contains(byte))).then_some(inner)
}

#[cfg(test)]
mod tests;
