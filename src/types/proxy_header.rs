//! The header by which a proxy that passes connections on says whose each is, in versions 1 and 2 of the PROXY protocol. The first bytes of a connection
//! go in, an [`Announced`] and the header's length come out. Only addresses and ports are read; what else version 2 may tell (TLVs) is passed over.
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use super::Announced;

/// The longest header of version 1, with its end.
pub(crate) const LONGEST_TEXT: usize = 107;
/// The longest header of version 2 that is taken. The addresses of either kind need 52 bytes; the rest is for TLVs, which nobody here reads.
const LONGEST_BINARY: usize = 4096;
const BINARY_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const TEXT_SIGNATURE: &[u8] = b"PROXY ";

/// A header that was read as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// How many bytes it has; those that were not needed may not have come yet.
    pub length: usize,
    /// Whose connection it is.
    pub announced: Announced,
}

/// Why there is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyHeaderError {
    /// What came is no beginning of one.
    #[error("the connection does not begin with a PROXY header")]
    Missing,
    /// Its line does not end, or it announces more than is taken.
    #[error("the PROXY header is too long")]
    TooLong,
    /// A version, command, family or transport that the protocol does not have, or has not over TCP.
    #[error("the PROXY header is of a kind that is not known")]
    Unknown,
    /// Addresses or ports that are none.
    #[error("the PROXY header's addresses cannot be read")]
    BadAddresses,
}

impl ProxyHeader {
    /// Reads a header from the first bytes of a connection. None: more must come. Bytes behind the header do not matter.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, ProxyHeaderError> {
        let begins = |signature: &[u8]| {
            let known = bytes.len().min(signature.len());
            bytes.get(..known) == signature.get(..known)
        };
        if begins(BINARY_SIGNATURE) {
            return binary(bytes);
        }
        if begins(TEXT_SIGNATURE) {
            return text(bytes);
        }
        Err(ProxyHeaderError::Missing)
    }
}

/// Version 1: `PROXY TCP4 203.0.113.7 192.0.2.1 51544 443\r\n`, or `PROXY UNKNOWN` and whatever follows in the line.
fn text(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    let line = bytes.get(..bytes.len().min(LONGEST_TEXT)).unwrap_or_default();
    let Some(end) = line.windows(2).position(|two| two == b"\r\n") else {
        let is_full = line.len() == LONGEST_TEXT;
        return if is_full {
            Err(ProxyHeaderError::TooLong)
        } else {
            Ok(None)
        };
    };
    let length = end.saturating_add(2);
    let line = line.get(..end).unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| ProxyHeaderError::BadAddresses)?;
    let mut words = line.split(' ').skip(1);
    let announced = match words.next() {
        Some("TCP4") => Announced::Client(addresses::<Ipv4Addr>(words)?),
        Some("TCP6") => Announced::Client(addresses::<Ipv6Addr>(words)?),
        Some("UNKNOWN") => Announced::Unknown,
        Some(_) | None => return Err(ProxyHeaderError::Unknown),
    };
    Ok(Some(ProxyHeader { length, announced }))
}

/// Source, destination and their ports; the source comes out.
fn addresses<'w, A>(mut words: impl Iterator<Item = &'w str>) -> Result<SocketAddr, ProxyHeaderError>
where
    A: FromStr + Into<IpAddr>,
{
    let mut word = || words.next().ok_or(ProxyHeaderError::BadAddresses);
    let address = |text: &str| text.parse::<A>().map_err(|_| ProxyHeaderError::BadAddresses);
    let (source, destination) = (address(word()?)?, address(word()?)?);
    let (port, destination_port) = (port(word()?)?, port(word()?)?);
    let _: (A, u16) = (destination, destination_port);
    match words.next() {
        None => Ok(SocketAddr::new(source.into(), port)),
        Some(_) => Err(ProxyHeaderError::BadAddresses),
    }
}

fn port(text: &str) -> Result<u16, ProxyHeaderError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    match text.parse() {
        Ok(port) if is_number => Ok(port),
        Ok(_) | Err(_) => Err(ProxyHeaderError::BadAddresses),
    }
}

/// Version 2: a signature, version and command, family and transport, the length of the rest; addresses, ports and TLVs.
fn binary(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    let rest = bytes.get(BINARY_SIGNATURE.len()..).unwrap_or_default();
    let Some((&[command, family, high, low], rest)) = rest.split_first_chunk() else {
        return Ok(None);
    };
    let announced = usize::from(u16::from_be_bytes([high, low]));
    let length = announced.saturating_add(16);
    if length > LONGEST_BINARY {
        return Err(ProxyHeaderError::TooLong);
    }
    let header = |announced| Ok(Some(ProxyHeader { length, announced }));
    match command {
        // LOCAL: whatever follows is passed over.
        0x20 => return header(Announced::Itself),
        0x21 => {}
        _ => return Err(ProxyHeaderError::Unknown),
    }
    let needed = match family {
        // Not told; or a Unix socket, whose name is no address.
        0x00 | 0x31 => return header(Announced::Unknown),
        0x11 => 12,
        0x21 => 36,
        _ => return Err(ProxyHeaderError::Unknown),
    };
    if announced < needed {
        return Err(ProxyHeaderError::BadAddresses);
    }
    let source = match family {
        0x11 => source::<4, 12>(rest),
        _ => source::<16, 36>(rest),
    };
    match source {
        Some(source) => header(Announced::Client(source)),
        None => Ok(None),
    }
}

/// Source, destination, port and port, of `A` bytes an address; the source comes out, once all `N` bytes are there.
fn source<const A: usize, const N: usize>(bytes: &[u8]) -> Option<SocketAddr>
where
    IpAddr: From<[u8; A]>,
{
    let (fields, _) = bytes.split_first_chunk::<N>()?;
    let (address, rest) = fields.split_first_chunk::<A>()?;
    let (_, ports) = rest.split_first_chunk::<A>()?;
    let (port, _) = ports.split_first_chunk::<2>()?;
    Some(SocketAddr::new(IpAddr::from(*address), u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests;
